"""The service under systemd, which the test plays: it holds the sockets, and hears what the service says of itself."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
import pytest

from router.langfuse.signature import sign
from router.service.systemd import Handed
from router.storage.records import EventFilter, EventRecord
from router.storage.store import Store
from tests.acceptance.receivers import Receiver, Reply
from tests.acceptance.running import SECRET, RunningRouter, eventually
from tests.acceptance.test_delivery import ONE
from tests.acceptance.test_intake import RULES, body

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
AS_SYSTEMD = """
import os, sys
first, second, *command = sys.argv[1:]
for ours, its in ((int(first), 103), (int(second), 104), (103, 3), (104, 4)):
    os.dup2(ours, its)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(command[0], command)
"""


class Heard:
    """What arrives at `NOTIFY_SOCKET`, datagram by datagram."""

    def __init__(self, address: str) -> None:
        self.said: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while said := self._socket.recv(4096):
            self.said.append(said.decode())

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def has(self, word: str) -> bool:
        return any(word in said.splitlines() for said in self.said)


class UnderSystemd(RunningRouter):
    """A router that systemd starts: with two open sockets, and an ear for what it says."""

    def __init__(self, folder: Path, rules: str, *, notify: str = "", watchdog: float = 60) -> None:
        self.sockets = [socket.create_server(("127.0.0.1", 0), backlog=2048) for _ in range(2)]
        self.heard = Heard(notify or str(folder / "notify"))
        first, second = (held.fileno() for held in self.sockets)
        env = {
            "LISTEN_FDS": "2",
            "LISTEN_FDNAMES": "webhooks:admin",
            "NOTIFY_SOCKET": notify or str(folder / "notify"),
            "WATCHDOG_USEC": str(int(watchdog * 1_000_000)),
        }
        super().__init__(folder, rules, env=env)
        self.starter = (sys.executable, "-c", AS_SYSTEMD, str(first), str(second))
        self.handed = (first, second)
        self.webhooks, self.admin = (f"http://127.0.0.1:{held.getsockname()[1]}" for held in self.sockets)

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self.heard.close()
        for held in self.sockets:
            held.close()


@pytest.fixture
def router(tmp_path: Path) -> Iterator[UnderSystemd]:
    with UnderSystemd(tmp_path, RULES, watchdog=1) as running:
        yield running


class Sender(threading.Thread):
    """Somebody who sends webhooks one after the other, each once, until told to stop."""

    def __init__(self, url: str, name: str, client: Callable[[], httpx.Client]) -> None:
        super().__init__(daemon=True)
        self.url, self.sender, self.client = url, name, client
        self.stopped = threading.Event()
        self.answers: list[int | str] = []

    def run(self) -> None:
        client = self.client()
        while not self.stopped.is_set():
            id = f"{self.sender}-{len(self.answers)}"
            raw = msgspec.json.encode(body(id, {"id": id, "name": id}))
            headers = {"x-langfuse-signature": sign(raw, SECRET, datetime.now(UTC))}
            try:
                self.answers.append(client.post(self.url, content=raw, headers=headers).status_code)
            except httpx.HTTPError as error:
                self.answers.append(f"{type(error).__name__}: {error}")
        client.close()


def _answered(senders: list[Sender]) -> int:
    return sum(len(sender.answers) for sender in senders)


def _all_events(store: Store) -> Iterator[EventRecord]:
    cursor = None
    while True:
        page = store.events(EventFilter(), limit=1000, cursor=cursor)
        yield from page.items
        if page.next_cursor is None:
            return
        cursor = page.next_cursor


def _sockets(router: RunningRouter) -> int:
    """Return how many sockets the service has open."""
    assert router.process is not None
    descriptors = Path(f"/proc/{router.process.pid}/fd")
    return sum(1 for one in descriptors.iterdir() if str(one.readlink()).startswith("socket:"))


def anew() -> httpx.Client:
    """A client that connects anew for each request."""
    return httpx.Client(timeout=60, limits=httpx.Limits(max_keepalive_connections=0))


def kept() -> httpx.Client:
    return httpx.Client(timeout=60)


def test_a_restart_under_load_refuses_no_connection_and_loses_no_request(router: UnderSystemd) -> None:
    url = f"{router.webhooks}/webhooks/prod"
    senders = [Sender(url, f"s{number}", anew if number % 2 else kept) for number in range(6)]
    for sender in senders:
        sender.start()
    for _ in range(3):
        enough = _answered(senders) + 50
        eventually(lambda: _answered(senders) > enough, "many are sent")  # noqa: B023 -- called here
        assert router.stop() == 0
        router.start()
    for sender in senders:
        sender.stopped.set()
    for sender in senders:
        sender.join(30)
    answers = [answer for sender in senders for answer in sender.answers]
    assert set(answers) == {202}, [answer for answer in answers if answer != 202]
    with router.store() as store:
        backlog = store.backlog()
        known = {event.id for event in _all_events(store)}
    assert known >= {f"{sender.sender}-{number}" for sender in senders for number in range(len(sender.answers))}
    assert backlog.quarantined == 0


def test_a_request_on_a_connection_that_was_just_made_is_answered_though_the_service_stops(
    router: UnderSystemd,
) -> None:
    raw = msgspec.json.encode(body("late"))
    before = _sockets(router)
    with ExitStack() as stack:
        connections = [
            stack.enter_context(socket.create_connection(router.sockets[0].getsockname())) for _ in range(20)
        ]
        for connection in connections:  # whoever is connected and has said nothing yet
            connection.settimeout(30)
        eventually(lambda: _sockets(router) >= before + len(connections), "they are accepted")
        assert router.process is not None
        router.process.send_signal(signal.SIGTERM)
        listener = Path(f"/proc/{router.process.pid}/fd/3")
        eventually(lambda: not listener.is_symlink(), "it accepts nobody any more")
        head = f"POST /webhooks/prod HTTP/1.1\r\nhost: x\r\ncontent-length: {len(raw)}\r\n"
        signature = sign(raw, SECRET, datetime.now(UTC))
        for connection in connections:
            connection.sendall(f"{head}x-langfuse-signature: {signature}\r\n\r\n".encode() + raw)
        for connection in connections:
            answer = b""
            while part := connection.recv(4096):
                answer += part
            assert answer.startswith(b"HTTP/1.1 202")
            assert b"connection: close" in answer
        assert router.process.wait(60) == 0


def test_sockets_are_known_by_their_names(router: UnderSystemd) -> None:
    token = {"authorization": "Bearer the admin token"}
    assert httpx.get(f"{router.admin}/api/v1/rules", headers=token).status_code == 200
    assert httpx.get(f"{router.webhooks}/api/v1/rules", headers=token).status_code == 404
    assert httpx.post(f"{router.webhooks}/webhooks/prod").status_code == 401
    assert httpx.post(f"{router.admin}/webhooks/prod").status_code == 404


def test_systemd_is_told_of_start_reload_life_and_end(router: UnderSystemd) -> None:
    said = router.heard.said
    eventually(lambda: router.heard.has("READY=1"), "it is ready")
    eventually(lambda: said.count("WATCHDOG=1") >= 3, "it lives")
    eventually(lambda: any("STATUS=waiting: 0 events, 0 deliveries; dead: 0" in line for line in said), "how it is")
    before = said.count("READY=1")
    router.reload()
    eventually(lambda: said.count("READY=1") > before, "it has reloaded")
    (reloading,) = [line for line in said if line.startswith("RELOADING=1")]
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", reloading)
    router.reload("no rules at all")
    eventually(lambda: said.count("READY=1") > before + 1, "a refused reload is over, too")
    router.stop()
    eventually(lambda: any(line.startswith("STOPPING=1") for line in said), "it stops")


def test_the_status_line_tells_what_waits_and_who_is_left_alone(tmp_path: Path) -> None:
    with Receiver() as receiver:
        receiver.script = lambda _: Reply(status=401)
        rules = ONE.replace("SINK", receiver.url)
        with UnderSystemd(tmp_path, rules, notify=f"@langfuse-router-test-{tmp_path.name}-{id(tmp_path)}") as router:
            router.url = router.webhooks
            router.post(body("e1"))
            eventually(
                lambda: any("1 delivery; dead: 0; left alone: sink" in line for line in router.heard.said), "it says"
            )


def test_while_the_last_deliveries_are_finished_who_connects_waits_instead_of_being_refused(tmp_path: Path) -> None:
    asked, answer = threading.Event(), threading.Event()

    def hold() -> None:
        asked.set()
        answer.wait(30)

    with Receiver() as receiver:
        receiver.replies = [Reply(before=hold)]
        rules = ONE.replace("SINK", receiver.url).replace('"5s"', '"20s"')
        with UnderSystemd(tmp_path, rules) as router:
            router.url = router.webhooks
            router.post(body("e1"))
            assert asked.wait(30)
            assert router.process is not None
            router.process.terminate()
            eventually(lambda: any(line.startswith("STOPPING=1") for line in router.heard.said), "it is stopping")
            with socket.create_connection(router.sockets[0].getsockname(), timeout=5):
                pass  # not refused
            answer.set()
            assert router.process.wait(60) == 0
            assert [delivery.status for delivery in router.deliveries()] == ["delivered"]


def test_sockets_for_somebody_else_are_left_alone() -> None:
    environment = {"LISTEN_PID": "1", "LISTEN_FDS": "5", "LISTEN_FDNAMES": "a:b:c:d:e", "HOME": "/"}
    handed = Handed(environment, 4711)
    assert (handed.public, handed.admin) == ([], [])
    assert environment == {"HOME": "/"}


def test_a_descriptor_that_does_not_listen_is_refused_in_one_line(tmp_path: Path) -> None:
    script = (
        "import os, socket; from router.service.systemd import Handed, NotASocket; s = socket.socket(); "
        "os.dup2(s.fileno(), 3)\n"
        "try: Handed({'LISTEN_PID': '1', 'LISTEN_FDS': '1'}, 1)\n"
        "except NotASocket as error: print(error)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "descriptor 3 of systemd does not listen; a .socket unit needs `ListenStream`\n"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_finds_no_fault_in_the_units(tmp_path: Path) -> None:
    for unit in UNITS.iterdir():
        text = unit.read_text()
        tmp_path.joinpath(unit.name).write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={sys.executable}", text))
    units = sorted(map(str, tmp_path.iterdir()))
    found = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
