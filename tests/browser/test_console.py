"""What somebody does who was not told: looks, finds out why, mends it, sends it again."""

import re
from typing import Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.acceptance.receivers import Receiver, Reply
from tests.acceptance.running import RunningRouter, eventually
from tests.acceptance.test_intake import body
from tests.browser.conftest import PHONE, TOKEN, log_in

LATER = {"createdAt": "2026-11-24T10:09:00.000Z", "updatedAt": "2026-11-24T10:09:00.000Z"}
OTHER_PAGES = ("/prompts", "/prompts/one?name=checkout/cart", "/rules", "/rules/one?name=promoted", "/playground")


def promote(router: RunningRouter) -> None:
    """Make a prompt of which the pager is told, and refuses it."""
    assert router.post(body("promoted", {"labels": ["latest", "production"]})).status_code == 202
    eventually(
        lambda: [one for one in router.deliveries() if one.rule == "promoted" and one.status == "dead"],
        "the pager refused it",
    )


def test_a_dead_delivery_is_found_understood_and_sent_again(page: Page, router: RunningRouter, pager: Receiver) -> None:
    promote(router)
    log_in(page)
    page.get_by_role("link", name="promoted → pager").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("promoted → pager")
    expect(page.get_by_text('{"error": "summary is too short"}')).to_be_visible()
    expect(page.get_by_text('"routing_key": "***"')).to_be_visible()
    pager.script = lambda _: Reply(body=b"paged")
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("status")).to_have_text("It will be sent again, under its old key.")
    expect(page.locator("#state .status").first).to_have_text("delivered")  # without a reload


def test_a_rule_is_mended_in_the_playground_and_the_dead_delivery_replaced(
    page: Page, router: RunningRouter, pager: Receiver
) -> None:
    promote(router)
    log_in(page)
    page.get_by_role("link", name="promoted → pager").click()
    expect(page.get_by_text('{"error": "summary is too short"}')).to_be_visible()
    dead = page.url
    page.get_by_role("button", name="Try the rule in the playground").click()
    result = page.get_by_role("region", name="What would happen")
    expect(result.get_by_text('"summary": "checkout/cart is now v1"')).to_be_visible()
    rules = page.get_by_label("Rules", exact=False).and_(page.locator("textarea"))
    before = rules.input_value()
    rules.fill(before.replace("{{ prompt.name }} is now", "{{ prompt.nme }} is now"))
    expect(result.get_by_text("The rules have 1 problem")).to_be_visible()
    mended = before.replace(
        "is now v{{ prompt.version }}", "is now v{{ prompt.version }}, taken to production by {{ author }}"
    )
    rules.fill(mended)
    expect(result.get_by_text('"summary": "checkout/cart is now v1, taken to production by Ann"')).to_be_visible()
    assert len(pager.arrived) == 1  # nothing was sent

    whole = router.rules.read_text()
    router.rules.write_text(whole[: whole.index("[[rules]]")] + mended[mended.index("[[rules]]") :])
    page.get_by_role("link", name="Rules", exact=True).click()
    page.get_by_role("button", name="Reload the file").click()
    expect(page.get_by_role("status")).to_contain_text("what it says is in force")
    page.goto(dead)
    page.get_by_role("link", name="replay the event").click()
    page.get_by_role("button", name="Make and send 1 delivery").click()
    expect(page.get_by_role("status")).to_contain_text("1 delivery made")
    eventually(lambda: len(pager.arrived) == 2, "what the mended rule says is long enough")
    assert pager.arrived[-1].json["summary"] == "checkout/cart is now v1, taken to production by Ann"
    page.goto(dead)
    page.get_by_role("button", name="Dismiss").click()
    expect(page.locator("#state .status").first).to_have_text("cancelled")


def test_a_start_is_chosen_without_losing_the_rules(page: Page, router: RunningRouter) -> None:
    log_in(page)
    page.get_by_role("link", name="Playground").click()
    result = page.get_by_role("region", name="What would happen")
    expect(result.get_by_text("production moved v3 → v4").first).to_be_visible()
    rules = page.locator("textarea[name=rules]")
    rules.fill(rules.input_value().replace('name = "all"', 'name = "everything"'))
    page.get_by_label("Start from").select_option("deleted")
    expect(result.get_by_text("v3 deleted").first).to_be_visible()
    expect(result.locator(".rule", has_text="everything")).to_be_visible()
    page.get_by_label("Known before").select_option("nothing")
    expect(result.get_by_text("v3 deleted").first).to_be_visible()


