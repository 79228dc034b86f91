"""Whoever can reach the port tries what harms servers: this one goes on answering, and keeps what is authentic."""

import contextlib
import gzip
import re
import resource
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx
import msgspec
import pytest

from router.langfuse.signature import sign
from router.service.connections import MOST_BESIDE_BODY, Limits
from tests.acceptance.running import SECRET, RunningRouter, eventually
from tests.acceptance.test_intake import PROMPT, body
from tests.fuzz.targets import TARGETS

RULES: Final = """
[server]
admin_token = "let me in"

[sources.prod]
secret = "${LANGFUSE_WEBHOOK_SECRET}"
settle = "0s"

[destinations.journal]
type = "log"

[[rules]]
name = "everything"
match = { type = "*" }
actions = [{ to = "journal" }]

[[rules]]
name = "an expression that takes for ever"
match = { text = { regex = "(a|aa)+$|(.*.*)+b" } }
actions = [{ to = "journal" }]

[[rules]]
name = "a search that takes for ever"
match = { where = [{ path = "$..*..*..*", equals = "nowhere" }] }
actions = [{ to = "journal" }]

[[rules]]
name = "a loop that takes for ever"
match = { action = "created" }
[[rules.actions]]
to = "journal"
text = "{% for a in prompt.text %}{% for b in prompt.text %}{{ a }}{% endfor %}{% endfor %}"
"""

IDLE: Final = 10_000
SLOW: Final = 200
FEW: Final = 300


def told(prompt: str) -> bytes:
    """Return a body whose prompt's text is that piece of JSON."""
    return msgspec.json.encode(body("id")).replace(b'"Hello {{name}}"', prompt.encode())


GOOD: Final = msgspec.json.encode(body("id"))

SIGNED: Final[dict[str, bytes]] = {
    "nothing": b"",
    "a NUL": b"\x00",
    "only white space": b" \n" * 10_000,
    "invalid UTF-8": GOOD.replace(b"Hello", b"\xff\xfe\xc3\x28"),
    "an overlong UTF-8 slash": GOOD.replace(b"checkout/cart", b"checkout\xc0\xafcart"),
    "UTF-16": GOOD.decode().encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + GOOD,
    "half a surrogate": told(r'"\ud800"'),
    "a NUL in the text": told(r'"\u0000"'),
    "a NUL in the name": GOOD.replace(b"checkout/cart", rb"checkout\u0000cart"),
    "cut off in the middle": GOOD[: len(GOOD) // 2],
    "something after the end": GOOD + b"{}",
    "a million brackets": b"[" * 1_000_000,
    "a hundred thousand objects in each other": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a deep prompt": told("[" * 400 + "]" * 400),
    "every key twice": GOOD[:-1] + b"," + GOOD[1:],
    "a hundred thousand keys": b"{" + b",".join(b'"k%d":1' % n for n in range(100_000)) + b"}",
    "a key twice in the config": GOOD.replace(b'"config":{}', b'"config":{"a":1,"a":2}'),
    "an integer of 5,000 digits": GOOD.replace(b'"version":1', b'"version":' + b"9" * 5_000),
    "an integer of 5,000 digits in the config": GOOD.replace(b'"config":{}', b'"config":{"a":' + b"9" * 5_000 + b"}"),
    "a number beyond floats": GOOD.replace(b'"config":{}', b'"config":{"a":1e999}'),
    "a version beyond 64 bits": GOOD.replace(b'"version":1', b'"version":18446744073709551616'),
    "a negative version": GOOD.replace(b'"version":1', b'"version":-1'),
    "NaN": GOOD.replace(b'"version":1', b'"version":NaN'),
    "a time before all times": GOOD.replace(b"2026-11-24T10:00:00.000Z", b"0000-00-00T00:00:00.000Z"),
    "a time after all times": GOOD.replace(b"2026-11-24T10:00:00.000Z", b"9999-12-31T23:59:59.999-12:00"),
    "a name of a megabyte": GOOD.replace(b"checkout/cart", b"c" * 1_000_000),
    "ten thousand labels": GOOD.replace(b'["latest"]', msgspec.json.encode([f"label-{n}" for n in range(10_000)])),
    "a text of ten megabytes": told('"' + "{{x}}" * 2_000_000 + '"'),
    "a template as the text": told('"{% for a in range(10**9) %}{{ a }}{% endfor %}"'),
    "a compressed bomb": gzip.compress(b"0" * 100_000_000),
    "a list": b"[]",
    "a prompt that is none": GOOD.replace(msgspec.json.encode(PROMPT), b'"prompt"'),
}

RAW: Final[dict[str, bytes]] = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
    "a header of a megabyte": b"POST /webhooks/prod HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 1_000_000 + b"\r\n\r\n",
    "ten thousand headers": b"POST /webhooks/prod HTTP/1.1\r\nhost: x\r\n" + b"x: y\r\n" * 10_000 + b"\r\n",
    "a path of a megabyte": b"POST /webhooks/" + b"a" * 1_000_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    "a trailer of a megabyte": (
        b"POST /webhooks/prod HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: "
        + b"a" * 1_000_000
    ),
    "a million chunks of a byte": (
        b"POST /webhooks/prod HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 1_000_000
    ),
    "a line break in a header": b"POST /webhooks/prod HTTP/1.1\r\nhost: x\r\nx: a\nb\r\n\r\n",
    "two lengths": b"POST /webhooks/prod HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "a length and chunks": (
        b"POST /webhooks/prod HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nG"
    ),
    "a negative length": b"POST /webhooks/prod HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
    "a chunk of 16 exabytes": (
        b"POST /webhooks/prod HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\na"
    ),
    "a path out of the tree": b"GET /static/../../../../etc/passwd HTTP/1.1\r\nhost: x\r\n\r\n",
    "a query that is no UTF-8": b"GET /login?\xff HTTP/1.1\r\nhost: x\r\n\r\n",
    "a method that is none": b"\x00\x01 /webhooks/prod HTTP/1.1\r\nhost: x\r\n\r\n",
}


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRouter]:
    with RunningRouter(tmp_path_factory.mktemp("hostile"), RULES) as running:
        yield running


