"""Pages: Jinja templates that escape everything, and the words in which times and numbers are told."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final, TypeAlias

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import MediaType, Request, Response
from litestar.datastructures import State
from litestar.response import Redirect
from litestar.template.base import csrf_token
from markupsafe import Markup, escape

from router.domain.counted import counted, form
from router.domain.json import Json

AnyRequest: TypeAlias = Request[Any, Any, State]

MOST_SHOWN: Final = 256 * 1024
"""Characters of a body that a page shows; the rest is in the download."""


CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def page(request: AnyRequest, template: str, **context: object) -> Response[str]:
    """Return a page. Call it on a thread where there is much to show."""
    html = _ENVIRONMENT.get_template(template).render(
        context, path=request.url.path, csrf=csrf_token({"request": request}), now=datetime.now(UTC)
    )
    return Response(html, media_type=MediaType.HTML, headers=HEADERS)


def error_page(request: AnyRequest, status: HTTPStatus, detail: str) -> Response[str]:
    response = page(request, "error.html", status=status, detail=detail)
    response.status_code = status
    return response


def see_other(path: str) -> Redirect:
    """Answer a form: what follows is another page."""
    return Redirect(path, status_code=303)


def ago(moment: datetime | None, now: datetime) -> str:
    """Return how long ago something was; what is ahead is `in …`."""
    if moment is None:
        return "never"
    passed = now - moment
    if abs(passed) < timedelta(seconds=1):
        return "now"
    return f"{duration(passed)} ago" if passed > timedelta() else f"in {duration(-passed)}"


def is_ahead(moment: datetime, now: datetime) -> bool:
    """Tell whether people would call it the future."""
    return moment - now >= timedelta(seconds=1)


def duration(length: timedelta) -> str:
    """Return a length of time in its two greatest units' first, as people say it: 3 s, 5 min, 2 h, 4 d."""
    seconds = length.total_seconds()
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds * 1000:.0f} ms"


def moment(time: datetime | None) -> str:
    return "" if time is None else time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def compact(value: Json) -> str:
    return msgspec.json.encode(value).decode()


def pretty(value: Json) -> str:
    """Return JSON for reading, cut where it is endless."""
    return cut(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def cut(text: str) -> str:
    more = len(text) - MOST_SHOWN
    return text if more <= 0 else f"{text[:MOST_SHOWN]}\n… {counted(more, 'more character')}"


def ticked(text: str) -> Markup:
    """Return text in which `words between ticks` are code, as they are on a terminal by custom."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # one tick has no other
        return escape(text)
    code = Markup("<code>{}</code>")
    return Markup("").join(code.format(part) if place % 2 else escape(part) for place, part in enumerate(parts))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("router.service.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["ahead_of"] = is_ahead
    environment.filters.update(
        ago=ago,
        duration=duration,
        moment=moment,
        compact=compact,
        pretty=pretty,
        cut=cut,
        ticked=ticked,
        count=counted,
        noun=form,
    )
    return environment


_ENVIRONMENT: Final = _environment()
