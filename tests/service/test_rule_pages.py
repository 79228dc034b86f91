"""The console's pages of rules: what is in force, what it did, and what is wrong with the file."""

import re

from tests.acceptance.running import SECRET
from tests.service.conftest import Asked


def row(page: str, name: str) -> dict[str, str]:
    """Return what the list says of a rule, by the names of its columns."""
    (cells,) = (part for part in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL) if f'"/rules/one?name={name}"' in part)
    return {
        label: re.sub(r"<[^>]*>", "", cell).strip()
        for label, cell in re.findall(r'<td data-label="(\w+)"[^>]*>(.*?)</td>', cells, re.DOTALL)
    }


async def test_each_rule_says_what_it_did(told: Asked) -> None:
    await told.log_in()
    page = (await told.browser.get("/rules")).text
    promoted = row(page, "promoted")
    assert (promoted["fired"], promoted["delivered"], promoted["dead"]) == ("1", "0", "1")
    assert row(page, "all")["delivered"] == "2"
    assert row(page, "mails")["last"] != "never"
    found = (await told.browser.get("/rules?name=PROM")).text
    assert "promoted" in found
    assert 'name=mails"' not in found


async def test_a_rule_is_shown_as_it_is_written_with_the_events_for_which_it_fired(told: Asked) -> None:
    await told.log_in()
    page = (await told.browser.get("/rules/one?name=promoted")).text
    assert "match = { labels_gained = &#34;production&#34; }" in page
    assert "name = &#34;all&#34;" not in page
    assert "production set on v1" in page
    assert (await told.browser.get("/rules/one?name=nobody")).status_code == 404


async def test_warnings_of_check_are_there(asked: Asked) -> None:
    await asked.log_in()
    assert "never" not in (await asked.browser.get("/rules")).text.partition("Warnings of")[2]
    idle = '{ labels_gained = "a", action = "deleted" }'
    twice = f'\n[[rules]]\nname = "idle"\nactions = [{{ to = "journal" }}]\nmatch = {idle}\n'
    asked.rules.write_text(asked.rules.read_text() + twice)
    done = await asked.browser.post("/rules/reload", data={"_csrf_token": await asked.csrf()})
    page = (await asked.browser.get(done.headers["location"])).text
    assert "what it says is in force" in page
    assert "rules[3]" in page.partition("Warnings of")[2]
    assert "rules[3]" in (await asked.browser.get("/rules/one?name=idle")).text


async def test_a_refused_reload_is_shown_in_its_place_and_without_secrets(asked: Asked) -> None:
    good = asked.rules.read_text()
    bad = good.replace("description", "descriptoin")
    asked.rules.write_text(bad.replace('secret = "${LANGFUSE_WEBHOOK_SECRET}"', f'secret = "{SECRET}"\ntypo = 1'))
    await asked.log_in()
    await asked.browser.post("/rules/reload", data={"_csrf_token": await asked.csrf()})
    page = (await asked.browser.get("/rules")).text
    assert "was refused: 2 problems" in page
    line = good.splitlines().index('description = "A version became production."') + 2
    assert f'class="here"><span class="no">{line}</span>descriptoin = ' in page
    assert "secret = ***" in page
    assert SECRET not in page
    assert "2 problems" in (await asked.browser.get("/")).text
    asked.rules.write_text(good)
    await asked.browser.post("/rules/reload", data={"_csrf_token": await asked.csrf()})
    assert "was refused" not in (await asked.browser.get("/rules")).text