def test_two_versions_are_chosen_and_compared(page: Page, router: RunningRouter) -> None:
    router.post(body("v1", {"id": "v1", "labels": ["production"], "prompt": "Hello {{name}}"}))
    router.post(body("v2", {"id": "v2", "version": 2, "labels": ["latest"], "prompt": "Good day {{name}}"} | LATER))
    eventually(lambda: [one for one in router.events() if one.id == "v2" and one.status == "routed"], "v2 is routed")
    log_in(page)
    page.get_by_role("link", name="Prompts").click()
    page.get_by_role("link", name="checkout/cart").click()
    expect(page.get_by_role("img", name="Which version of checkout/cart held which label")).to_be_visible()
    expect(page.get_by_role("region", name="Text: version 1 against version 2")).to_be_visible()
    page.get_by_role("combobox", name="From").select_option("2")
    expect(page.get_by_text("v2 and v2 say the same")).to_be_visible()
    page.get_by_role("combobox", name="To").select_option("1")
    expect(page.get_by_role("region", name="Text: version 2 against version 1").locator("ins").first).to_contain_text(
        "Hello"
    )


def test_the_list_shows_what_arrives_while_somebody_looks(page: Page, router: RunningRouter) -> None:
    log_in(page)
    page.get_by_role("link", name="Events", exact=True).click()
    expect(page.get_by_text("No events yet")).to_be_visible()
    promote(router)
    expect(page.get_by_role("link", name="checkout/cart")).to_be_visible()
    page.get_by_role("button", name="Stop following").click()
    expect(page.get_by_role("button", name="Follow live")).to_be_visible()


def test_filters_narrow_the_list_and_stay_in_the_address(page: Page, router: RunningRouter) -> None:
    promote(router)
    log_in(page)
    page.goto("/events?live=off")
    page.get_by_label("Prompt").fill("nothing like it")
    expect(page.get_by_text("No events that fit")).to_be_visible()
    page.get_by_label("Prompt").fill("cart")
    expect(page.get_by_role("link", name="checkout/cart")).to_be_visible()
    expect(page).to_have_url(re.compile("prompt=cart"))
    page.get_by_label("Rule that fired").select_option("promoted")
    expect(page).to_have_url(re.compile("rule=promoted"))
    page.reload()
    expect(page.get_by_label("Prompt")).to_have_value("cart")


def test_an_event_shows_the_difference_side_by_side(page: Page, router: RunningRouter) -> None:
    router.post(body("v1", {"labels": ["production"], "prompt": "Hello {{name}}"}))
    eventually(lambda: [one for one in router.events() if one.status == "routed" and one.id == "v1"], "v1 is routed")
    second = {"id": "v2", "version": 2, "labels": ["production"], "prompt": "Good day {{name}}"}
    router.post(body("v2", second | {"updatedAt": "2026-11-24T10:09:00.000Z"}))
    eventually(lambda: [one for one in router.events() if one.status == "routed" and one.id == "v2"], "v2 is routed")
    log_in(page)
    page.goto("/events?label=production")
    page.get_by_role("link", name="production moved v1 → v2").click()
    diff = page.get_by_role("region", name="Text: version 1 against version 2")
    expect(diff.locator(".d2h-file-side-diff")).to_have_count(2)
    expect(diff.locator("del").first).to_contain_text("Hello")
    expect(diff.locator("ins").first).to_contain_text("Good")


def test_everything_can_be_done_from_the_keyboard(page: Page, router: RunningRouter, pager: Receiver) -> None:
    promote(router)
    page.goto("/")
    page.keyboard.type(TOKEN)  # the field has the focus
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="The last 24 hours").wait_for()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    tab_to(page, "Deliveries")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Deliveries").wait_for()
    tab_to(page, "pager")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="promoted → pager").wait_for()
    pager.script = lambda _: Reply(body=b"paged")
    tab_to(page, "Send again")
    page.keyboard.press("Enter")
    expect(page.locator("#state .status").first).to_have_text("delivered")


def tab_to(page: Page, name: str) -> None:
    """Press Tab until something of this name has the focus, and see that the focus shows."""
    for _ in range(80):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        if focused.inner_text().strip() == name:
            assert focused.evaluate(
                "e => { const s = getComputedStyle(e); return s.outlineStyle !== 'none' || s.boxShadow !== 'none' }"
            ), f"nothing shows that {name} has the focus"
            return
    raise AssertionError(f"Tab never reaches {name}")


