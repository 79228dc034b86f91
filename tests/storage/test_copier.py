"""What is written beside a SQLite file gets into it while the server goes on writing."""

import time
from pathlib import Path

from router.storage.copier import ROWS
from router.storage.records import EventFilter
from router.storage.store import Store
from tests.storage.make import new_event

BODY = b"x" * 2_000


def test_the_log_is_copied_into_the_file_before_the_writer_would(tmp_path: Path) -> None:
    file = tmp_path / "router.db"
    with Store.open(f"sqlite:///{file}", serve=True) as store:
        for portion in range(ROWS // 100):
            store.receive_all([new_event(f"e-{portion}-{number}", BODY) for number in range(100)]).result()
        deadline = time.monotonic() + 30
        while file.stat().st_size < ROWS * len(BODY):
            assert time.monotonic() < deadline, "nothing is copied"
            time.sleep(0.01)
        store.receive(new_event("afterwards")).result()
    with Store.open(f"sqlite:///{file}") as store:
        assert store.events(EventFilter()).items[0].id == "afterwards"
