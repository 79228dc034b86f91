"""The playground in the console: other rules, any body, the real plan; bounded, and without a trace."""

import html
import re

import httpx
import msgspec
import pytest

from router.langfuse.samples import KINDS
from router.service.console import playground
from router.service.console.playground import LARGEST_FORM, LONGEST_BODY, MOST_ACTIONS
from tests.service.conftest import HOOK, Asked

RULES = """\
[[rules]]
name = "tried"
match = { labels_gained = "production" }
actions = [{ to = "team", text = "now v{{ prompt.version }}" }]
"""


def typed(page: str, name: str) -> str:
    """Return what stands in a text area."""
    found = re.search(rf'<textarea[^>]* name="{name}"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert found
    return html.unescape(found[1])


async def attempt(asked: Asked, **form: str) -> httpx.Response:
    given = {"start": "sample-promoted", "before": "start", "rules": RULES, "_csrf_token": await asked.csrf()}
    if "body" not in form:
        given["body"] = typed((await asked.browser.get("/playground")).text, "body")
    return await asked.browser.post("/playground", data=given | form)


async def test_rules_and_body_are_put_through_the_real_plan(asked: Asked) -> None:
    await asked.log_in()
    page = (await attempt(asked)).text
    assert "production moved v3 → v4" in page
    assert re.search(r'match</span> <span class="rule">tried', page)
    assert "now v4" in page
    assert HOOK not in page
    nothing = (await attempt(asked, before="nothing")).text
    assert "counts as gained (assumed)" in nothing


async def test_nothing_is_sent_and_nothing_stored(asked: Asked) -> None:
    await asked.log_in()
    await attempt(asked)
    assert asked.slack.arrived == []
    assert (await asked.api.get("/events")).json()["items"] == []
    assert (await asked.api.get("/prompts")).json()["items"] == []


async def test_a_saved_event_is_tried_with_what_came_before_it(told: Asked) -> None:
    await told.log_in()
    seq = (await told.api.get("/events/promoted")).json()["event"]["seq"]
    assert f"/playground?start=event-{seq}" in (await told.browser.get(f"/events/{seq}")).text
    start = (await told.browser.get(f"/playground?start=event-{seq}")).text
    assert msgspec.json.decode(typed(start, "body"))["id"] == "promoted"
    page = (await attempt(told, start=f"event-{seq}", body=typed(start, "body"), rules=typed(start, "rules"))).text
    assert "production set on v1" in page.partition("What changes")[2]
    assert "(assumed)" not in page
    known = (await attempt(told, start=f"event-{seq}", body=typed(start, "body"), before="ledger")).text
    assert "production set on v1" not in known.partition("What changes")[2]


@pytest.mark.parametrize("kind", KINDS)
async def test_every_sample_is_a_start(asked: Asked, kind: str) -> None:
    await asked.log_in()
    start = (await asked.browser.get(f"/playground?start=sample-{kind}")).text
    page = await attempt(asked, start=f"sample-{kind}", body=typed(start, "body"))
    assert "What each rule says" in page.text
    assert (await asked.browser.get("/playground?start=sample-x")).status_code == 404


async def test_what_is_wrong_is_said_where_it_is(asked: Asked) -> None:
    await asked.log_in()
    page = (await attempt(asked, rules=RULES.replace("labels_gained", "labels_gaind"))).text
    assert "unknown clause" in page
    assert 'class="here"><span class="no">3</span>match = { labels_gaind' in page
    assert "no webhook body" in (await attempt(asked, body="{}")).text
    assert "not TOML" in (await attempt(asked, rules="[[rules")).text


async def test_size_and_time_are_bounded(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    await asked.log_in()
    assert "at most" in (await attempt(asked, body=" " * (LONGEST_BODY + 1))).text
    assert (await attempt(asked, body="x" * LARGEST_FORM)).status_code == 413
    monkeypatch.setattr(playground, "SECONDS", 0.0)
    assert "takes longer" in (await attempt(asked)).text
    monkeypatch.undo()
    assert "now v4" in (await attempt(asked)).text  # the turn was given back


async def test_a_page_shows_so_much_and_no_more(asked: Asked) -> None:
    await asked.log_in()
    long = "word " * 40_000
    rules = '[[rules]]\nname = "many"\nactions = [' + ", ".join(
        f'{{ to = "journal", id = "{n}", text = "{{{{ prompt.text }}}}" }}' for n in range(60)
    )
    body = (await asked.browser.get("/playground?start=sample-promoted")).text
    typed_body = msgspec.json.decode(typed(body, "body"))
    typed_body["prompt"]["prompt"] = long
    page = await attempt(asked, rules=rules + "]\n", body=msgspec.json.encode(typed_body).decode())
    assert "60 deliveries" in page.text
    assert "10 more deliveries" in page.text
    assert "Too long to show it as well" in page.text
    assert len(page.text) < 4_000_000
    rules = "".join(f'[[rules]]\nname = "r{n}"\nactions = [{{ to = "journal" }}]\n' for n in range(MOST_ACTIONS + 1))
    assert f"at most {MOST_ACTIONS} actions" in (await attempt(asked, rules=rules)).text