def test_every_page_fits_on_a_phone(page: Page, router: RunningRouter) -> None:
    promote(router)
    page.set_viewport_size({"width": PHONE, "height": 800})
    log_in(page)
    (dead,) = [one for one in router.deliveries() if one.status == "dead"]
    one = f"/deliveries/{dead.key}"
    for path in (
        "/",
        "/events",
        "/events/1",
        "/events/1/replay",
        "/deliveries",
        one,
        "/deliveries/all/retry",
        *OTHER_PAGES,
    ):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE, path
    page.goto("/deliveries")
    for tab in page.get_by_role("navigation", name="By state").get_by_role("link").all():
        box = tab.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= PHONE, "no state is out of sight"
    page.goto("/prompts/one?name=checkout/cart")
    drawn = page.locator(".timeline svg").evaluate("s => [s.getBoundingClientRect().width, s.width.baseVal.value]")
    assert drawn[0] == drawn[1], "the picture keeps its scale, so that its lanes stand beside their labels"


THE_VIEWERS_OWN = {"nested-interactive", "heading-order", "region"}
"""Swagger UI puts buttons into buttons, leaves a rank of headings out, and has parts that are no landmark's."""


def test_axe_finds_nothing_on_any_page(page: Page, router: RunningRouter) -> None:
    router.post(body("v1", {"labels": ["production"], "prompt": "Hello {{name}}"}))
    router.post(body("v2", {"id": "v2", "version": 2, "labels": ["production"], "prompt": "Good day"} | LATER))
    eventually(lambda: len([one for one in router.deliveries() if one.status == "dead"]) == 2, "both are refused")
    router.reload(router.rules.read_text().replace("labels_gained", "labels_gaind"))
    eventually(lambda: router.logged("rules refused"), "the file is refused")
    page.goto("/login")
    assert serious(page) == []
    log_in(page)
    (dead, *_) = [one for one in router.deliveries() if one.status == "dead"]
    (event,) = [one for one in router.events() if one.id == "v2"]
    one = f"/deliveries/{dead.key}"
    paths = ("/", "/events", f"/events/{event.seq}", f"/events/{event.seq}/replay?force=on", "/deliveries", one)
    for path in (*paths, "/deliveries/all/retry", *OTHER_PAGES, "/api/docs"):
        page.goto(path)
        if path == "/playground":
            expect(page.get_by_role("heading", name="What each rule says")).to_be_visible()
        if path == "/api/docs":
            expect(page.get_by_role("button", name="Authorize").first).to_be_visible()
        assert serious(page) == [], path


def serious(page: Page) -> list[str]:
    """Return what is wrong with a page for those who see little or nothing: in the light, in the dark, on a phone."""
    found = []
    looks: tuple[tuple[Literal["light", "dark"], int, dict[str, list[str]]], ...] = (
        ("light", 1280, {}),
        ("dark", 1280, {"runOnly": ["color-contrast"]}),
        ("light", PHONE, {}),
    )
    for scheme, width, asked in looks:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        # scripts hear of another scheme with the next frame, and then colours fade
        page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(null))))")
        page.evaluate("Promise.allSettled(document.getAnimations().map(one => one.finished)).then(() => null)")
        found += [
            f"{scheme} {width} {wrong['id']}: {node['html']} {node['failureSummary']}"
            for wrong in Axe().run(page, options={"resultTypes": ["violations"], **asked}).response["violations"]
            for node in wrong["nodes"]
            if wrong["impact"] != "minor" and not (wrong["id"] in THE_VIEWERS_OWN and page.url.endswith("/api/docs"))
        ]
    page.set_viewport_size({"width": 1280, "height": 800})
    return found


def test_whoever_hears_a_page_hears_names_for_everything(page: Page, router: RunningRouter) -> None:
    promote(router)
    log_in(page)
    for path in ("/", "/events", "/events/1", "/events/1/replay", "/deliveries", "/deliveries/all/retry", *OTHER_PAGES):
        page.goto(path)
        expect(page.get_by_role("main")).to_have_count(1)
        expect(page.get_by_role("navigation", name="Pages")).to_have_count(1)
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        for role in ("link", "button", "textbox", "searchbox", "combobox", "table", "region"):
            for found in page.get_by_role(role).all():
                if role in ("table",):
                    expect(found.get_by_role("columnheader").or_(found.locator("caption")).first).to_be_attached()
                else:
                    expect(found).to_have_accessible_name(re.compile(r"\S"))


def test_what_has_the_focus_keeps_it_while_the_list_follows(page: Page, router: RunningRouter) -> None:
    promote(router)
    log_in(page)
    page.goto("/deliveries")
    page.locator("#act-retry").focus()
    shown = page.locator("tbody tr").count()
    router.post(body("v2", {"id": "v2", "version": 2, "labels": ["production"]} | LATER))
    expect(page.locator("tbody tr")).not_to_have_count(shown)
    expect(page.locator("#act-retry")).to_be_focused()
