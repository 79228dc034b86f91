"""Asking the running service: by the control socket beside its store, else by its admin API."""

import http.client
from http import HTTPStatus
from typing import Final

import msgspec

from router.cli.options import load_offline, store_url_of
from router.domain.json import Json
from router.domain.problem import RouterError
from router.engine.rulesfile.expand import Placeholder
from router.engine.rulesfile.spec import Server
from router.service.baseline import Progress
from router.service.control import NobodyThere, Question, address_of, ask, socket_beside
from router.service.problems import ProblemDetails

CONNECT_SECONDS: Final = 10.0
"""For a connection to come about; the answer may take however long it takes."""


def ask_service(question: Question, rules_path: str, store_url: str | None, progress: Progress) -> Json:
    """Return what the service answers. Raises NobodyThere, or the RouterError that it tells."""
    path = socket_beside(store_url_of(store_url, rules_path))
    if path is None:
        return _ask_api(load_offline(rules_path).file.server, question)
    try:
        return ask(path, question, progress)
    except NobodyThere as nobody:
        try:
            return _ask_api(load_offline(rules_path).file.server, question)
        except NobodyThere as neither:
            raise NobodyThere(f"{nobody}; {neither}") from neither


def _ask_api(server: Server, question: Question) -> Json:
    """Ask the admin API of `[server]`. Raises NobodyThere, or the RouterError that it tells."""
    token = server.admin_token
    if token is None or isinstance(token, Placeholder):
        why = "[server] has no admin_token" if token is None else "the admin_token of [server] is missing here"
        raise NobodyThere(f"its admin API cannot be asked: {why}")
    host, port = address_of(server)
    connection = http.client.HTTPConnection(host, port, timeout=CONNECT_SECONDS)
    try:
        connection.connect()
    except OSError as error:
        raise NobodyThere(f"no service listens on {host}:{port}: {error.strerror or error}") from error
    try:
        connection.sock.settimeout(None)
        headers = {"Authorization": f"Bearer {token.reveal()}", "Content-Type": "application/json"}
        connection.request("POST", f"/api/v1/{question.command}", _body(question), headers)
        answer = connection.getresponse()
        return _result(answer.status, answer.read())
    except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
        what = f"what answers at {host}:{port} is not langfuse-router, or ended before it answered"
        raise RouterError(what) from error
    finally:
        connection.close()


def _body(question: Question) -> bytes:
    return msgspec.json.encode({"source": question.source}) if question.command == "reconcile" else b""


def _result(status: int, body: bytes) -> Json:
    """Raises DecodeError if that is no answer of our API."""
    if status == HTTPStatus.OK:
        answer: Json = msgspec.json.decode(body)
        return answer
    if status == HTTPStatus.UNAUTHORIZED:
        raise RouterError("the service has another admin_token than [server] here")
    problem = msgspec.json.decode(body, type=ProblemDetails)
    faults = [": ".join(part for part in (one.place, one.path, one.what) if part) for one in problem.errors]
    raise RouterError("\n".join(faults) or problem.detail)
