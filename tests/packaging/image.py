"""`python -m tests.packaging.image`: does the Dockerfile lead to something that runs? Without Docker, and its images.

Debian's base system with Debian's Python stands in for `python:…-slim`. The Dockerfile's own words are carried out in
it: what it copies, runs and sets; its command runs as its user, without capabilities, on a file system that is read
only but for /tmp and the volume; its health check is asked; then it is told to stop. Needs root and mmdebstrap.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCKERFILE: Final = (ROOT / "deploy/docker/Dockerfile").read_text()
RULES: Final = """
[sources.prod]
secret = "${LANGFUSE_WEBHOOK_SECRET}"
[destinations.journal]
type = "log"
[[rules]]
name = "everything"
actions = [{ to = "journal" }]
"""
LONGEST: Final = 60


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="image-") as name:
        folder = Path(name)
        base, build, final = folder / "base", folder / "build", folder / "final"
        packages = "python3,python3-venv,ca-certificates"
        run("mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}", "bookworm", str(base))
        (base / "usr/bin/python").symlink_to("python3")
        run("cp", "--archive", str(base), str(build))  # which knows devices
        base.rename(final)
        first, second = DOCKERFILE.split("\nFROM ")[1:]
        lent(build)
        carried_out(first, build, ROOT)
        carried_out(second, final, build)
        size = sum(int(line.split()[0]) for line in run("du", "-sm", str(final)).splitlines())
        print(f"made: {size} MB with Debian's base system", flush=True)
        use(final, folder)


def instructions(stage: str) -> Iterator[tuple[str, str]]:
    """Yield each instruction of a stage with the rest of its line, lines that go on joined."""
    for line in re.sub(r"\\\n", " ", stage).splitlines():
        word, _, rest = line.partition(" ")
        if word.isupper():
            yield word, rest.strip()


def lent(root: Path) -> None:
    """Let pip find there what it finds here: how to reach the index, and whom to trust."""
    for path in ("/etc/resolv.conf", "/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt"):
        if Path(path).exists():
            shutil.copy(path, root / path.lstrip("/"))


def carried_out(stage: str, root: Path, context: Path) -> None:
    """Copy from `context` and run in `root` what the stage says."""
    here = "/"
    environment = {"PATH": "/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin"}
    environment |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    for word, rest in instructions(stage):
        match word:
            case "ARG" | "ENV":
                for pair in shlex.split(rest):
                    name, _, value = pair.partition("=")
                    environment[name] = value.replace("$PATH", environment["PATH"])
            case "WORKDIR":
                here = rest
                (root / here.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "COPY":
                *sources, target = [part for part in rest.split() if not part.startswith("--")]
                for source in sources:
                    origin = context / source.lstrip("/")
                    place = root / str(Path(here, target)).lstrip("/")
                    if origin.is_dir():
                        shutil.copytree(origin, place, symlinks=True)
                    else:
                        place.mkdir(parents=True, exist_ok=True)
                        shutil.copy(origin, place)
            case "RUN":
                run("chroot", str(root), "sh", "-ec", f"cd {here}; {rest}", environment=environment)


def said(word: str) -> str:
    """Return what the last such instruction says."""
    return [rest for one, rest in instructions(DOCKERFILE) if one == word][-1]


def use(root: Path, folder: Path) -> None:
    state, rules = folder / "state", folder / "rules"
    volume, configuration = said("VOLUME"), "/etc/langfuse-router"
    shutil.copytree(root / volume.lstrip("/"), state)
    user, _, group = said("USER").partition(":")
    os.chown(state, int(user), int(group))  # as the Dockerfile left it, which copytree does not keep
    rules.mkdir()
    (rules / "rules.toml").write_text(RULES)
    for place in (volume, configuration, "/proc", "/tmp"):
        (root / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
    mounts = [
        f"mount --bind {root} {root}",
        f"mount -o remount,bind,ro {root}",
        f"mount --bind {state} {root}{volume}",
        f"mount --bind {rules} {root}{configuration}",
        f"mount -o remount,bind,ro {root}{configuration}",
        f"mount -t tmpfs none {root}/tmp",
        f"mount -t proc none {root}/proc",
    ]
    nobody = f"setpriv --reuid {user} --regid {group} --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs"
    variables = dict(pair.split("=") for pair in shlex.split(said("ENV")))
    variables["PATH"] = variables["PATH"].replace("$PATH", "/usr/bin:/bin")
    inside = ["env", "-i", *(f"{name}={value}" for name, value in variables.items())]
    entered = ["chroot", str(root), "sh", "-c", f'cd {said("WORKDIR")} && exec {nobody} "$@"', "sh", *inside]
    command = [*json.loads(said("ENTRYPOINT")), *json.loads(said("CMD"))]
    check = json.loads(said("HEALTHCHECK").partition("CMD ")[2])
    log = folder / "log"
    script = f"{' && '.join(mounts)} && exec {shlex.join([*entered, 'LANGFUSE_WEBHOOK_SECRET=s', *command])}"
    with log.open("wb") as out:
        process = subprocess.Popen(["unshare", "--mount", "sh", "-c", script], stdout=out, stderr=out)
    try:
        within = ["nsenter", "--mount", "--target", str(process.pid), *entered]
        healthy(process, [*within, *check], log)
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert re.search(rf"^Uid:\s+{user}\s", status, re.MULTILINE), status
        assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE), status
        for path in ("/x", "/opt/langfuse-router/x", f"{configuration}/x"):
            refused = subprocess.run([*within, "touch", path], capture_output=True, text=True, check=False)
            assert refused.returncode != 0, f"{path} can be written"
        run(*within, "touch", f"{volume}/x", "/tmp/x")
        assert (state / "router.db").exists()
        process.send_signal(getattr(signal, said("STOPSIGNAL")))
        assert process.wait(LONGEST) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
    print(
        f"healthy as {said('USER')}, read only, without capabilities, and stopped when told: {said('CMD')}", flush=True
    )


def healthy(process: "subprocess.Popen[bytes]", check: list[str], log: Path) -> None:
    deadline = time.monotonic() + LONGEST
    while subprocess.run(check, capture_output=True, check=False).returncode:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


def run(*command: str, environment: dict[str, str] | None = None) -> str:
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    if ran.returncode:
        sys.exit(f"{shlex.join(command)}: exit status {ran.returncode}\n{ran.stdout[-3000:]}{ran.stderr[-3000:]}")
    return ran.stdout


if __name__ == "__main__":
    main()
