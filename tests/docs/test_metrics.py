"""The page, the dashboard and the alerts speak of the metrics that there are, and Prometheus understands them."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
import pytest
from msgspec import Meta, Struct
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


class Source(Struct, forbid_unknown_fields=True):
    type: Literal["prometheus"]
    uid: Literal["${datasource}"]


class Place(Struct, forbid_unknown_fields=True):
    x: Annotated[int, Meta(ge=0, lt=24)]
    y: Annotated[int, Meta(ge=0)]
    w: Annotated[int, Meta(gt=0, le=24)]
    h: Annotated[int, Meta(gt=0)]

    def cells(self) -> set[tuple[int, int]]:
        return {(x, y) for x in range(self.x, self.x + self.w) for y in range(self.y, self.y + self.h)}


class Step(Struct, forbid_unknown_fields=True):
    color: str
    value: float | None


class Thresholds(Struct, forbid_unknown_fields=True):
    mode: Literal["absolute", "percentage"]
    steps: list[Step]


class Defaults(Struct, forbid_unknown_fields=True):
    unit: Literal["none", "s", "reqps"]  # of packages/grafana-data/src/valueFormats/categories.ts
    custom: dict[str, Any] = {}
    min: float | None = None
    decimals: int | None = None
    thresholds: Thresholds | None = None


class FieldConfig(Struct, forbid_unknown_fields=True):
    defaults: Defaults
    overrides: list[dict[str, Any]]


class Query(Struct, forbid_unknown_fields=True, rename="camel"):
    ref_id: str
    expr: str
    datasource: Source
    legend_format: str


class Row(Struct, forbid_unknown_fields=True, rename="camel", tag="row", tag_field="type"):
    id: int
    title: str
    grid_pos: Place
    collapsed: Literal[False]
    panels: Annotated[list[Any], Meta(max_length=0)]


class Shown(Struct, forbid_unknown_fields=True, rename="camel"):
    id: int
    title: str
    description: str
    grid_pos: Place
    datasource: Source
    field_config: FieldConfig
    targets: Annotated[list[Query], Meta(min_length=1)]
    options: dict[str, Any]


class Stat(Shown, tag="stat", tag_field="type"):
    pass


class Timeseries(Shown, tag="timeseries", tag_field="type"):
    pass


class Variable(Struct, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    name: str
    type: Literal["datasource", "query"]
    query: str
    datasource: Source | None = None
    label: str | None = None
    refresh: Literal[0, 1, 2] | None = None
    multi: bool = False
    include_all: bool = False
    all_value: str | None = None
    current: dict[str, Any] | None = None


class Templating(Struct, forbid_unknown_fields=True):
    list: list[Variable]


class Dashboard(Struct, forbid_unknown_fields=True, rename="camel"):
    """What we use of what Grafana publishes: https://github.com/grafana/grafana kinds/dashboard/dashboard_kind.cue."""

    title: str
    uid: Annotated[str, Meta(min_length=8, max_length=40)]
    tags: list[str]
    schema_version: Annotated[int, Meta(ge=36)]
    editable: bool
    graph_tooltip: Literal[0, 1, 2]
    refresh: str
    time: dict[Literal["from", "to"], str]
    timezone: Literal["browser", "utc"]
    templating: Templating
    panels: list[Row | Stat | Timeseries]


def test_the_dashboard_has_the_shape_that_grafana_publishes() -> None:
    dashboard = msgspec.convert(DASHBOARD, Dashboard)
    assert len({panel.id for panel in dashboard.panels}) == len(dashboard.panels)
    variables = {variable.name: variable for variable in dashboard.templating.list}
    assert (variables["datasource"].type, variables["datasource"].query) == ("datasource", "prometheus")
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD["panels"]))) <= {*variables, "__rate_interval"}
    for name, variable in variables.items():
        if variable.type == "query":
            metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable.query).groups()  # type: ignore[union-attr]
            assert metric in series(), name
            assert label == "instance" or label in labels_of(metric), name


def test_no_panel_of_the_dashboard_lies_on_another_or_says_the_unit_of_something_else() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in msgspec.convert(DASHBOARD, Dashboard).panels:
        cells = panel.grid_pos.cells()
        assert panel.grid_pos.x + panel.grid_pos.w <= 24, panel.title
        assert not cells & taken, panel.title
        taken |= cells
        if isinstance(panel, Row):
            continue
        assert [query.ref_id for query in panel.targets] == list("ABC"[: len(panel.targets)])
        seconds = all("_seconds" in query.expr for query in panel.targets)
        rates = all("rate(" in query.expr and "quantile" not in query.expr for query in panel.targets)
        unit = "s" if seconds else "reqps" if rates else "none"
        assert panel.field_config.defaults.unit == unit, panel.title
        thresholds = panel.field_config.defaults.thresholds
        if thresholds is not None:
            values = [step.value for step in thresholds.steps]
            assert values[0] is None, "the first step is minus infinity"
            assert values[1:] == sorted(value for value in values if value is not None)
        for query in panel.targets:
            named = set(re.findall(r"{{(\w+)}}", query.legend_format))
            kept = re.findall(r"by \(([^)]*)\)", query.expr)
            assert named <= ({*kept[0].split(", ")} - {"le"} if kept else {"instance"}), panel.title


def labels_of(name: str) -> tuple[str, ...]:
    return next(
        tuple(one._labelnames)
        for one in vars(Metrics()).values()
        if hasattr(one, "_labelnames") and name.startswith(one._name)
    )


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