def connected(router: RunningRouter) -> socket.socket:
    host, port = router.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def goes_on(router: RunningRouter, id: str) -> None:
    """An honest webhook is taken at once, and routed."""
    began = time.monotonic()
    assert router.post(body(id)).json() == {"id": id, "status": "accepted"}
    assert time.monotonic() - began < 5, "Langfuse waits 10 s; the machines of the tests are slow"
    eventually(lambda: [one for one in router.events() if one.id == id and one.status != "waiting"], f"{id} is routed")


@pytest.mark.parametrize("what", SIGNED)
def test_whatever_is_signed_is_kept_and_acknowledged(router: RunningRouter, what: str) -> None:
    raw = SIGNED[what]
    headers = {"x-langfuse-signature": sign(raw, SECRET, datetime.now(UTC)), "content-encoding": "gzip"}
    answer = router.client.post(f"{router.url}/webhooks/prod", content=raw, headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.json()["status"] in ("accepted", "duplicate", "quarantined")
    with router.store() as store:
        assert store.event(answer.json()["id"], source="prod") is not None


@pytest.mark.parametrize("what", RAW)
def test_what_is_no_request_is_refused_in_few_words(router: RunningRouter, what: str) -> None:
    with connected(router) as connection:
        # the server may hang up before it has read all of it
        with contextlib.suppress(OSError):
            connection.sendall(RAW[what])
            connection.shutdown(socket.SHUT_WR)
        said = b""
        with contextlib.suppress(OSError):
            while part := connection.recv(65_536):
                said += part
    assert len(said) < 10_000
    assert not said or re.match(rb"HTTP/1\.1 4\d\d ", said), said[:200]
    assert b"root:" not in said


def test_a_header_without_end_costs_neither_memory_nor_time(router: RunningRouter) -> None:
    sent = 0
    with connected(router) as connection, contextlib.suppress(OSError):
        connection.sendall(b"POST /webhooks/prod HTTP/1.1\r\nhost: x\r\nx: ")
        while sent < 100_000_000:
            connection.sendall(b"a" * 1_000_000)
            sent += 1_000_000
    assert sent < 20_000_000, "it hangs up long before"
    goes_on(router, "after-an-endless-header")


def test_after_all_that_it_goes_on(router: RunningRouter) -> None:
    for what, raw in SIGNED.items():
        router.post(raw)
        assert router.process is not None
        assert router.process.poll() is None, what
    eventually(lambda: not [one for one in router.events() if one.status == "waiting"], "everything is routed")
    goes_on(router, "after-all-that")
    assert not router.logged("Exception in ASGI application")
    assert not router.logged("in the router itself"), "nothing of it was a fault of ours"


def test_what_a_rule_would_do_for_ever_is_an_error_of_that_rule_alone(router: RunningRouter) -> None:
    searched: object = 1
    for _ in range(30):
        searched = {"a": [searched, searched] if len(str(searched)) < 10_000 else searched}
    choke = {"name": "choke", "prompt": "a" * 5_000 + "c", "config": searched}
    assert router.post(body("choke", choke)).status_code == 202
    goes_on(router, "after-what-takes-for-ever")

    def gave_up() -> bool:
        answer = router.client.get(f"{router.url}/metrics", headers={"authorization": "Bearer let me in"})
        found = re.findall(r'^langfuse_router_clause_errors_total{rule="(.*)"} [1-9]', answer.text, re.MULTILINE)
        return {"an expression that takes for ever", "a search that takes for ever"} <= set(found)

    eventually(gave_up, "both rules said that they gave up")
    dead = [one for one in router.deliveries() if one.status == "dead"]
    assert {one.rule for one in dead} == {"a loop that takes for ever"}


def test_who_sends_a_byte_now_and_then_or_nothing_delays_nobody_and_goes(router: RunningRouter) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < IDLE + 2_000:
        pytest.skip(f"only {most} files may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with contextlib.ExitStack() as opened:
        slow = [opened.enter_context(connected(router)) for _ in range(SLOW)]
        for number, connection in enumerate(slow):
            unfinished = b"" if number % 2 else b"content-length: 1000\r\n\r\n{"
            connection.sendall(b"POST /webhooks/prod HTTP/1.1\r\nhost: x\r\n" + unfinished)
        before = memory(router, "VmRSS")
        idle = [opened.enter_context(connected(router)) for _ in range(IDLE)]
        for turn in range(3):
            for number, connection in enumerate(slow):
                connection.sendall(b" " if number % 2 == 0 else b"x: y\r\n")
            goes_on(router, f"meanwhile-{turn}")
            assert router.health() == (200, "ok")
            assert router.client.get(f"{router.url}/login").status_code == 200
        assert memory(router, "VmRSS") - before < 20 * IDLE, "kB"
        for connection in (idle[0], idle[-1]):
            connection.settimeout(Limits(connections=0, bodies=0).head + 30)
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(1) == b"", "it was hung up on"
    goes_on(router, "afterwards")


def test_where_few_files_may_be_open_a_crowd_leaves_some_for_the_service(tmp_path: Path) -> None:
    router = RunningRouter(tmp_path, RULES)
    router.starter = ("prlimit", f"--nofile={FEW}:{FEW}")
    with router, contextlib.ExitStack() as opened:
        for turn in range(3):
            for _ in range(FEW):
                opened.enter_context(connected(router))
            router.client.close()
            router.client = httpx.Client(timeout=30)
            goes_on(router, f"in-the-crowd-{turn}")
            assert router.health() == (200, "ok")
            router.reload(RULES + f"# {turn}\n")
        eventually(lambda: len(router.logged("rules reloaded")) == 3, "the rules are read again each time")
        assert router.process is not None
        files = len(list(Path(f"/proc/{router.process.pid}/fd").iterdir()))
        assert files < FEW - 50, "some are left"


def memory(router: RunningRouter, what: str) -> int:
    """Return how much it uses in kB."""
    assert router.process is not None
    (found,) = re.findall(rf"{what}:\s+(\d+) kB", Path(f"/proc/{router.process.pid}/status").read_text())
    return int(found)


def test_its_memory_stays_that_of_a_service(router: RunningRouter) -> None:
    assert memory(router, "VmHWM") < 1_000_000, "kB at its highest"


def test_the_page_counts_what_was_tried() -> None:
    page = (Path(__file__).parents[2] / "docs/explanation/hardening.md").read_text()
    counts = [int(count) for count in re.findall(r"^\| .* \| (\d+) \| ", page, re.MULTILINE)]
    assert counts == [len(SIGNED), 1, len(RAW), 1, IDLE + SLOW, 3 * FEW]
    assert f"{MOST_BESIDE_BODY // 1024} KiB" in page
    assert re.findall(r"^\| (\w+) \| [\d,]+ \|", page, re.MULTILINE) == list(TARGETS), "as `make fuzz` has them"
    for path in re.findall(r"`(tests/[\w/]+(?:\.py)?)", page):
        assert (Path(__file__).parents[2] / path).exists(), path
