"""Redacted bodies: the same thing has the same new name everywhere, and nothing of what people wrote is left."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from router.domain.event import PROMPT_VERSION
from router.domain.json import Json, JsonObject
from router.engine.difference import differ
from router.engine.redact import FOLDER, NAME, Redaction, optional

words = st.text("ABCXYZ", min_size=8, max_size=9)
SECRETS = ("prompt", "commitMessage", "createdBy", "somethingNew")


def body(**prompt: Json) -> JsonObject:
    user: JsonObject = {"name": "Ann", "email": "ann@example.com"}
    return {"id": "e", "type": PROMPT_VERSION, "action": "created", "user": user, "prompt": prompt}


def prompt_of(one: JsonObject) -> JsonObject:
    prompt = one["prompt"]
    assert isinstance(prompt, dict)
    return prompt


@given(st.fixed_dictionaries(dict.fromkeys(SECRETS, words)), words, words)
def test_nothing_of_texts_and_people_is_left(written: dict[str, str], role: str, content: str) -> None:
    chat: Json = [{"role": role, "content": [{"text": content}]}, {"type": "placeholder", "name": content}]
    for said in (body(**written), body(**(written | {"prompt": chat}))):
        shown = msgspec.json.encode(Redaction(frozenset()).body(said)).decode()
        assert not any(word in shown for word in (*written.values(), "Ann", "ann@") if word != written["prompt"])
        assert content not in shown
        assert (role in shown) is False


def test_two_versions_differ_by_as_many_lines_and_the_same_variables() -> None:
    renamed = Redaction(frozenset())
    old, new = (
        prompt_of(renamed.body(body(prompt=text)))["prompt"]
        for text in ("Hello {{name}}\nBe brief.", "Hello {{name}}\nBe polite to {{name}} and {{tier}}.")
    )
    assert (old, new) == (
        "text-1 {{variable_1}}\ntext-2",
        "text-1 {{variable_1}}\ntext-3 {{variable_1}} {{variable_2}}",
    )
    found = differ(str(old), str(new))
    assert (found.added, found.removed) == (1, 1)


def test_what_rules_may_need_is_hidden_only_if_asked() -> None:
    said = body(name="checkout/cart", config={"model": "m", "temperature": 0.2}, labels=["production"])
    assert optional([said]) == ["the project's id", NAME, FOLDER, "config.model", "config.temperature"]
    assert prompt_of(Redaction(frozenset()).body(said)) == prompt_of(said)
    hidden = prompt_of(Redaction(frozenset({NAME, "config.model"})).body(said))
    assert (hidden["name"], hidden["config"]) == ("checkout/prompt-1", {"model": "text-1", "temperature": 0.2})
