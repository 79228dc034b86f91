"""The admin API: what scripts see and do."""

from importlib import import_module
from typing import Any

import pytest

from router.engine.deadline import within
from router.service.whatif import outcome
from router.storage.changes import ChangeFilter
from tests.acceptance.receivers import Reply
from tests.acceptance.test_intake import body
from tests.service.conftest import HOOK, TOKEN, Asked, eventually

PROBLEM = "application/problem+json"


# ---- who may


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "ü"])
@pytest.mark.parametrize("path", ["events", "deliveries/x/retry", "rules/x", "reload"])
async def test_nobody_sees_or_does_anything_without_the_token(
    asked: Asked, authorization: str | None, path: str
) -> None:
    method = "POST" if path in ("deliveries/x/retry", "reload") else "GET"
    headers = [] if authorization is None else [(b"authorization", authorization.encode())]
    answer = await asked.browser.request(method, f"/api/v1/{path}", headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (401, PROBLEM)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert set(answer.json()) == {"status", "title", "detail"}


async def test_a_session_of_the_console_is_no_token(asked: Asked) -> None:
    await asked.log_in()
    assert (await asked.browser.get("/api/v1/events")).status_code == 401


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("/events?limit=0", 400, "limit"),
        ("/events?limit=many", 400, "limit"),
        ("/events?status=odd", 400, "status"),
        ("/events?since=yesterday", 400, "since"),
        ("/events?cursor=x", 400, "cursor"),
        ("/events?staus=dead", 400, 'did you mean \\"status\\"?'),
        ("/prompts?cursor=-1", 400, "cursor"),
        ("/events/unknown", 404, "unknown"),
        ("/deliveries/unknown", 404, "unknown"),
        ("/prompts/a/b", 404, "a/b"),
        ("/rules/unknown", 404, "unknown"),
        ("/destinations/unknown", 404, "unknown"),
        ("/nothing", 404, ""),
    ],
)
async def test_what_cannot_be_answered_is_a_problem_that_says_why(
    asked: Asked, path: str, status: int, word: str
) -> None:
    answer = await asked.api.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    assert word in answer.text


# ---- looking


async def test_an_event_shows_all_that_came_of_it(told: Asked) -> None:
    found = (await told.api.get("/events/promoted")).json()
    assert found["event"]["status"] == "routed"
    assert found["body"]["prompt"]["name"] == "checkout/cart"
    assert found["changes"][0]["facts"]["labels_gained"] == ["production"]
    assert {said["rule"]: said["verdict"] for said in found["changes"][0]["verdicts"]} == {
        "promoted": "match",
        "all": "match",
    }
    assert [(one["destination"], one["status"]) for one in found["deliveries"]] == [
        ("team", "dead"),
        ("journal", "delivered"),
    ]
    assert (await told.api.get(f"/events/{found['event']['seq']}")).json() == found
    raw = await told.api.get("/events/promoted/body")
    assert raw.json() == found["body"]
    assert (await told.api.get("/events/promoted?source=elsewhere")).status_code == 404


async def test_a_body_that_is_no_json_is_there_as_bytes(asked: Asked) -> None:
    raw = b"\xff no JSON"
    id = await asked.send(raw)
    assert (await asked.api.get(f"/events/{id}")).json()["body"] is None
    assert (await asked.api.get(f"/events/{id}/body")).content == raw


@pytest.mark.parametrize(
    ("query", "events"),
    [
        ("source=prod", ["promoted", "made"]),
        ("label=production", ["promoted"]),
        ("rule=mails", ["made"]),
        ("destination=team", ["promoted"]),
        ("prompt=checkout/*", ["promoted", "made"]),
        ("prompt=checkout", []),
        ("source=prod&type=prompt-version&status=routed", ["promoted", "made"]),
        ("since=2100-01-01T00:00:00Z", []),
        ("until=2000-01-01T00:00:00", []),
        ("source=prod&limit=1", ["promoted"]),
    ],
)
async def test_events_are_filtered(told: Asked, query: str, events: list[str]) -> None:
    assert [event["id"] for event in (await told.api.get(f"/events?{query}")).json()["items"]] == events


async def test_pages_follow_each_other(told: Asked) -> None:
    first = (await told.api.get("/deliveries?limit=2")).json()
    second = (await told.api.get(f"/deliveries?limit=2&cursor={first['next_cursor']}")).json()
    assert [found["seq"] for found in first["items"] + second["items"]] == [4, 3, 2, 1]
    assert second["next_cursor"] is None


