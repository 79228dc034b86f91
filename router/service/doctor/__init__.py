"""Looks whether everything is as the service needs it: variables, store, ways out, ways in, clocks. Sends nothing."""

import asyncio
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeAlias

import msgspec

from router.delivery.client import Clients
from router.delivery.echo import without_secrets
from router.domain.problem import RouterError, RulesError
from router.engine.lint import lint
from router.engine.rulesfile import Outside
from router.service.doctor import destinations, keeping, running, sources
from router.service.doctor.case import Case
from router.service.doctor.clock import clock_findings
from router.service.doctor.finding import Finding, Level, of_problem
from router.service.rulebook import Loaded, load
from router.storage.database import sqlite_file
from router.storage.errors import StoreError
from router.storage.store import Store

__all__ = ["Finding", "Level", "examine"]

Check: TypeAlias = tuple[str, Coroutine[Any, Any, list[Finding]]]
"""What it is about, and what looks."""

THREADS: Final = 64
"""Names are resolved in threads, and a name server that does not answer must not hold up the others."""


def examine(path: str, store_url: str | None, outside: Outside, seconds: float) -> list[Finding]:
    """Return what is found of the rules file at `path`, and of all that it speaks of, within so many seconds."""
    found = [Finding(level="ok", where="rules", what=f"{path}: nothing is missing")]
    try:
        loaded = load(path, outside, missing="error")
    except RulesError as error:
        found = [of_problem("fault", problem) for problem in error.problems]
        try:
            loaded = load(path, outside, missing="placeholder")
        except RulesError:
            return found  # there are faults that no variable mends
    told = {one.what for one in found}
    found += asyncio.run(_examined(loaded, store_url or loaded.file.store.url.reveal(), seconds))
    found += [of_problem("warning", one) for one in lint(loaded.file, loaded.ruleset) if one.what not in told]
    return [_masked(one, loaded) for one in found]


async def _examined(loaded: Loaded, url: str, seconds: float) -> list[Finding]:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    opening = asyncio.create_task(asyncio.to_thread(_opened, url))
    async with Clients() as clients:
        case = Case(loaded=loaded, url=url, clients=clients, opening=opening)
        found = await _within(seconds, _checks(case))
    if opening.done() and not opening.exception() and (store := opening.result()) is not None:
        await asyncio.to_thread(store.close)
    tolerances = [one.tolerance for one in loaded.ruleset.sources.values() if one.tolerance is not None]
    return [*found, *clock_findings(case.ahead, min(tolerances, default=None))]


def _opened(url: str) -> Store | None:
    """Return the store; None if there is none yet. Raises StoreError."""
    file = sqlite_file(url)
    return None if file is not None and file.parent.is_dir() and not file.exists() else Store.open(url)


def _checks(case: Case) -> list[Check]:
    ruleset = case.loaded.ruleset
    return [
        ("store", keeping.store(case)),
        ("service", running.service(case)),
        ("server.public_url", running.public_url(case)),
        *((f"sources.{name}", sources.source(case, one)) for name, one in ruleset.sources.items()),
        ("sources", sources.refusals(case)),
        *(
            (f"sources.{name}.api", sources.api(case, one, one.api))
            for name, one in ruleset.sources.items()
            if one.api is not None
        ),
        *((f"destinations.{name}", destinations.destination(case, one)) for name, one in ruleset.destinations.items()),
    ]


async def _within(seconds: float, checks: Sequence[Check]) -> list[Finding]:
    """Return what the checks find, in their order; what takes longer is a fault of its own."""
    tasks = [asyncio.create_task(check) for _, check in checks]
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    found: list[Finding] = []
    for (where, _), task in zip(checks, tasks, strict=True):
        if task in late:
            what = f"no answer within {seconds:g} s"
            found.append(Finding(level="fault", where=where, what=what, fix=destinations.remedy(what)))
            continue
        try:
            found += task.result()
        except StoreError:
            continue  # the store's own check tells it
        except Exception as error:
            what = str(error) if isinstance(error, RouterError) else f"the check itself failed: {type(error).__name__}"
            found.append(Finding(level="fault", where=where, what=what))
    return found


def _masked(finding: Finding, loaded: Loaded) -> Finding:
    """Return the finding without the secrets that somebody may have echoed."""
    file = loaded.file
    holders = (file.server, file.store, file.sources, file.destinations)
    what, fix = (without_secrets(text, *holders) for text in (finding.what, finding.fix))
    return msgspec.structs.replace(finding, what=what, fix=fix)
