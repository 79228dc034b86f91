"""The console: who gets in, what pages show, and that nothing in them can be turned against whoever looks."""

import hashlib
import re
from html.parser import HTMLParser
from importlib.resources import files

import httpx
import msgspec
import pytest

from router.service.console.page import ticked
from router.service.console.session import TRIES_A_MINUTE
from tests.acceptance.receivers import Reply
from tests.service.conftest import HOOK, TOKEN, Asked, eventually

HOSTILE = """<script>alert(1)</script>"><img src=x onerror=alert(1)> {{ 7777*7777 }} {% raw %} </pre> ``` 'x'"""


class Markup(HTMLParser):
    """What a page holds that a strict policy forbids, and what it links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inline: list[str] = []
        self.links: list[str] = []
        self.assets: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)
        self.inline += [name for name in given if name == "style" or name.startswith(("on", "hx-on"))]
        self.assets += [str(given[name]) for name in ("src",) if given.get(name)]
        if tag == "link":
            self.assets.append(str(given["href"]))
        if tag == "a":
            self.links.append(str(given["href"]))


async def pages(told: Asked) -> dict[str, httpx.Response]:
    """Return every page that can be reached by links."""
    found: dict[str, httpx.Response] = {}
    waiting = ["/"]
    while waiting:
        path = waiting.pop()
        if path in found or not re.match(r"/(?!api/)", path) or re.search(r"/(body|test)(\?|$)", path):
            continue
        found[path] = await told.browser.get(path)
        waiting += [link.partition("#")[0] for link in Markup(found[path].text).links if link.startswith("/")]
    return found


# ---- who gets in


@pytest.mark.parametrize(
    "path", ["/", "/events?status=dead", "/deliveries/x", "/events/1/body", "/deliveries/all/retry"]
)
async def test_nobody_sees_a_page_without_logging_in(asked: Asked, path: str) -> None:
    answer = await asked.browser.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")
    assert (await asked.browser.get("/live", headers={"accept": "text/event-stream"})).status_code == 401


async def test_after_the_login_comes_what_was_asked_for(asked: Asked) -> None:
    login = (await asked.browser.get("/events?status=dead")).headers["location"]
    form = {"token": TOKEN, "_csrf_token": await asked.csrf(login), "next": "/events?status=dead"}
    assert 'name="next" value="/events?status=dead"' in (await asked.browser.get(login)).text
    answer = await asked.browser.post("/login", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/events?status=dead")
    assert (await asked.browser.get("/events?status=dead")).status_code == 200


@pytest.mark.parametrize(
    "path", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""]
)
async def test_a_login_leads_to_no_other_site(asked: Asked, path: str) -> None:
    form = {"token": TOKEN, "_csrf_token": await asked.csrf("/login"), "next": path}
    assert (await asked.browser.post("/login", data=form)).headers["location"] == "/"


async def test_cookies_are_for_this_site_and_for_no_script(asked: Asked) -> None:
    form = {"token": TOKEN, "_csrf_token": await asked.csrf("/login")}
    (session,) = (await asked.browser.post("/login", data=form)).headers.get_list("set-cookie")
    csrf = (await httpx.AsyncClient(transport=asked.browser._transport).get("http://router/login")).headers[
        "set-cookie"
    ]
    for cookie in (session, csrf):
        assert {"HttpOnly", "SameSite=strict"} <= set(cookie.split("; "))


async def test_wrong_tokens_are_refused_and_throttled(asked: Asked) -> None:
    csrf = await asked.csrf("/login")
    answers = [
        await asked.browser.post("/login", data={"token": f"guess {number}", "_csrf_token": csrf})
        for number in range(TRIES_A_MINUTE + 1)
    ]
    assert {answer.status_code for answer in answers[:-1]} == {401}
    assert "This is not the admin token" in answers[0].text
    assert answers[-1].status_code == 429
    late = await asked.browser.post("/login", data={"token": TOKEN, "_csrf_token": csrf})
    assert late.status_code == 429


async def test_logging_out_ends_the_session(told: Asked) -> None:
    await told.log_in()
    assert (await told.browser.post("/logout", data={"_csrf_token": await told.csrf()})).status_code == 303
    assert (await told.browser.get("/")).status_code == 303


@pytest.mark.parametrize("token", [None, "", "forged" * 22])
async def test_nothing_is_done_for_a_form_of_another_site(told: Asked, token: str | None) -> None:
    await told.log_in()
    dead = await told.delivery("promoted", "dead")
    for path in (f"/deliveries/{dead.key}/retry", "/deliveries/all/cancel", "/logout"):
        answer = await told.browser.post(path, data={} if token is None else {"_csrf_token": token})
        assert answer.status_code == 403
    assert (await told.delivery("promoted", "dead")).key == dead.key


# ---- what pages show


async def test_every_page_works_and_keeps_the_policy(told: Asked) -> None:
    await told.log_in()
    found = await pages(told)
    assert {"/", "/events", "/deliveries", "/events/1"} <= found.keys()
    assert len(found) > 30
    for path, answer in found.items():
        assert answer.status_code == 200, path
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store", path
        markup = Markup(answer.text)
        assert markup.inline == [], path
        assert all(asset.startswith("/") for asset in markup.assets), path
        assert HOOK not in answer.text, path
        assert TOKEN not in answer.text, path


async def test_prompts_are_text_wherever_they_show(asked: Asked) -> None:
    await asked.post("made", name=HOSTILE, labels=["latest"], prompt="before", commitMessage=HOSTILE)
    await asked.delivery("all", "delivered")
    await asked.post(
        "moved",
        "updated",
        id="v2",
        version=2,
        name=HOSTILE,
        labels=["production", HOSTILE],
        tags=[HOSTILE],
        prompt=f"{HOSTILE}\n{HOSTILE}",
        config={HOSTILE: HOSTILE},
        commitMessage=HOSTILE,
        updatedAt="2026-11-24T10:05:00.000Z",
    )
    await asked.delivery("promoted", "dead")
    await asked.log_in()
    for path, answer in (await pages(asked)).items():
        assert answer.status_code == 200, path
        assert "<script>alert" not in answer.text, path
        assert Markup(answer.text).inline == [], path
        assert "60481729" not in answer.text, path


async def test_an_event_shows_words_diff_verdicts_and_deliveries(asked: Asked) -> None:
    await asked.post("made", labels=["production"], prompt="Hello {{name}}", config={"model": "a"})
    await asked.delivery("mails", "captured")
    later = {"updatedAt": "2026-11-24T10:05:00.000Z", "config": {"model": "b"}}
    await asked.post("moved", "updated", id="v2", version=2, labels=["production"], prompt="Hello {{friend}}", **later)
    event = await eventually_routed(asked, "moved")
    await asked.log_in()
    page = (await asked.browser.get(f"/events/{event}")).text
    assert "production moved v1 → v2" in page
    assert "new variable: friend" in page
    assert "+Hello {{friend}}" in page
    assert "+  &#34;model&#34;: &#34;b&#34;" in page
    assert re.search(r'match</span> <span class="rule">promoted', page)
    assert '<a href="/events/99">' not in page
    assert (await asked.browser.get("/events/99")).status_code == 404
    raw = await asked.browser.get(f"/events/{event}/body")
    assert raw.json()["id"] == "moved"
    assert raw.headers["content-disposition"].startswith("attachment")


async def eventually_routed(asked: Asked, id: str) -> int:
    async def found() -> int | None:
        event = (await asked.api.get(f"/events/{id}")).json()["event"]
        return int(event["seq"]) if event["status"] == "routed" else None

    return await eventually(found, f"{id} is routed")


async def test_the_request_of_every_type_can_be_read(asked: Asked) -> None:
    asked.rules.write_text(asked.rules.read_text() + EVERY_TYPE)
    await asked.service.reload_now()
    await asked.post("made", labels=["latest"])
    await asked.delivery("every", "captured")
    await asked.log_in()
    form = {"_csrf_token": await asked.csrf(), "start": "event-1", "before": "start", "rules": EVERY_TYPE}
    form["rules"] = form["rules"][form["rules"].index("[[rules]]") :]
    tried = await asked.browser.post("/playground", data=form | {"body": (await body_of(asked, 1)).decode()})
    shown = {}
    for delivery in (await asked.api.get("/deliveries", params={"rule": "every"})).json()["items"]:
        answer = await asked.browser.get(f"/deliveries/{delivery['key']}")
        assert answer.status_code == 200, delivery["type"]
        shown[delivery["type"], delivery["position"]] = answer.text
    for types, said in {
        ("slack", 0): "<strong>POST</strong>",
        ("http", 1): "<strong>PUT</strong>",
        ("github", 2): "/dispatches",
        ("github", 3): "/actions/workflows/ci.yml/dispatches",
        ("github", 4): "/contents/checkout/cart.txt",
        ("email", 5): "oncall@example.com",
        ("log", 6): "a line",
        ("apprise", 7): "<strong>A title</strong>",
    }.items():
        assert said in shown.pop(types), types
        assert said in tried.text, types
    assert shown == {}


EVERY_TYPE = """
[destinations.web]
type = "http"
url = "https://example.com"
[destinations.repo]
type = "github"
repository = "acme/prompts"
token = "t"
[destinations.phone]
type = "apprise"
url = "json://example.com"