async def test_a_delivery_shows_its_request_without_secrets(told: Asked) -> None:
    dead = await told.delivery("promoted", "dead")
    (listed,) = (await told.api.get("/deliveries?status=dead")).json()["items"]
    assert listed["id"] == listed["key"] == dead.key
    answer = await told.api.get(f"/deliveries/{listed['id']}")
    found = answer.json()
    assert found["request"]["url"] == "***"
    assert HOOK not in answer.text
    assert [(one["outcome"], one["status"], one["excerpt"]) for one in found["attempts"]] == [
        ("rejected", 400, "invalid_blocks")
    ]
    assert [event["id"] for event in found["events"]] == ["promoted"]


async def test_prompts_show_their_labels(told: Asked) -> None:
    (found,) = (await told.api.get("/prompts?label=production&prompt=check*")).json()["items"]
    assert found["labels"] == {"latest": 1, "production": 1}
    assert (await told.api.get("/prompts?label=staging")).json()["items"] == []
    detail = (await told.api.get("/prompts/checkout/cart")).json()
    assert detail["prompt"] == found
    assert [(held["label"], held["version"], held["now"]) for held in detail["labels"]] == [
        ("latest", 1, True),
        ("production", 1, True),
    ]
    assert detail["versions"][0]["version"] == 1


async def test_a_prompt_of_two_projects_has_to_be_chosen(told: Asked) -> None:
    await told.post("other", id="other", projectId="p2")

    async def both() -> bool | None:
        return (await told.api.get("/prompts/checkout/cart")).status_code == 409 or None

    await eventually(both, "the other project's prompt is known")
    chosen = await told.api.get("/prompts/checkout/cart?project=p2&source=prod")
    assert chosen.json()["prompt"]["project_id"] == "p2"


async def test_rules_and_destinations_are_those_in_force_with_their_counts(told: Asked) -> None:
    rules = (await told.api.get("/rules")).json()["items"]
    assert [(rule["name"], rule["last_week"]["fired"]) for rule in rules] == [("promoted", 1), ("all", 2), ("mails", 1)]
    assert rules[0]["match"] == {"labels_gained": "production"}
    assert rules[0]["place"].endswith("rules.toml:24:1")
    assert (await told.api.get("/rules/promoted")).json() == rules[0]
    page = (await told.api.get("/rules?limit=2")).json()
    (last,) = (await told.api.get(f"/rules?limit=2&cursor={page['next_cursor']}")).json()["items"]
    assert last["name"] == "mails"
    places = (await told.api.get("/destinations")).json()["items"]
    shown = [(place["destination"]["name"], place["dead"], place["last_week"]["delivered"]) for place in places]
    assert shown == [("journal", 0, 2), ("oncall", 0, 0), ("team", 1, 0)]
    assert places[2]["destination"]["breaker"] == "closed"
    assert (await told.api.get("/destinations/team")).json()["destination"]["type"] == "slack"
    (last,) = (await told.api.get("/destinations?limit=2&cursor=2")).json()["items"]
    assert last["destination"]["name"] == "team"


# ---- acting


async def test_a_dead_delivery_is_sent_again_under_its_key(told: Asked) -> None:
    dead = await told.delivery("promoted", "dead")
    told.slack.script = lambda _: Reply(body=b"ok")
    answer = await told.api.post(f"/deliveries/{dead.key}/retry")
    assert answer.status_code == 200
    assert (await told.delivery("promoted", "delivered")).key == dead.key
    again = await told.api.post(f"/deliveries/{dead.key}/retry")
    assert (again.status_code, again.headers["content-type"]) == (409, PROBLEM)
    assert "delivered" in again.json()["detail"]
    assert (await told.api.post("/deliveries/unknown/retry")).status_code == 404


async def test_a_captured_delivery_is_dismissed(told: Asked) -> None:
    captured = await told.delivery("mails", "captured")
    assert (await told.api.post(f"/deliveries/{captured.key}/cancel")).json()["status"] == "cancelled"
    assert (await told.api.post(f"/deliveries/{captured.key}/cancel")).status_code == 409


