"""Answers, how they combine, and how they are told."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from router.domain.json import Json
from router.domain.routing import ClauseAnswer, ClauseVerdict

SHOWN: Final = 200
"""Characters of what was found that a verdict keeps: verdicts are stored, and prompts may be long."""


def all_of(answers: Iterable[ClauseAnswer]) -> ClauseAnswer:
    """Return no if one is no, else error if one is error, else yes."""
    found = set(answers)
    return "no" if "no" in found else "error" if "error" in found else "yes"


def any_of(answers: Iterable[ClauseAnswer]) -> ClauseAnswer:
    """Return yes if one is yes, else error if one is error, else no."""
    found = set(answers)
    return "yes" if "yes" in found else "error" if "error" in found else "no"


def none_of(answers: Iterable[ClauseAnswer]) -> ClauseAnswer:
    """Return no if one is yes, else error if one is error, else yes."""
    found = set(answers)
    return "no" if "yes" in found else "error" if "error" in found else "yes"


def yes_or_no(holds: bool) -> ClauseAnswer:
    return "yes" if holds else "no"


def verdict(clause: str, wanted: Json, got: Json, answer: ClauseAnswer) -> ClauseVerdict:
    return ClauseVerdict(clause=clause, wanted=wanted, got=_shortened(got), verdict=answer)


def verdict_on(clause: str, wanted: str, inner: Sequence[ClauseVerdict], answer: ClauseAnswer) -> ClauseVerdict:
    """Return the verdict of something that consists of others."""
    held = sum(one.verdict == "yes" for one in inner)
    return ClauseVerdict(
        clause=clause, wanted=wanted, got=f"{held} of {len(inner)} hold", verdict=answer, inner=tuple(inner)
    )


def _shortened(got: Json) -> Json:
    if not isinstance(got, str | list | dict):
        return got
    text = got if isinstance(got, str) else msgspec.json.encode(got).decode()
    return got if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
