"""What pip-audit says becomes an exit status: findings fail, and silence is told from safety."""

import json

import pytest

from tests.packaging.audit import judge

FINE = {"name": "jinja2", "version": "3.1.6", "vulns": []}
BAD = {
    "name": "flask",
    "version": "0.5",
    "vulns": [{"id": "PYSEC-2019-179", "fix_versions": ["1.0"], "aliases": [], "description": "…"}],
}
OURS = {"name": "langfuse-router", "skip_reason": "Dependency not found on PyPI"}
UNKNOWN = {"name": "arrow", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("packages", "status", "says"),
    [
        ([FINE, OURS], 0, "1 packages asked about, 0 advisories"),
        ([FINE, BAD, OURS], 1, "flask 0.5: PYSEC-2019-179, fixed in 1.0"),
        ([FINE, UNKNOWN], 1, "arrow: Dependency not found"),
        ([UNKNOWN, OURS], 0, "left out: no advisories here"),
    ],
)
def test_only_where_nobody_can_be_asked_nothing_fails(
    packages: list[object], status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judge(json.dumps({"dependencies": packages, "fixes": []}), "") == status
    assert says in capsys.readouterr().out


def test_no_network_is_nobody_to_ask(capsys: pytest.CaptureFixture[str]) -> None:
    assert judge("", "Traceback …\nrequests.exceptions.ConnectionError: no route") == 0
    assert "left out: no advisories here (requests.exceptions.ConnectionError: no route)" in capsys.readouterr().out