async def test_many_are_counted_first_and_then_acted_on(told: Asked) -> None:
    wanted: dict[str, Any] = {"filter": {"status": "dead"}, "dry_run": True}
    assert (await told.api.post("/deliveries/retry", json=wanted)).json() == {"matched": 1, "changed": 0}
    told.slack.script = None
    wanted["dry_run"] = False
    assert (await told.api.post("/deliveries/retry", json=wanted)).json() == {"matched": 1, "changed": 1}
    await told.delivery("promoted", "delivered")
    captured = {"filter": {"status": "captured"}}
    assert (await told.api.post("/deliveries/cancel", json=captured)).json() == {"matched": 1, "changed": 1}
    await told.delivery("mails", "cancelled")
    delivered = {"filter": {"status": "delivered"}}
    assert (await told.api.post("/deliveries/cancel", json=delivered)).json() == {"matched": 0, "changed": 0}


async def test_events_are_told_again_once_and_counted_first(told: Asked) -> None:
    counted = (await told.api.post("/events/promoted/replay", json={"dry_run": True, "force": True})).json()
    assert counted["deliveries"] == [
        {"rule": "all", "to": "journal", "count": 1},
        {"rule": "promoted", "to": "team", "count": 1},
    ]
    for unsaid in (b"", b"null", b"{}"):
        answer = await told.api.post("/events/promoted/replay", content=unsaid)
        assert answer.json() == counted | {"deliveries": [], "there": 2}
    told.slack.script = lambda _: Reply(body=b"ok")
    wanted = {"filter": {"prompt": "checkout/*"}, "rules": ["promoted"], "force": True}
    done = (await told.api.post("/events/replay", json=wanted)).json()
    assert (done["changes"], done["deliveries"]) == (2, [{"rule": "promoted", "to": "team", "count": 1}])
    again = await told.delivery("promoted", "delivered")
    assert again.key != (await told.delivery("promoted", "dead")).key
    refused = await told.api.post("/events/promoted/replay", json={"rules": ["promotd"]})
    assert (refused.status_code, refused.headers["content-type"]) == (422, PROBLEM)
    assert 'did you mean \\"promoted\\"?' in refused.text
    assert (await told.api.post("/events/unknown/replay", json={})).status_code == 404


async def test_a_rule_is_told_what_is(told: Asked) -> None:
    told.slack.script = lambda _: Reply(body=b"ok")
    done = (await told.api.post("/prompts/replay", json={"rule": "promoted", "prompt": "checkout/*"})).json()
    assert done["deliveries"] == [{"rule": "promoted", "to": "team", "count": 1}]
    await told.delivery("promoted", "delivered")
    (event,) = [one for one in (await told.api.get("/events")).json()["items"] if one["origin"] == "backfill"]
    assert (await told.api.get(f"/events/{event['id']}")).json()["deliveries"][0]["status"] == "delivered"
    history = (await told.api.get("/prompts/checkout/cart")).json()
    assert [change["origin"] for change in history["changes"]] == ["webhook", "webhook"]
    assert (await told.api.post("/prompts/replay", json={"rule": "nobody"})).status_code == 422


async def test_an_event_is_there_as_a_test(told: Asked) -> None:
    answer = await told.api.get("/events/promoted/test?redact=true")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.startswith("[[tests]]\n")
    assert (await told.api.get("/events/unknown/test")).status_code == 404


@pytest.mark.parametrize(
    "wrong", [{}, {"filter": {"staus": "dead"}}, {"filter": {}, "dryrun": True}, {"filter": {"since": "2026-01-01"}}]
)
async def test_acting_on_many_says_what_is_wrong_with_the_filter(asked: Asked, wrong: dict[str, Any]) -> None:
    answer = await asked.api.post("/deliveries/retry", json=wrong)
    assert (answer.status_code, answer.headers["content-type"]) == (400, PROBLEM)
    assert answer.json()["errors"]


async def test_a_dry_run_shows_what_would_happen_and_does_nothing(told: Asked) -> None:
    before = (await told.api.get("/events?source=prod")).json()
    moved = body("moved", {"id": "v2", "version": 2, "labels": ["production"], "updatedAt": "2026-11-24T11:00:00Z"})
    tried = (await told.api.post("/dry-run", json={"body": moved, "known": "ledger"})).json()
    assert tried["change"]["moved"] == [{"label": "production", "from": 1, "to": 2}]
    assert [said["rule"] for said in tried["rules"] if said["verdict"] == "match"] == ["promoted", "all", "mails"]
    assert tried["deliveries"][0]["request"]["url"] == "***"
    alone = (await told.api.post("/dry-run", json={"body": moved})).json()
    assert alone["change"]["moved"] == []
    after = await told.api.post(
        "/dry-run", json={"body": moved, "previous": [body("made", {"labels": ["production"]})]}
    )
    assert after.json()["change"]["moved"] == [{"label": "production", "from": 1, "to": 2}]
    assert (await told.api.get("/events?source=prod")).json() == before


