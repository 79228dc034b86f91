"""Wheel and sdist are whole: what was built is installed alone, in a new environment, and used as a stranger would.

`make package` runs it. Nothing of the checkout is on the path, and no development package is there.
"""

import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
import zipfile
from pathlib import Path
from typing import Final

import httpx

ROOT: Final = Path(__file__).parents[2]
SECRET: Final = "lf-whsec_" + "ab" * 32
LONGEST: Final = 60
"""Seconds for anything to happen."""

ENVIRONMENT: Final = {
    "PATH": os.environ["PATH"],
    "LANGFUSE_WEBHOOK_SECRET": SECRET,
    "ROUTER_ADMIN_TOKEN": "let me in",
}


def main(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    (sdist,) = dist.glob("*.tar.gz")
    whole(wheel, sdist)
    with tempfile.TemporaryDirectory(prefix="langfuse-router-bare-") as name:
        folder = Path(name)
        python = folder / "venv/bin/python"
        venv.create(folder / "venv", with_pip=True)
        run(folder, str(python), "-m", "pip", "install", "--quiet", str(wheel))
        installed = run(folder, str(python), "-m", "pip", "list", "--format", "freeze")
        assert not re.search(r"^(pytest|hypothesis|mypy|ruff)==", installed, re.MULTILINE), installed
        said(f"installed, {len(installed.splitlines())} packages")
        use(folder / "venv/bin/langfuse-router", folder)


def whole(wheel: Path, sdist: Path) -> None:
    """Every file of the package that git knows is in both, the wheel besides having what the demo needs."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    with zipfile.ZipFile(wheel) as opened:
        inside = set(opened.namelist())
    needed = {file for file in listed if file.startswith("router/")}
    needed |= {"router/rules.example.toml", "router/templates/teams-card.json"}
    assert needed <= inside, f"not in the wheel: {sorted(needed - inside)}"
    strangers = {name for name in inside if not name.startswith(("router/", "langfuse_router-"))}
    assert not strangers, f"does not belong into the wheel: {sorted(strangers)}"
    with tarfile.open(sdist) as tar:
        packed = {name.partition("/")[2] for name in tar.getnames()}
    assert set(listed) <= packed, f"not in the sdist: {sorted(set(listed) - packed)}"
    said(f"{wheel.name}: {len(inside)} files, {wheel.stat().st_size / 1e6:.1f} MB; {sdist.name}: {len(packed)}")


def use(router: Path, folder: Path) -> None:
    here = folder / "here"
    here.mkdir()

    def told(*arguments: str, stdin: str | None = None) -> str:
        return run(here, str(router), *arguments, stdin=stdin)

    said(told("--version").strip())
    demo = told("demo")
    assert "messages made and kept, none sent" in demo
    told("init")
    assert "ok: rules.toml" in told("check")
    assert "$schema" in json.loads(told("schema"))
    assert "match" in told("dry-run", "-", stdin=told("sample", "promoted"))
    assert "schema" in told("db", "upgrade", "--store", "sqlite:///router.db")
    said("demo, init, check, schema, sample, dry-run and db upgrade")
    rules = (here / "rules.toml").read_text()
    (here / "rules.toml").write_text(rules.replace("[server]", '[server]\nadmin_token = "${ROUTER_ADMIN_TOKEN}"'))
    log = here / "serve.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(router), "serve", "--port", "0", "--store", "sqlite:///router.db"],
            cwd=here,
            env=ENVIRONMENT,
            stdout=out,
            stderr=out,
        )
    try:
        base = ready(process, log)
        answered = told(
            "simulate", "folder-copy", "--prompts", "2", "--url", f"{base}/webhooks/prod", "--secret", SECRET
        )
        assert "202 accepted" in answered, answered
        look(base)
        process.terminate()
        assert process.wait(LONGEST) == 0
    finally:
        process.kill()
        process.wait()


def look(base: str) -> None:
    """Log in to the console and look at every page and file that it shows."""
    with httpx.Client(base_url=base, headers={"accept": "text/html"}) as browser:
        csrf = browser.get("/login").text.partition('name="_csrf_token" value="')[2].partition('"')[0]
        assert browser.post("/login", data={"token": "let me in", "_csrf_token": csrf}).status_code == 303
        pages = {"/"} | set(re.findall(r'<a href="(/[^"]*)"', browser.get("/").text))
        files: set[str] = set()
        for page in pages:
            answer = browser.get(page)
            assert answer.status_code == 200, f"{page}: {answer.status_code}"
            files |= set(re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.text))
        assert files
        for file in files:
            assert browser.get(file).status_code == 200, file
    said(f"served: {len(pages)} pages of the console, {len(files)} files that they need")


def ready(process: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        found = re.search(r"health\s+(http://\S+)/health/ready", log.read_text())
        if found:
            try:
                if httpx.get(f"{found[1]}/health/ready").status_code == 200:
                    return found[1]
            except httpx.TransportError:
                pass
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(f"never ready:\n{log.read_text()}")


def run(folder: Path, *arguments: str, stdin: str | None = None) -> str:
    ran = subprocess.run(
        arguments, cwd=folder, env=ENVIRONMENT, input=stdin, capture_output=True, text=True, timeout=600, check=False
    )
    assert ran.returncode == 0, f"{arguments}: exit status {ran.returncode}\n{ran.stdout}{ran.stderr}"
    return ran.stdout


def said(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
