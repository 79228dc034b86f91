"""The page, the dashboard and the alerts speak of the metrics that there are, and Prometheus understands them."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client import Metric

from router.service.metrics import Metrics

DOCS: Final = Path(__file__).parents[2] / "docs"
PAGE: Final = (DOCS / "reference/metrics.md").read_text()
ALERTS: Final = (DOCS / "prometheus/alerts.yml").read_text()
DASHBOARD: Final = json.loads((DOCS / "grafana/langfuse-router.json").read_text())
FAMILIES: Final[list[Metric]] = list(Metrics().registry.collect())
PROMTOOL: Final = shutil.which("promtool")

needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="no promtool (Debian package prometheus)")


def exposed(family: Metric) -> str:
    return family.name + "_total" * (family.type == "counter")


def series() -> set[str]:
    """Return the name of every series that the router can expose."""
    ends = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_count", "_sum"]}
    return {family.name + end for family in FAMILIES for end in ends[family.type]}


def expressions() -> Iterator[str]:
    """Yield every PromQL expression of the dashboard, its variables filled in."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            text = str(target["expr"])
            for name, value in (("$__rate_interval", "5m"), ("$instance", ".*"), ("$destination", ".*")):
                text = text.replace(name, value)
            yield text


def promtool(*arguments: str, stdin: str = "") -> None:
    assert PROMTOOL is not None
    ran = subprocess.run([PROMTOOL, *arguments], input=stdin, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert not ran.stderr.strip(), ran.stderr


def test_the_page_has_every_metric_with_its_type_and_labels_as_the_code_says_them() -> None:
    table = re.findall(r"^\| `(langfuse_router_\w+)` \| (\w+) \| (.*?) ?\| (.*) \|$", PAGE, re.MULTILINE)
    labels = {one._name: ", ".join(one._labelnames) for one in vars(Metrics()).values() if hasattr(one, "_labelnames")}
    assert table == [
        (exposed(family), family.type, labels[family.name], family.documentation) for family in FAMILIES
    ], "docs/reference/metrics.md"


@pytest.mark.parametrize("text", [ALERTS, json.dumps(DASHBOARD)], ids=["alerts", "dashboard"])
def test_every_metric_that_is_named_exists(text: str) -> None:
    named = set(re.findall(r"langfuse_router_\w+", text))
    assert named
    assert named - series() == set()


def test_the_dashboard_shows_every_metric_but_sums() -> None:
    shown = set(re.findall(r"langfuse_router_\w+", json.dumps(DASHBOARD)))
    assert {name for name in series() if not name.endswith(("_sum", "_count"))} - shown == set()


def test_the_dashboard_is_put_together_as_grafana_wants_it() -> None:
    panels: list[dict[str, Any]] = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    names = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(panels))) <= {*names, "__rate_interval"}
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["type"] == "row" or panel["targets"]


@needs_promtool
def test_prometheus_takes_the_alerts_and_they_fire_as_their_tests_say() -> None:
    promtool("check", "rules", str(DOCS / "prometheus/alerts.yml"))
    promtool("test", "rules", str(DOCS / "prometheus/alerts.test.yml"))


@needs_promtool
def test_prometheus_understands_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions())]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", str(tmp_path / "rules.yml"))


@needs_promtool
def test_prometheus_finds_nothing_to_say_about_the_metrics() -> None:
    promtool("check", "metrics", stdin=Metrics().exposition().decode())
