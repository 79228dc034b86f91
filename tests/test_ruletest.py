"""What a rule test expects, held against what would be sent; and what tests leave unseen."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from router.domain.json import Json
from router.domain.routing import ClauseAnswer, ClauseVerdict, RuleVerdict
from router.engine.coverage import coverage
from router.engine.ruletest import Expectation, Sent, failures

json_values: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


def sent(rule: str = "r", to: str = "team", body: Json = None, **more: str) -> Sent:
    return Sent(rule=rule, to=to, mode="live", request={"body": body}, **more)


def expect(rule: str = "r", to: str | None = "team", **more: object) -> Expectation:
    return Expectation(rule=rule, to=to, **more)  # type: ignore[arg-type]


def differences(expected: list[Expectation], found: list[Sent]) -> list[str]:
    return list(failures(expected, found))


def test_the_list_is_exact() -> None:
    assert differences([], []) == []
    assert differences([expect()], [sent()]) == []
    assert differences([], [sent()]) == ["not expected: r → team"]
    assert differences([expect(), expect()], [sent()]) == ["missing: r → team; there is r → team"]
    assert differences([expect()], [sent(), sent()]) == ["not expected: r → team"]


def test_without_to_it_stands_for_all_messages_of_the_rule() -> None:
    assert differences([expect(to=None)], [sent(to="a"), sent(to="b")]) == []
    assert differences([expect(to=None)], [sent(rule="other")]) == ["missing: r", "not expected: other → team"]


def test_shadow_messages_count_only_where_they_are_named() -> None:
    shadow = Sent(rule="r", to="team", mode="shadow", request=None)
    assert differences([], [shadow]) == []
    assert differences([expect(mode="shadow")], [shadow]) == []
    assert differences([expect()], [shadow])[0].startswith("missing: r → team")


def test_a_message_that_cannot_be_made_fails_the_test() -> None:
    assert differences([expect()], [sent(fault="cannot be rendered: no")]) == ["r → team: cannot be rendered: no"]


def test_of_several_messages_to_one_destination_the_fitting_one_is_taken() -> None:
    found = [sent(body={"n": 1}), sent(body={"n": 2})]
    assert differences([expect(json={"n": 2}), expect(json={"n": 1})], found) == []


def test_contains_looks_at_every_text_and_number_of_the_request() -> None:
    found = [sent(body={"blocks": [{"text": "moved v3 → v4"}], "version": 4})]
    assert differences([expect(contains=["v3 → v4", "4"])], found) == []
    (failure,) = differences([expect(contains=["v9"])], found)
    assert 'does not contain "v9"' in failure


def test_a_difference_shows_only_what_was_spoken_of() -> None:
    (failure,) = differences([expect(json={"a": {"b": 1}})], [sent(body={"a": {"b": 2, "c": 3}, "d": 4})])
    assert '-    "b": 1' in failure
    assert '+    "b": 2' in failure
    assert '"c"' not in failure
    assert '"d"' not in failure


@given(json_values)
def test_a_body_equals_itself_and_is_a_part_of_itself(body: Json) -> None:
    assert differences([expect(equals=body), expect(json=body)], [sent(body=body), sent(body=body)]) == []


@given(st.dictionaries(st.text(max_size=2), json_values, min_size=1, max_size=4), st.data())
def test_a_table_without_some_keys_is_a_part_but_not_equal(body: dict[str, Json], data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(sorted(body)))
    part = {key: value for key, value in body.items() if key != gone}
    assert differences([expect(json=part)], [sent(body=body)]) == []
    assert differences([expect(equals=part)], [sent(body=body)]) != []


def test_true_is_no_number() -> None:
    assert differences([expect(json={"n": True})], [sent(body={"n": 1})]) != []
    assert differences([expect(json={"n": 1})], [sent(body={"n": True})]) != []
    assert Expectation(rule="r").json is UNSET


# ---- coverage


def said(rule: str, **clauses: ClauseAnswer) -> RuleVerdict:
    found = tuple(ClauseVerdict(clause=name, wanted=1, got=1, verdict=answer) for name, answer in clauses.items())
    verdict = "no" if "no" in clauses.values() else "error" if "error" in clauses.values() else "match"
    return RuleVerdict(rule=rule, verdict=verdict, clauses=found)  # type: ignore[arg-type]


def test_both_answers_of_each_rule_and_clause_count() -> None:
    rules = {"a": ["prompt", "action"], "b": ["tags"]}
    found = coverage(rules, [[said("a", prompt="yes", action="yes"), said("b", tags="error", quiet="no")]])
    assert list(found.gaps()) == [
        "a: never stays silent",
        "a: prompt: never false",
        "a: action: never false",
        "b: never fires",
        "b: tags: never true",
        "b: tags: never false",
    ]
    assert found.percent == 40.0
    whole = coverage({"a": ["prompt"]}, [[said("a", prompt="yes")], [said("a", prompt="no")]])
    assert (whole.percent, list(whole.gaps())) == (100.0, [])
