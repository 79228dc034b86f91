"""What SQLite's query planner is told of the tables, so that it finds few rows among many from the first day on.

Without statistics it takes the index for lists by status to find the events of one prompt, and goes through all that
waits; measured ones would change plans while the store grows. So it is told how the tables look when there is much in
them. See https://www.sqlite.org/lang_analyze.html, "Fixed results of ANALYZE".
"""

from typing import Final

from sqlalchemy import Connection, text

_MANY: Final = 1_000_000

STATISTICS: Final = {
    "events": {
        "events_waiting": "1000 500 500 3 1",
        "events_waiting_single": "100 1",
        "events_quarantined": "100 1",
        "events_source_seq": f"{_MANY} 300000 1",
        "events_prompt_seq": f"{_MANY} 1000 1",
        "events_status_seq": f"{_MANY} 200000 1",
        "events_received_at_source": f"{_MANY} 2 1",
    },
    "deliveries": {
        "deliveries_waiting": "1000 200 200 1",
        "deliveries_sending": "50 1",
        "deliveries_ordered": f"{_MANY} 50000 100 25 1",
        "deliveries_open": "2000 200 100 1",
        "deliveries_destination_seq": f"{_MANY} 50000 1",
        "deliveries_rule_seq": f"{_MANY} 50000 1",
        "deliveries_prompt_seq": f"{_MANY} 1000 1",
        "deliveries_status_seq": f"{_MANY} 200000 1",
        "deliveries_status_ended_at_rule_destination": f"{_MANY} 200000 1 1 1",
    },
    "firing_changes": {
        "firing_changes_held": "1000 100 10",
        "firing_changes_firing": f"{_MANY} 1",
    },
}
"""By table and index: how many rows it has, and how many share the first column, the first two, …"""


def tell_planner(connection: Connection) -> None:
    """Tell SQLite how the tables look; connections that are made from now on plan by it."""
    connection.execute(text("ANALYZE router_schema"))  # makes the table of statistics
    connection.execute(text("DELETE FROM sqlite_stat1"))
    connection.execute(
        text("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (:table, :index, :stat)"),
        [
            {"table": table, "index": index, "stat": stat}
            for table, indexes in STATISTICS.items()
            for index, stat in indexes.items()
        ],
    )
    connection.execute(text("ANALYZE sqlite_master"))  # reads them
