"""GitHub: what fits into its limits, files kept in a repository, tokens of an App. Over real sockets."""

import base64
import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from router.delivery.client import Clients
from router.delivery.send import send
from router.domain.delivery import Accepted, Answer, Refused, Rejected, Retry
from router.domain.destination import GithubDestination, Limits
from router.domain.json import JsonObject
from router.domain.message import GithubCommit, GithubDispatch, GithubWorkflow, Message
from router.domain.text import Text
from router.engine.writers.github_limits import (
    LONGEST_PAYLOAD,
    MOST_KEYS,
    TRIMMED,
    TooLarge,
    fitted_inputs,
    fitted_payload,
    path_fault,
)
from tests.acceptance.receivers import Arrived, Receiver, Reply

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
).decode()


class GitHub:
    """The Contents API of one repository, with one branch. `race`: called before each commit."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.commits: list[tuple[str, str]] = []
        self.race: list[tuple[str, bytes]] = []
        self.visible = True
        self.tokens_given = 0
        self.good: set[str] = {"ghp_token"}
        self._lock = threading.Lock()

    def __call__(self, arrived: Arrived) -> Reply:
        with self._lock:
            path, _, query = arrived.path.partition("?")
            token = arrived.headers["authorization"].removeprefix("Bearer ")
            if path == "/app/installations/77/access_tokens":
                claims = jwt.decode(token, KEY.public_key(), algorithms=["RS256"])
                assert claims["iss"] == "42"
                self.tokens_given += 1
                self.good = {f"ghs_{self.tokens_given}"}
                until = datetime.now(UTC) + timedelta(hours=1)
                return said(201, {"token": f"ghs_{self.tokens_given}", "expires_at": until.isoformat()})
            if token not in self.good:
                return said(401, {"message": f"Bad credentials {token}"})
            if not self.visible or not path.startswith("/repos/acme/prompts"):
                return said(404, {"message": "Not Found"})
            if path == "/repos/acme/prompts":
                return said(200, {"name": "prompts"})
            name = path.removeprefix("/repos/acme/prompts/contents/")
            return self.look(name, query) if arrived.method == "GET" else self.commit(name, arrived)

    def look(self, name: str, query: str) -> Reply:
        if query not in ("", "ref=main"):
            return said(404, {"message": f"No commit found for the ref {query}"})
        if name not in self.files:
            return said(404, {"message": "Not Found"})
        data = self.files[name]
        content = base64.b64encode(data).decode()
        return said(200, {"name": name, "path": name, "sha": sha(data), "type": "file", "content": content})

    def commit(self, name: str, arrived: Arrived) -> Reply:
        if self.race:
            theirs, data = self.race.pop(0)
            self.files[theirs] = data
        asked: dict[str, Any] = arrived.json
        now = sha(self.files[name]) if name in self.files else None
        if asked.get("sha") != now:
            return said(409 if asked.get("sha") else 422, {"message": "does not match"})
        if arrived.method == "DELETE":
            del self.files[name]
        else:
            self.files[name] = base64.b64decode(asked["content"])
        self.commits.append((arrived.method, asked["message"]))
        return said(200 if now else 201, {"content": {}})


def said(status: int, answer: object) -> Reply:
    return Reply(status=status, body=msgspec.json.encode(answer))


def sha(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


@pytest.fixture
def github() -> GitHub:
    return GitHub()


@pytest.fixture
def receiver(github: GitHub) -> Iterator[Receiver]:
    with Receiver() as running:
        running.script = github
        yield running


def repository(receiver: Receiver, **keys: Any) -> GithubDestination:
    keys = keys or {"token": Text.secret("ghp_token")}
    limits = Limits(allow_private=True, timeout=timedelta(seconds=30))
    return GithubDestination(
        name="ci", limits=limits, repository=Text("acme/prompts"), base_url=Text(receiver.url), **keys
    )


def app(receiver: Receiver, pem: str = PEM) -> GithubDestination:
    return repository(receiver, app_id=Text("42"), installation_id=Text("77"), private_key=Text.secret(pem))


async def tell(message: Message, to: GithubDestination, clients: Clients | None = None) -> Answer:
    if clients is not None:
        return await send(message, to, "k", clients, datetime.now(UTC))
    async with Clients() as own:
        return await send(message, to, "k", own, datetime.now(UTC))


def keep(content: str | None, path: str = "prompts/a b/ü.txt", branch: str | None = None) -> GithubCommit:
    return GithubCommit(path=path, content=content, message="why", branch=branch)


async def test_a_file_is_created_updated_left_alone_and_deleted(receiver: Receiver, github: GitHub) -> None:
    name = "prompts/a%20b/%C3%BC.txt"
    to = repository(receiver)
    assert isinstance((await tell(keep("one"), to)).outcome, Accepted)
    assert github.files == {name: b"one"}
    same = await tell(keep("one"), to)
    assert same.outcome == Accepted("nothing changed, so nothing was committed")
    assert isinstance((await tell(keep("two" * 100_000), to)).outcome, Accepted)
    assert isinstance((await tell(keep("three"), to)).outcome, Accepted)  # the answer about the large one was cut
    assert github.files == {name: b"three"}
    assert isinstance((await tell(keep(None), to)).outcome, Accepted)
    assert github.files == {}
    assert (await tell(keep(None), to)).outcome == Accepted("there is no such file, so nothing was deleted")
    assert github.commits == [("PUT", "why")] * 3 + [("DELETE", "why")]


async def test_a_commit_in_between_is_seen_and_ours_comes_after_it(receiver: Receiver, github: GitHub) -> None:
    github.race = [("x.txt", b"theirs"), ("x.txt", b"theirs again")]
    assert isinstance((await tell(keep("ours", "x.txt"), repository(receiver))).outcome, Accepted)
    assert github.files == {"x.txt": b"ours"}
    github.race = [("x.txt", b"%d" % number) for number in range(10)]
    assert isinstance((await tell(keep("never", "x.txt"), repository(receiver))).outcome, Retry)


async def test_what_is_not_there_is_told_apart(receiver: Receiver, github: GitHub) -> None:
    to = repository(receiver)
    assert isinstance((await tell(keep(None, branch="gone"), to)).outcome, Refused)
    templated = msgspec.structs.replace(keep(None, branch="gone"), templated_branch=True)
    assert isinstance((await tell(templated, to)).outcome, Rejected)
    github.visible = False
    assert isinstance((await tell(keep(None), to)).outcome, Refused)
    assert isinstance((await tell(keep("one"), to)).outcome, Refused)


async def test_a_folder_in_the_way_is_left_alone(receiver: Receiver) -> None:
    receiver.script = lambda _: said(200, [{"name": "x", "sha": "0" * 40, "type": "file"}])
    assert (await tell(keep("one", "folder"), repository(receiver))).outcome == Rejected("folder is no file")
    assert [arrived.method for arrived in receiver.arrived] == ["GET"]


async def test_an_app_asks_once_for_a_token_and_again_when_it_is_not_taken_any_more(
    receiver: Receiver, github: GitHub
) -> None:
    async with Clients() as clients:
        for content in ("one", "two"):
            assert isinstance((await tell(keep(content), app(receiver), clients)).outcome, Accepted)
        assert github.tokens_given == 1
        github.good = set()
        refused = await tell(keep("three"), app(receiver), clients)
        assert isinstance(refused.outcome, Refused)
        assert "ghs_1" not in refused.excerpt
        assert isinstance((await tell(keep("three"), app(receiver), clients)).outcome, Accepted)
        assert github.tokens_given == 2


async def test_a_key_that_is_none_refuses_everybody_without_showing_it(receiver: Receiver) -> None:
    pem = "-----BEGIN RSA PRIVATE KEY-----\ncanary\n-----END RSA PRIVATE KEY-----"
    answer = await tell(keep("one"), app(receiver, pem))
    assert answer.outcome == Refused("the App's `private_key` cannot be used: it is no RSA key as PEM")


async def test_a_workflow_is_started_with_its_inputs(receiver: Receiver) -> None:
    receiver.script = lambda _: Reply(status=204, body=b"")
    to = msgspec.structs.replace(
        repository(receiver), defaults={"workflow": {"inputs": {"key": Text.secret("canary"), "version": "1"}}}
    )
    message = GithubWorkflow(file="deploy.yml", ref="main", inputs={"version": "4"})
    assert isinstance((await tell(message, to)).outcome, Accepted)
    (arrived,) = receiver.arrived
    assert arrived.path == "/repos/acme/prompts/actions/workflows/deploy.yml/dispatches"
    assert arrived.json == {"ref": "main", "inputs": {"version": "4", "key": "canary"}}


@pytest.mark.parametrize("headers", [{"retry-after": "7"}, {"x-ratelimit-remaining": "0"}, {}])
async def test_a_rate_limit_waits(receiver: Receiver, headers: dict[str, str]) -> None:
    body = b"" if headers else b'{"message": "You have exceeded a secondary rate limit."}'
    receiver.script = lambda _: Reply(status=403, headers=headers, body=body)
    answer = await tell(GithubDispatch(event_type="x", client_payload={}), repository(receiver))
    assert isinstance(answer.outcome, Retry)
    assert answer.outcome.after == timedelta(seconds=7 if "retry-after" in headers else 60)


TREES = st.recursive(
    st.none() | st.integers(-9, 9) | st.text(max_size=20) | st.integers(0, 90_000).map('é"\n<'.__mul__),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=9), TREES, max_size=14), st.integers(0, 3), st.integers(0, 9_000))
def test_a_payload_fits_and_says_what_was_cut(payload: JsonObject, keys: int, size: int) -> None:
    fitted = fitted_payload(payload, keys=keys, size=size)
    assert len(fitted) <= MOST_KEYS - keys
    assert len(msgspec.json.encode(fitted)) + size <= LONGEST_PAYLOAD
    assert (fitted == payload) is (TRIMMED not in fitted or TRIMMED in payload)


def test_the_largest_text_is_cut_first_and_the_note_names_it() -> None:
    payload: JsonObject = {"name": "checkout", "prompt": {"text": "x" * 90_000, "note": "y" * 1_000}}
    fitted = fitted_payload(payload)
    assert fitted["name"] == "checkout"
    assert fitted[TRIMMED] == {"texts": {"prompt.text": 90_000}}
    assert "y" * 1_000 in str(fitted)
    many: JsonObject = {f"k{number}": number for number in range(12)}
    assert fitted_payload(many)[TRIMMED] == {"keys": ["k9", "k10", "k11"]}
    with pytest.raises(TooLarge):
        fitted_payload({"numbers": list(range(30_000))})
    assert len(msgspec.json.encode(fitted_inputs({"text": "x" * 100_000}))) <= 65_535


@pytest.mark.parametrize(
    ("path", "literal", "refused"),
    [
        ("prompts/checkout/cart.txt", "prompts/", False),
        ("prompts//cart.txt", "prompts/", True),
        ("prompts/../x", "prompts/", True),
        ("prompts/./x", "prompts/", True),
        ("prompts/..\\x", "prompts/", True),
        ("prompts/a\nb", "prompts/", True),
        (".git/config", "", True),
        (".GIT /config", "", True),
        (".github/workflows/x.yml", "", True),
        ("x/.github./y", "x/", True),
        (".github/prompts/x.md", ".github/prompts/", False),
        (".github/prompts/.github/x.md", ".github/prompts/", True),
        ("", "", True),
    ],
)
def test_a_path_stays_where_it_belongs(path: str, literal: str, refused: bool) -> None:
    assert (path_fault(path, literal) is not None) is refused
