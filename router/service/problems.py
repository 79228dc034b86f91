"""Every refusal as `application/problem+json` (RFC 9457); `errors` lists what is wrong where it can be several."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

import msgspec
from litestar.exceptions import HTTPException, InternalServerException
from litestar.openapi import ResponseSpec
from litestar.plugins.problem_details import ProblemDetailsConfig, ProblemDetailsException, ProblemDetailsPlugin
from msgspec import Struct

from router.domain.counted import counted
from router.domain.problem import Problem, RouterError, RulesError
from router.storage.errors import StoreUnavailable
from router.storage.filters import NoCursor

MEDIA_TYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = 1


class Fault(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong with what was sent: `path` says where; in a rules file, `place` as `file:line:column`."""

    what: str
    path: str = ""
    place: str = ""


class ProblemDetails(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a request was refused."""

    status: int
    title: str
    detail: str
    errors: tuple[Fault, ...] = ()


def plugin() -> ProblemDetailsPlugin:
    """Return what makes every exception of an application a problem."""
    return ProblemDetailsPlugin(
        ProblemDetailsConfig(
            exception_to_problem_detail_map={
                HTTPException: _refused,
                RulesError: _rules_refused,
                StoreUnavailable: _unavailable,
                NoCursor: _no_cursor,
                Exception: _fault_of_ours,
            }
        )
    )


def refusal(
    status: HTTPStatus, detail: str, errors: tuple[Fault, ...] = (), headers: Mapping[str, str] | None = None
) -> ProblemDetailsException:
    return ProblemDetailsException(
        status_code=status.value,
        title=status.phrase,
        detail=detail,
        headers=None if headers is None else dict(headers),
        extra={"errors": [msgspec.to_builtins(error) for error in errors]} if errors else None,
    )


@contextmanager
def refused() -> Iterator[None]:
    """Answer what cannot be done as it was asked for with 422, and why."""
    try:
        yield
    except StoreUnavailable:
        raise
    except RouterError as error:
        raise refusal(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error


def faults(problems: tuple[Problem, ...]) -> tuple[Fault, ...]:
    """Return what is wrong with a rules file."""
    return tuple(Fault(what=problem.what, path=problem.path, place=str(problem.place)) for problem in problems)


def documented(*statuses: HTTPStatus) -> dict[int, ResponseSpec]:
    """Return these refusals as an OpenAPI document has them, with those of every route behind the token."""
    return {
        status.value: ResponseSpec(
            ProblemDetails,
            description=status.description or status.phrase,
            media_type=MEDIA_TYPE,
            generate_examples=False,
        )
        for status in (*statuses, HTTPStatus.UNAUTHORIZED, HTTPStatus.SERVICE_UNAVAILABLE)
    }


def status_of(error: Exception) -> int:
    """Return with what an exception is answered."""
    match error:
        case InternalServerException(detail="client disconnected prematurely"):
            return HTTPStatus.BAD_REQUEST  # Litestar takes it for a fault; nobody is there to be answered
        case HTTPException(status_code=status):
            return status
        case RulesError():
            return HTTPStatus.UNPROCESSABLE_ENTITY
        case StoreUnavailable():
            return HTTPStatus.SERVICE_UNAVAILABLE
        case NoCursor():
            return HTTPStatus.NOT_FOUND
        case _:
            return HTTPStatus.INTERNAL_SERVER_ERROR


def _refused(error: HTTPException) -> ProblemDetailsException:
    if isinstance(error, ProblemDetailsException):
        return error
    said = error.extra if isinstance(error.extra, list) else []
    errors = tuple(
        Fault(what=str(one["message"]), path=str(one.get("key", "")))
        for one in said
        if isinstance(one, Mapping) and "message" in one
    )
    return refusal(HTTPStatus(error.status_code), error.detail, errors, error.headers)


def _rules_refused(error: RulesError) -> ProblemDetailsException:
    count = counted(len(error.problems), "problem")
    return refusal(HTTPStatus.UNPROCESSABLE_ENTITY, f"the rules have {count}", faults(error.problems))


def _unavailable(error: StoreUnavailable) -> ProblemDetailsException:
    return refusal(HTTPStatus.SERVICE_UNAVAILABLE, str(error), headers={"Retry-After": str(RETRY_SECONDS)})


def _no_cursor(error: NoCursor) -> ProblemDetailsException:
    return refusal(HTTPStatus.NOT_FOUND, str(error))


def _fault_of_ours(error: Exception) -> ProblemDetailsException:  # noqa: ARG001 -- it is logged, not told
    return refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "the router itself failed; its log says why")
