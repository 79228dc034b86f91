"""A real Chromium, in front of the real command. Without Chromium these tests are left out, and say so."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.acceptance.receivers import Receiver, Reply
from tests.acceptance.running import RunningRouter

expect.set_options(timeout=60_000)  # the machines are slow and shared

TOKEN: Final = "let me in"
PHONE: Final = 390
RULES: Final = """
[server]
admin_token = "let me in"

[sources.prod]
secret = "${LANGFUSE_WEBHOOK_SECRET}"
settle = "0s"

[destinations.journal]
type = "log"

[destinations.pager]
type = "http"
url = "PAGER"
json = { routing_key = "${PAGER_KEY}" }
allow_private = true

[[rules]]
name = "promoted"
match = { labels_gained = "production" }
[[rules.actions]]
to = "pager"
json = { summary = "{{ prompt.name }} is now v{{ prompt.version }}" }

[[rules]]
name = "all"
actions = [{ to = "journal" }]
"""


@pytest.fixture(scope="module")  # while it runs, no test of the same process can run a loop of its own
def browser() -> Iterator[Browser]:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-headless-shell", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("the tests in a browser are left out: there is no Chromium here (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def pager() -> Iterator[Receiver]:
    """A pager that takes only long summaries."""

    with Receiver() as pager:
        pager.script = lambda arrived: (
            Reply(body=b"paged")
            if len(arrived.json["summary"]) > 40
            else Reply(status=422, body=b'{"error": "summary is too short"}')
        )
        yield pager


@pytest.fixture
def router(tmp_path: Path, pager: Receiver) -> Iterator[RunningRouter]:
    rules = RULES.replace("PAGER", pager.url, 1)
    with RunningRouter(tmp_path, rules, env={"PAGER_KEY": "pager-secret"}) as running:
        yield running


@pytest.fixture
def page(browser: Browser, router: RunningRouter) -> Iterator[Page]:
    """A page of a new visitor. Whatever the browser complains about fails the test."""
    context = browser.new_context(base_url=router.url, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(30_000)
    complaints: list[str] = []

    def complain(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    page.on("console", complain)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


def log_in(page: Page) -> None:
    page.goto("/login")
    page.get_by_label("Admin token").fill(TOKEN)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="The last 24 hours").wait_for()