[[rules]]
name = "every"
mode = "shadow"
actions = [
  { to = "team" },
  { to = "web", method = "PUT" },
  { to = "repo" },
  { to = "repo", workflow = { file = "ci.yml", ref = "main" } },
  { to = "repo", commit = { path = "{{ prompt.name }}.txt" } },
  { to = "oncall" },
  { to = "journal", text = "a line" },
  { to = "phone", title = "A title" },
]
"""


async def body_of(asked: Asked, event: int) -> bytes:
    return (await asked.browser.get(f"/events/{event}/body")).content


async def test_a_mail_is_shown_apart_with_nothing_that_runs(told: Asked) -> None:
    await told.log_in()
    captured = await told.delivery("mails", "captured")
    assert f'src="/deliveries/{captured.key}/mail"' in (await told.browser.get(f"/deliveries/{captured.key}")).text
    mail = await told.browser.get(f"/deliveries/{captured.key}/mail")
    assert "checkout/cart" in mail.text
    assert mail.headers["content-security-policy"].startswith("sandbox; default-src 'none'")


async def test_filters_find_and_an_empty_list_says_so(told: Asked) -> None:
    await told.log_in()
    assert "production set on v1" in (await told.browser.get("/events?label=production&prompt=cart")).text
    assert "No events that fit" in (await told.browser.get("/events?prompt=nothing")).text
    assert "No deliveries that fit" in (await told.browser.get("/deliveries?status=cancelled")).text


async def test_a_destination_that_fails_says_why_and_when_it_is_tried_again(told: Asked) -> None:
    told.slack.script = lambda _: Reply(status=403, body=b"invalid_token")
    await told.post("again", "updated", id="v2", version=2, labels=["production"], updatedAt="2026-11-24T10:10:00.000Z")
    await told.log_in()

    async def shown() -> str | None:
        found = re.search(r"breaker open</span> <span[^>]*>([^<]*)<time", await told.page("/"))
        return found and found[1]

    assert await eventually(shown, "the breaker is shown") == "HTTP 403 Forbidden: invalid_token; tried again "
    waits = await told.page("/deliveries?status=waiting")
    assert "HTTP 403 Forbidden: invalid_token; waits: the destination fails, goes on" in waits, "not said twice"


async def test_what_waits_leads_to_a_list_of_just_that(told: Asked) -> None:
    told.slack.script = lambda _: Reply(status=503)
    await told.post("again", "updated", id="v2", version=2, labels=["production"], updatedAt="2026-11-24T10:10:00.000Z")
    retrying = await told.delivery("promoted", "retrying")
    await told.log_in()
    tile = re.search(r'<a href="(/deliveries\?status=[a-z]+)"><b>(\d+)</b> delivery waiting', await told.page("/"))
    assert tile is not None
    assert tile.groups() == ("/deliveries?status=waiting", "1")
    assert re.findall(r'id="delivery-(\d+)"', await told.page(tile[1])) == [str(retrying.seq)]
    assert "Give up all waiting ones: 1 delivery" in await told.page("/deliveries/all/cancel?status=waiting")


# ---- acting


async def test_a_dead_delivery_is_sent_again(told: Asked) -> None:
    await told.log_in()
    dead = await told.delivery("promoted", "dead")
    assert "invalid_blocks" in (await told.browser.get(f"/deliveries/{dead.key}")).text
    told.slack.script = lambda _: Reply(body=b"ok")
    form = {"_csrf_token": await told.csrf(f"/deliveries/{dead.key}")}
    done = await told.browser.post(f"/deliveries/{dead.key}/retry", data=form)
    assert "It will be sent again" in (await told.browser.get(done.headers["location"])).text
    await told.delivery("promoted", "delivered")
    again = await told.browser.post(f"/deliveries/{dead.key}/retry", data=form)
    assert "nothing was done" in (await told.browser.get(again.headers["location"])).text


async def test_a_replay_says_first_what_it_would_make_and_where(told: Asked) -> None:
    await told.log_in()
    event = (await told.api.get("/events/promoted")).json()["event"]["seq"]
    asking = f"/events/{event}/replay"
    assert f'href="{asking}"' in (await told.browser.get(f"/events/{event}")).text
    nothing = (await told.browser.get(asking)).text
    assert "Replay: 0 deliveries" in nothing
    assert "2 deliveries of it are there already" in nothing
    assert '<form method="post" action="/events' not in nothing
    new = '\n[[rules]]\nname = "new"\nmatch = { labels_gained = "production" }\nactions = [{ to = "journal" }]\n'
    told.rules.write_text(told.rules.read_text() + new)
    assert (await told.api.post("/reload")).status_code == 200
    page = (await told.browser.get(asking)).text
    assert "Make and send 1 delivery" in page
    assert re.search(r"name=new.*journal.*>1<", page)
    assert len((await told.api.get("/deliveries")).json()["items"]) == 4, "looking made nothing"
    form = {"_csrf_token": await told.csrf(asking)}
    done = await told.browser.post(asking, data=form)
    assert "1 delivery made" in (await told.browser.get(done.headers["location"])).text
    await told.delivery("new", "delivered")
    assert (await told.browser.post(asking)).status_code == 403


async def test_what_is_there_is_told_once_more_if_somebody_insists(told: Asked) -> None:
    await told.log_in()
    event = (await told.api.get("/events/promoted")).json()["event"]["seq"]
    page = await told.browser.get(f"/events/{event}/replay?force=on")
    assert "Make and send 2 deliveries" in page.text
    told.slack.script = lambda _: Reply(body=b"ok")
    form = {"_csrf_token": await told.csrf(f"/events/{event}"), "force": "on"}
    await told.browser.post(f"/events/{event}/replay", data=form)
    assert (await told.delivery("promoted", "delivered")).prompt is not None
    assert (await told.delivery("promoted", "dead")).prompt is not None


async def test_an_event_becomes_a_test(told: Asked) -> None:
    await told.log_in()
    event = (await told.api.get("/events/promoted")).json()["event"]["seq"]
    plain, redacted = [await told.browser.get(f"/events/{event}/test{query}") for query in ("", "?redact=on")]
    assert plain.headers["content-disposition"].startswith("attachment")
    assert "ann@example.com" in plain.text
    assert "ann@example.com" not in redacted.text
    assert 'rule = "promoted"\nto = "team"' in redacted.text
    assert (await told.browser.get("/events/99/test")).status_code == 404
    (await told.send(b"no JSON"))
    quarantined = (await told.api.get("/events?status=quarantined")).json()["items"][0]["seq"]
    assert (await told.browser.get(f"/events/{quarantined}/test")).status_code == 422


async def test_many_are_counted_before_they_are_sent(told: Asked) -> None:
    await told.log_in()
    asking = await told.browser.get("/deliveries/all/retry?status=dead&destination=team")
    assert "Send all dead ones again: 1 delivery" in asking.text
    where = re.findall(r'<td><a href="([^"]+)">team</a>.*?class="status (\w+)".*?>(\d+)<', asking.text, re.DOTALL)
    assert where == [("/deliveries?status=dead&amp;destination=team", "ready", "1")]
    told.slack.script = None
    form = {"_csrf_token": await told.csrf(), "status": "dead", "destination": "team"}
    done = await told.browser.post("/deliveries/all/retry", data=form)
    assert "1 delivery will be sent again" in (await told.browser.get(done.headers["location"])).text
    await told.delivery("promoted", "delivered")
    assert "There is nothing to do" in (await told.browser.get("/deliveries/all/retry?status=dead")).text


def test_words_between_ticks_are_code_and_nothing_else_is_markup() -> None:
    assert ticked("say `a < b` or `c`") == "say <code>a &lt; b</code> or <code>c</code>"
    assert ticked("a lone ` & <b>") == "a lone ` &amp; &lt;b&gt;"


async def test_a_refused_reload_is_told_with_every_fault(told: Asked) -> None:
    await told.log_in()
    told.rules.write_text(told.rules.read_text().replace("labels_gained", "labels_gaind"))
    assert (await told.api.post("/reload")).status_code == 422
    page = (await told.browser.get("/")).text
    assert "was refused" in page
    assert re.search(r"labels_gaind</code> unknown clause", page)


# ---- files


def test_vendored_files_are_those_that_were_published() -> None:
    vendor = files("router.service.console") / "static" / "vendor"
    listed = msgspec.json.decode((vendor / "vendored.json").read_bytes(), type=list[dict[str, str]])
    for one in listed:
        assert hashlib.sha256((vendor / one["file"]).read_bytes()).hexdigest() == one["sha256"], one["file"]
        assert (vendor / one["license_file"]).is_file()
    there = {path.name for path in vendor.iterdir() if path.is_file()}
    assert there == {"vendored.json", *(one["file"] for one in listed)}


async def test_files_are_served_and_nothing_beside_them(asked: Asked) -> None:
    assert (await asked.browser.get("/static/console.css")).headers["content-type"].startswith("text/css")
    for path in ("/static/../page.py", "/static/%2e%2e/page.py", "/static/nothing.js"):
        assert (await asked.browser.get(path)).status_code == 404
