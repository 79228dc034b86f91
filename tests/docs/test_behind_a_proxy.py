"""The proxies of the how-to, as they stand there: real ones, in front of the real command."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx
import msgspec
import pytest

from router.langfuse.signature import sign
from tests.acceptance.running import SECRET, RunningRouter, eventually, free_port
from tests.acceptance.test_intake import body
from tests.docs.test_how_to import files_of

FILES: Final = files_of("behind-a-proxy")
DOCKER: Final = Path(__file__).parents[2] / "deploy/docker"

needs_nginx = pytest.mark.skipif(shutil.which("nginx") is None, reason="no nginx (Debian package)")
needs_caddy = pytest.mark.skipif(shutil.which("caddy") is None, reason="no caddy (Debian package)")


@contextmanager
def running(*command: str, port: int, folder: Path) -> Iterator[str]:
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env={**os.environ, "HOME": str(folder)}, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"

    def up() -> bool:
        assert process.poll() is None, (folder / "proxy.log").read_text()
        try:
            return httpx.get(f"{url}/elsewhere").status_code == 404
        except httpx.TransportError:
            return False

    try:
        eventually(up, "the proxy is up")
        yield url
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRouter]:
    rules = FILES["rules.toml"].replace("8788", str(free_port())).replace('public_url = "https', '# "')
    with RunningRouter(tmp_path_factory.mktemp("router"), rules, env={"ROUTER_ADMIN_TOKEN": "let me in"}) as one:
        yield one


def public_port(router: RunningRouter) -> str:
    found = re.search(r"POST http://127\.0\.0\.1:(\d+)/webhooks/prod", router.log.read_text())
    assert found
    return found[1]


def webhooks_and_nothing_else(proxy: str, name: str) -> None:
    """Webhooks get through with their signatures, large ones too; nothing else does."""
    for id, text in ((f"{name}-small", "Grüße {{name}}"), (f"{name}-large", "x" * 15_000_000)):
        raw = msgspec.json.encode(body(id, {"prompt": text}))
        headers = {"x-langfuse-signature": sign(raw, SECRET, datetime.now(UTC))}
        answer = httpx.post(f"{proxy}/webhooks/prod", content=raw, headers=headers, timeout=60)
        assert (answer.status_code, answer.json()) == (202, {"id": id, "status": "accepted"})
    assert httpx.post(f"{proxy}/webhooks/prod", content=b"{}").status_code == 401
    for path in ("/", "/login", "/metrics", "/api/v1/events", "/health/ready"):
        assert httpx.get(f"{proxy}{path}", headers={"authorization": "Bearer let me in"}).status_code == 404


@needs_nginx
def test_nginx_passes_webhooks_on(router: RunningRouter, tmp_path: Path) -> None:
    port = free_port()
    site = re.sub(r"^ *ssl_\w+ .*\n", "", FILES["nginx.conf"], flags=re.MULTILINE)
    site = site.replace("listen 443 ssl", f"listen 127.0.0.1:{port}").replace("8787;\n", f"{public_port(router)};\n", 1)
    temporary = "".join(
        f"{kind}_temp_path {tmp_path};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; user root; pid {tmp_path}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off;\n{temporary}{site}}}"
    )
    with running("nginx", "-p", str(tmp_path), "-c", "nginx.conf", port=port, folder=tmp_path) as proxy:
        webhooks_and_nothing_else(proxy, "nginx")


@needs_caddy
def test_caddy_passes_webhooks_on(router: RunningRouter, tmp_path: Path) -> None:
    port = free_port()
    site = FILES["Caddyfile"].replace("router.example.com {", f"http://127.0.0.1:{port} {{")
    (tmp_path / "Caddyfile").write_text("{\n\tadmin off\n}\n" + site.replace(":8787", f":{public_port(router)}"))
    with running("caddy", "run", "--config", "Caddyfile", port=port, folder=tmp_path) as proxy:
        webhooks_and_nothing_else(proxy, "caddy")


@needs_caddy
def test_caddy_takes_the_file_of_the_containers() -> None:
    ran = subprocess.run(
        ["caddy", "adapt", "--config", str(DOCKER / "Caddyfile")],
        env={**os.environ, "HOST": "router.example.com"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert '"host":["router.example.com"]' in ran.stdout
