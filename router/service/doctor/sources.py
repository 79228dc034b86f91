"""Whether each source can be heard, and Langfuse's API asked: its keys, its project, its version."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

from router.domain.counted import counted
from router.domain.listing import Ask
from router.domain.source import Api, Source
from router.engine.rulesfile.expand import Placeholder
from router.engine.rulesfile.kinds import duration_text
from router.service.doctor.case import Case
from router.service.doctor.destinations import reached
from router.service.doctor.finding import Finding
from router.service.public_api import ApiUnavailable, PublicApi
from router.storage.records import EventFilter, PromptFilter
from router.storage.store import Store

LANGFUSE_SECRET: Final = "lf-whsec_"  # noqa: S105 -- how one begins
REFUSALS_FOR: Final = timedelta(days=1)

_LOOK: Final = "in Langfuse, is the automation still on? It is switched off after five refusals, and tells nobody"


async def source(case: Case, known: Source) -> list[Finding]:
    """Return whether its secrets look like secrets, and when it was heard last."""
    where, place = f"sources.{known.name}", case.place("sources", known.name)
    found = [
        Finding(
            level="warning",
            where=where,
            place=case.place("sources", known.name, "secret"),
            what=f"a secret that does not begin with {LANGFUSE_SECRET}, as Langfuse's do",
            fix="give the whole of what Langfuse showed",
        )
        for secret in known.secrets
        if not isinstance(secret, Placeholder) and not secret.reveal().startswith(LANGFUSE_SECRET)
        if not known.plain_signature
    ]
    store = await case.store()
    if store is None:
        return found
    heard = await asyncio.to_thread(store.heard_at, known.name)
    if heard is None:
        what = "no webhook has come yet"
        return [*found, Finding(level="warning", where=where, place=place, what=what, fix=_LOOK)]
    said = f"the last webhook came {heard:%Y-%m-%d %H:%M} UTC"
    if known.expect_every is not None and datetime.now(UTC) - heard > known.expect_every:
        what = f"silent: {said}, one is expected every {duration_text(known.expect_every)}"
        return [*found, Finding(level="fault", where=where, place=place, what=what, fix=_LOOK)]
    return [*found, Finding(level="ok", where=where, what=said)]


async def refusals(case: Case) -> list[Finding]:
    """Return whether webhooks were refused of late that looked well signed."""
    store = await case.store()
    if store is None:
        return []
    since = datetime.now(UTC) - REFUSALS_FOR
    wanted = EventFilter(type="router.signature_refused", since=since)
    told = (await asyncio.to_thread(store.events, wanted)).items
    if not told:
        return []
    what = f"signatures were refused, last told {told[0].received_at:%Y-%m-%d %H:%M} UTC"
    fix = f"langfuse-router events show {told[0].id}"
    return [Finding(level="warning", where="sources", what=what, fix=fix)]


async def api(case: Case, known: Source, there: Api) -> list[Finding]:
    """Return whether Langfuse's API can be reached, takes the keys, and shows the project that webhooks come from."""
    where, place = f"sources.{known.name}.api", case.place("sources", known.name, "api")
    if any(isinstance(text, Placeholder) for text in (there.host, there.public_key, there.secret_key)):
        return []
    found = await reached(case, where, place, there.host, there)
    if any(one.level == "fault" for one in found):
        return found
    asked = PublicApi(known.name, there, case.clients, waits=(0.0,))
    try:
        page = await asked.page(1)
        version = await asked.server_version()
        event = None
        if page.prompts:
            first = page.prompts[0]
            event = await asked.version(first.name, Ask(version=max(first.versions)))
    except ApiUnavailable as error:
        return [*found, Finding(level="fault", where=where, place=place, what=str(error), fix="mend host or keys")]
    what = f"shows {counted(page.total, 'prompt')}" + (f", Langfuse {version}" if version else "")
    found.append(Finding(level="ok", where=where, what=what))
    project, store = None if event is None else event.project_id, await case.store()
    if project is None or store is None:
        return found
    projects = await asyncio.to_thread(_projects, store, known.name)
    if projects and project not in projects:
        what = f"the keys are of project {project}, webhooks come from {', '.join(sorted(projects))}"
        fix = "give the keys of that project, or a source of its own to this one"
        found.append(Finding(level="fault", where=where, place=place, what=what, fix=fix))
    return found


def _projects(store: Store, source: str) -> set[str]:
    prompts = store.prompts(PromptFilter(source=source), limit=1000).items
    return {ledger.prompt.project_id for ledger in prompts}
