"""API and console of the real command: where they are, and that looking at them holds nothing up."""

import os
import pty
import re
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx

from tests.acceptance.running import SECRET, RunningRouter, command, eventually, free_port
from tests.langfuse_server import SECRET_KEY, LangfuseServer

RULES = """
[server]
SERVER

[sources.prod]
secret = "${LANGFUSE_WEBHOOK_SECRET}"

[destinations.journal]
type = "log"

[[rules]]
name = "all"
actions = [{ to = "journal" }]
"""
TOKEN = "the admin token"
BEARER = {"authorization": f"Bearer {TOKEN}"}


def rules(server: str) -> str:
    return RULES.replace("SERVER", server)


def log_in(client: httpx.Client, url: str) -> None:
    csrf = client.get(f"{url}/login").text.partition('name="_csrf_token" value="')[2].partition('"')[0]
    assert client.post(f"{url}/login", data={"token": TOKEN, "_csrf_token": csrf}).status_code == 303


def test_without_a_token_there_is_neither_api_nor_console(tmp_path: Path) -> None:
    with RunningRouter(tmp_path, rules("")) as router:
        for path in ("/", "/login", "/api/v1/events", "/api/openapi.json", "/static/console.css"):
            assert router.client.get(f"{router.url}{path}").status_code == 404
        assert "console      off: there is no admin_token" in router.log.read_text()


def test_with_an_admin_port_they_are_only_there(tmp_path: Path) -> None:
    admin = free_port()
    with RunningRouter(tmp_path, rules(f'admin_token = "{TOKEN}"\nadmin_port = {admin}')) as router:
        found = re.search(r"POST (http://\S+)/webhooks/prod", router.log.read_text())
        assert found
        public = found[1]
        assert router.url.endswith(f":{admin}")
        for path in ("/", "/login", "/api/v1/events", "/metrics"):
            assert router.client.get(f"{public}{path}", headers=BEARER).status_code == 404
        assert router.client.get(f"{router.url}/api/v1/events", headers=BEARER).status_code == 200
        assert router.client.get(f"{router.url}/metrics").status_code == 200
        assert router.client.post(f"{router.url}/webhooks/prod").status_code == 404
        log_in(router.client, router.url)


def test_on_a_terminal_a_token_is_made_up_and_shown(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(rules(""))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "router", "serve", "--port", "0"],
        cwd=tmp_path,
        env={**os.environ, "LANGFUSE_WEBHOOK_SECRET": SECRET},
        stderr=theirs,
    )
    os.close(theirs)
    said: list[bytes] = []

    def listen() -> None:
        try:
            while part := os.read(ours, 4096):
                said.append(part)
        except OSError:
            return  # whoever spoke is gone

    threading.Thread(target=listen, daemon=True).start()
    try:
        found = eventually(
            lambda: re.search(r"console\s+(http://\S+)/ log in with (\S+),", b"".join(said).decode()),
            "it says where the console is, and the token",
        )
        url, token = found.groups()
        events = eventually(
            lambda: answered(f"{url}/api/v1/events", {"authorization": f"Bearer {token}"}), "the API answers"
        )
        assert events.status_code == 200
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def answered(url: str, headers: dict[str, str]) -> httpx.Response | None:
    try:
        return httpx.get(url, headers=headers)
    except httpx.TransportError:
        return None


def test_commands_go_through_the_api_where_there_is_no_control_socket(tmp_path: Path, database: str) -> None:
    admin, env = free_port(), {"TOKEN": TOKEN, "LANGFUSE_SECRET_KEY": SECRET_KEY}
    server = f'admin_port = {admin}\nadmin_token = "${{TOKEN}}"\n[store]\nurl = "{database}"'
    with LangfuseServer(datetime.now(UTC)) as langfuse:
        served = rules(server) + langfuse.api(every="1h")
        with RunningRouter(tmp_path, served, "--migrate", env=env, store=database) as router:
            router.rules.write_text(served.replace('name = "all"', 'name = "everything"'))
            done = command("reload", folder=tmp_path, env=env)
            assert done.stdout.startswith("reloaded rules.toml: 1 rule, digest "), done.stderr
            looked = command("reconcile", "--source", "prod", folder=tmp_path, env=env)
            assert looked.stdout == "prod: 0 prompts, 0 versions read\n  nothing was missed\n", looked.stderr
            assert "no source named x" in refusal("reconcile", "--source", "x", folder=tmp_path, env=env)
            (tmp_path / "before.toml").write_text(served)
            asked = ("reload", "--rules", "before.toml")
            assert "another admin_token" in refusal(*asked, folder=tmp_path, env=env | {"TOKEN": "another"})
            router.rules.write_text(served.replace('"journal" }', '"journl" }'))
            assert "rules.toml:16:14: rules[0].actions[0].to: " in refusal(*asked, folder=tmp_path, env=env)
    assert f"no service listens on 127.0.0.1:{admin}" in refusal(*asked, folder=tmp_path, env=env)
    assert "the admin_token of [server] is missing here" in refusal(*asked, folder=tmp_path, env={})


def refusal(*arguments: str, folder: Path, env: dict[str, str]) -> str:
    done = command(*arguments, folder=folder, env=env)
    assert done.returncode == 1
    return done.stderr


def test_who_watches_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with RunningRouter(tmp_path, rules(f'admin_token = "{TOKEN}"')) as router:
        log_in(router.client, router.url)
        with router.client.stream("GET", f"{router.url}/live") as live:
            lines = live.iter_lines()
            assert next(line for line in lines if line.startswith("event:")) == "event: changed"
            started = time.monotonic()
            assert router.stop() == 0
            assert time.monotonic() - started < 10  # uvicorn would wait for 20 s
            assert list(lines) is not None  # the answer is whole: it ends, it does not break off


def test_whoever_watches_is_told_when_something_happens(tmp_path: Path) -> None:
    with RunningRouter(tmp_path, rules(f'admin_token = "{TOKEN}"')) as router:
        log_in(router.client, router.url)
        with router.client.stream("GET", f"{router.url}/live") as live:
            told = (line for line in live.iter_lines() if line.startswith("event:"))
            next(told)
            started = time.monotonic()
            router.post({"id": "new", "type": "brand-new", "timestamp": "2026-11-24T10:00:00Z"})
            next(told)
            assert time.monotonic() - started < 5  # not only because it is told now and then anyway
