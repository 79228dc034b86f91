"""JSON as TOML: whatever is written is read back the same."""

import msgspec
import tomli
from hypothesis import given
from hypothesis import strategies as st

from router.domain.json import Json
from router.engine import toml
from router.engine.ruletest import Expectation, Sent, failures

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
json_values: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(texts, json_values, max_size=4))
def test_what_toml_can_say_of_a_body_is_a_part_of_it(body: dict[str, Json]) -> None:
    part = toml.without_nulls(body)
    assert tomli.loads(f"x = {toml.value(part)}")["x"] == part
    sent = Sent(rule="r", to="t", mode="live", request={"body": body})
    assert list(failures([Expectation(rule="r", to="t", json=part)], [sent])) == []


@given(st.dictionaries(texts | st.just("'''\x7f"), json_values, max_size=4))
def test_json_in_a_toml_text_is_the_same_json(body: dict[str, Json]) -> None:
    raw = msgspec.json.encode(body)
    written = tomli.loads(f"x = {toml.text(raw)}")["x"]
    assert msgspec.json.decode(written) == msgspec.json.decode(raw)
