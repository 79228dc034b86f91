"""Which rule comes first when nothing, or not everything, matched."""

from typing import Any

from router.domain.routing import RuleVerdict
from router.engine.explain import nearest_first, worth_keeping
from tests.match.cases import MOVED, judged


def said(name: str, match: dict[str, Any], *, enabled: bool = True) -> RuleVerdict:
    judgement = judged(MOVED, match)
    answer = "match" if judgement.answer == "yes" else judgement.answer
    return RuleVerdict(rule=name, verdict=answer if enabled else "disabled", clauses=judgement.clauses)


def order(**matches: dict[str, Any]) -> list[str]:
    return [verdict.rule for verdict in nearest_first(said(name, match) for name, match in matches.items())]


def test_matches_come_first_then_errors_then_misses_by_how_little_was_missing() -> None:
    error = {"path": "$.action", "gt": 1}
    assert order(
        far={"author": "bob", "version": 3, "prompt": "search"},
        near={"author": "bob", "version": 4},
        error={"where": [error]},
        match={"version": 4},
    ) == ["match", "error", "near", "far"]


def test_of_equal_misses_the_one_of_which_more_held_is_nearer() -> None:
    assert order(few={"author": "bob"}, many={"author": "bob", "version": 4, "action": "updated"}) == ["many", "few"]


def test_groups_count_by_what_would_have_to_change_in_them() -> None:
    wrong = {"author": "bob", "version": 3, "prompt": "search"}
    assert order(
        three={"all": [wrong]},
        two={"any": [wrong, {"author": "bob", "version": 3}], "version": 4},
        one={"none": [{"version": 4}, {"version": 5}], "action": "updated", "prompt": "checkout/**"},
        none={"any": [wrong, {"version": 4}]},
    ) == ["none", "one", "two", "three"]


def test_twenty_misses_are_kept_with_everything_that_matched_or_erred() -> None:
    verdicts = [said(f"miss {n}", {"author": "bob"}) for n in range(30)]
    verdicts += [said(f"match {n}", {"version": 4}) for n in range(30)]
    kept = worth_keeping(verdicts)
    assert [verdict.verdict for verdict in kept] == ["match"] * 30 + ["no"] * 20
