"""Which addresses may be connected to, in every form in which they can be written."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from router.delivery import guard
from router.delivery.client import Clients
from router.delivery.guard import AddressRefused, connected
from router.delivery.send import send
from router.domain.delivery import Refused
from router.domain.destination import HttpDestination, Limits
from router.domain.text import Text
from router.engine.addresses import is_public
from tests.acceptance.receivers import Receiver
from tests.acceptance.test_faults import MESSAGE, NOW

PRIVATE = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1",
    "169.254.169.254", "169.254.170.2", "192.0.0.192", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe",  # mapped
    "::127.0.0.1", "::a9fe:a9fe",  # compatible
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1",  # NAT64
    "2002:7f00:1::", "2002:a9fe:a9fe::1",  # 6to4
    "2001:0:7f00:1::", "2001:0:4136:e378:8000:63bf:5601:5601",  # Teredo
    "not an address", "",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_of_the_public_internet_is_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_of_the_public_internet_is_allowed(address: str) -> None:
    assert is_public(address)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


async def outcome(url: str) -> object:
    async with Clients() as clients:
        to = HttpDestination(name="sink", limits=Limits(), url=Text(url))
        return (await send(MESSAGE, to, "k", clients, NOW)).outcome


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "localhost.", "LOCALHOST", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0",
        "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "127.0.0.1.", "[fe80::1%25lo]", "169.254.169.254",
    ],
)  # fmt: skip
async def test_no_way_of_writing_a_local_address_gets_through(host: str, receiver: Receiver) -> None:
    found = await outcome(f"http://{host}:{receiver.port}/")
    assert receiver.arrived == []
    assert isinstance(found, Refused) or "cannot resolve host" in str(found) or "cannot connect" in str(found)


class Resolver:
    """Answers with the next of its addresses at every question."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[dict[str, Any]]:
        addresses = self.answers.pop(0)
        return [
            {"hostname": host, "host": one, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
            for one in addresses
        ]

    async def close(self) -> None:
        return


async def test_a_name_that_turns_private_is_refused_at_the_moment_it_does() -> None:
    resolver = guard.GuardedResolver()
    resolver._resolver = Resolver(["1.1.1.1"], ["127.0.0.1"], ["10.0.0.1", "1.1.1.1"])  # type: ignore[assignment]
    assert [found["host"] for found in await resolver.resolve("rebinds.example")] == ["1.1.1.1"]
    with pytest.raises(AddressRefused):
        await resolver.resolve("rebinds.example")
    assert [found["host"] for found in await resolver.resolve("rebinds.example")] == ["1.1.1.1"]


async def test_other_protocols_are_guarded_too(receiver: Receiver) -> None:
    with pytest.raises(AddressRefused):
        await connected("localhost", receiver.port, allow_private=False)
    (await connected("localhost", receiver.port, allow_private=True)).close()
