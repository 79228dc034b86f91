"""Lines reach stderr, however the loop that logged them ends."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, threading, structlog
from router.service.logging import configure

configure("json")
log = structlog.get_logger("router.test")


async def main():
    for number in range(3):
        log.info("said", number=number)
    await asyncio.sleep(0)
    log.info("said", number=3)
    other = threading.Thread(target=lambda: log.info("said by another thread"))
    other.start()
    other.join()
    log.info("said", number=4)
    END


try:
    asyncio.run(main())
finally:
    log.info("said", number=5)
"""


@pytest.mark.parametrize(
    "end", ["return", "raise SystemExit(1)", "raise RuntimeError", "asyncio.get_running_loop().stop()"]
)
def test_every_line_is_written(end: str) -> None:
    ran = subprocess.run(
        (sys.executable, "-c", PROGRAM.replace("END", end)), capture_output=True, check=False, timeout=60
    )
    lines = [json.loads(line) for line in ran.stderr.splitlines() if line.startswith(b"{")]
    assert [line["number"] for line in lines if line["event"] == "said"] == [0, 1, 2, 3, 4, 5]
    assert sum(line["event"] == "said by another thread" for line in lines) == 1