async def test_a_dry_run_says_what_is_wrong_with_a_body(asked: Asked) -> None:
    for wrong, word in (
        ({"body": {"type": "prompt-version"}}, "body is no webhook body"),
        ({"body": body("x"), "previous": [{}]}, "previous[0] is no webhook body"),
        ({"body": body("x"), "source": "nowhere"}, "no source named"),
    ):
        answer = await asked.api.post("/dry-run", json=wrong)
        assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
        assert word in answer.json()["detail"]


async def test_a_reload_puts_the_file_in_force_or_says_every_fault(asked: Asked) -> None:
    good = asked.rules.read_text()
    asked.rules.write_text(good.replace('name = "all"', 'name = "everything"'))
    reloaded = (await asked.api.post("/reload")).json()
    assert (reloaded["digest"], reloaded["rules"]) == (asked.service.rulebook.ruleset.digest, 3)
    asked.rules.write_text(good.replace("labels_gained", "labels_gaind").replace('to = "journal"', 'to = "jurnal"'))
    refused = await asked.api.post("/reload")
    assert (refused.status_code, refused.headers["content-type"]) == (422, PROBLEM)
    assert len(refused.json()["errors"]) == 2
    assert refused.json()["errors"][0]["path"] == "rules[0].match.labels_gaind"
    assert asked.service.rulebook.ruleset.rules[1].name == "everything"
    assert asked.service.rulebook.last_reload.problems


async def test_other_rules_are_compared_over_what_happened(told: Asked) -> None:
    text = told.rules.read_text()
    same = (await told.api.post("/what-if", json={"rules": text})).json()
    assert (same["same"], same["complete"]) == (4, True)
    assert same["changes"] in (2, 3)  # the trouble that one of them made is on its way
    assert (same["come"], same["go"], same["differ"]) == (0, 0, 0)
    assert HOOK not in str(same)
    rules = (
        text[text.index("[[rules]]") :]
        .replace('"{{ prompt.name }}', '"now {{ prompt.name }}')
        .replace("created", "deleted")
    )
    other = (await told.api.post("/what-if", json={"rules": rules, "limit": 1})).json()
    assert (other["differ"], other["go"], other["same"]) == (2, 1, 1)
    assert len(other["differences"]) == 1
    nobody = await told.api.post("/what-if", json={"rules": text, "prompt": "nobody"})
    assert nobody.json()["changes"] == 0


async def test_what_if_ends_in_time(told: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = {"rules": told.rules.read_text()}
    monkeypatch.setattr(import_module("router.service.api.what_if"), "SECONDS", 0.0)
    late = await told.api.post("/what-if", json=rules)
    assert (late.status_code, late.headers["content-type"]) == (422, PROBLEM)
    assert "take longer" in late.json()["detail"]
    monkeypatch.undo()
    assert (await told.api.post("/what-if", json=rules)).json()["complete"], "the turn was given back"


async def test_what_if_says_when_there_was_no_time_for_all(told: Asked) -> None:
    ruleset, changes = told.service.rulebook.ruleset, list(told.store.changes_matching(ChangeFilter()))
    with within(0):
        late = outcome(ruleset, ruleset, changes, keep=0)
    assert (late.changes, late.in_time) == (0, False)
    found = outcome(ruleset, ruleset, changes, keep=0)
    assert (found.changes, found.in_time) == (len(changes), True)


async def test_what_if_brings_nothing_in_from_outside(told: Asked) -> None:
    text = told.rules.read_text() + '\n[vars]\nx = "${TOKEN}"\n'
    refused = await told.api.post("/what-if", json={"rules": text})
    assert (refused.status_code, refused.headers["content-type"]) == (422, PROBLEM)
    assert refused.json()["errors"][0]["path"] == "vars.x"


async def test_reconcile_says_why_it_cannot_look(asked: Asked) -> None:
    assert "no source has an API" in (await asked.api.post("/reconcile")).json()["detail"]
    for given, word in (
        ({}, "no source has an API"),
        ({"source": "x"}, "no source named"),
        ({"source": "prod"}, "no API"),
    ):
        answer = await asked.api.post("/reconcile", json=given)
        assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
        assert word in answer.json()["detail"]
