"""The console's pages of prompts: who holds what, how it came, and how two versions differ."""

from urllib.parse import urlencode

import pytest

from tests.service.conftest import Asked, eventually

NAME = "checkout/a b&c?"
HERE = {"name": NAME, "source": "prod"}


@pytest.fixture
async def moved(asked: Asked) -> Asked:
    """Version 2 took production from version 1."""
    await asked.post("made", id="v1", name=NAME, labels=["production"], prompt="Hello {{name}}", config={"model": "a"})
    await asked.delivery("mails", "captured")
    later = {
        "createdAt": "2026-11-24T10:05:00.000Z",
        "updatedAt": "2026-11-24T10:05:00.000Z",
        "config": {"model": "b"},
        "prompt": "Good day {{friend}}",
    }
    await asked.post("moved", id="v2", version=2, name=NAME, labels=["latest", "production"], **later)

    async def routed() -> bool | None:
        return (await asked.api.get("/events/moved")).json()["event"]["status"] == "routed" or None

    await eventually(routed, "version 2 is routed")
    await asked.log_in()
    return asked


async def test_the_list_says_who_holds_which_label(moved: Asked) -> None:
    page = (await moved.browser.get("/prompts?prompt=a b")).text
    assert "checkout/a b&amp;c?" in page
    assert "production <b>v2</b>" in page
    assert "No prompts that fit" in (await moved.browser.get("/prompts?label=staging")).text


async def test_a_prompt_shows_its_labels_as_a_picture_and_as_a_table(moved: Asked) -> None:
    page = (await moved.browser.get(f"/prompts/one?{urlencode(HERE)}")).text
    assert '<svg role="img" aria-labelledby="picture-title picture-words"' in page
    assert "production: v1, v2 now." in page
    assert page.index("<svg") < page.index("As a table")


@pytest.mark.parametrize(("old", "new", "mark"), [(1, 2, "+"), (2, 1, "-")])
async def test_any_two_versions_are_compared(moved: Asked, old: int, new: int, mark: str) -> None:
    asked_for = {**HERE, "old": old, "new": new}
    page = (await moved.browser.get(f"/prompts/one?{urlencode(asked_for)}")).text
    assert f"{mark}Good day {{{{friend}}}}" in page
    assert f"{mark}  &#34;model&#34;: &#34;b&#34;" in page


async def test_the_same_version_has_no_difference_and_an_unknown_one_is_said(moved: Asked) -> None:
    same = {**HERE, "old": 2, "new": 2}
    assert "v2 and v2 say the same" in (await moved.browser.get(f"/prompts/one?{urlencode(same)}")).text
    unknown = {**HERE, "old": 2, "new": 9}
    assert "has no v9 that the router knows" in (await moved.browser.get(f"/prompts/one?{urlencode(unknown)}")).text
    assert (await moved.browser.get("/prompts/one?name=nobody")).status_code == 404


async def test_events_and_deliveries_lead_to_their_prompt(moved: Asked) -> None:
    seq = (await moved.api.get("/events/moved")).json()["event"]["seq"]
    captured = await moved.delivery("mails", "captured")
    link = "/prompts/one?name=checkout%2Fa+b%26c%3F&amp;source=prod&amp;project="
    for path in (f"/events/{seq}", f"/deliveries/{captured.key}", "/deliveries", "/prompts"):
        assert link in (await moved.browser.get(path)).text, path
