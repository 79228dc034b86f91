"""`python -m tests.fuzz SECONDS [TARGET…]`: let Atheris make up inputs for each target, and tell how many there were.

What it finds interesting is kept in `.fuzz/TARGET`, and is where the next run begins. What makes a target fail is in
`.fuzz/crash-…`, after its traceback; the exit status is 1.
"""

import re
import subprocess
import sys
from pathlib import Path

import atheris

KEPT = Path(".fuzz")
LONGEST_INPUT = 4096
LONGEST_RUN = 20
"""Seconds for one input, after which it counts as a failure. Templates and patterns may take one."""


def main(seconds: int, targets: list[str]) -> int:
    failed = False
    print("| target | inputs | kept | result |\n| --- | ---: | ---: | --- |", flush=True)
    for name in targets:
        corpus = KEPT / name
        command = [sys.executable, "-m", "tests.fuzz", "--one", name, str(corpus)]
        limits = [f"-max_total_time={seconds}", f"-max_len={LONGEST_INPUT}", f"-timeout={LONGEST_RUN}"]
        options = ["-rss_limit_mb=4096", "-print_final_stats=1", f"-artifact_prefix={KEPT}/"]
        ran = subprocess.run(
            [*command, *limits, *options], capture_output=True, text=True, errors="replace", check=False
        )
        counted = re.findall(r"stat::number_of_executed_units:\s+(\d+)", ran.stderr)
        survived = ran.returncode == 0
        inputs = f"{int(counted[0]):,}" if counted else "?"
        print(
            f"| {name} | {inputs} | {len(list(corpus.iterdir()))} | {'survived' if survived else 'FAILED'} |",
            flush=True,
        )
        if not survived:
            failed = True
            said = [line for line in ran.stderr.splitlines() if not line.startswith(("#", "INFO: "))]
            print(ran.stdout, *said, sep="\n", flush=True)
    return int(failed)


def one(name: str, arguments: list[str]) -> None:
    """Fuzz one target in this process, which Atheris ends."""
    with atheris.instrument_imports(include=["router", "jsonpath_ng", "wcmatch", "jinja2"]):
        from tests.fuzz.targets import SEEDS, TARGETS, name_of
    corpus = Path(arguments[0])
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in SEEDS[name]:
        (corpus / name_of(seed)).write_bytes(seed)
    atheris.Setup([sys.argv[0], *arguments], TARGETS[name]())
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        one(sys.argv[2], sys.argv[3:])
    else:
        from tests.fuzz.targets import TARGETS

        sys.exit(main(int(sys.argv[1]), sys.argv[2:] or list(TARGETS)))
