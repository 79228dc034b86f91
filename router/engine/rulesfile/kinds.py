"""How single values are written in a rules file, and what they become."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Final, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from msgspec import Struct

from router.domain.destination import DefaultTree, Rate
from router.domain.json import Json, JsonObject
from router.domain.text import MASK, Text
from router.engine.cron import BadCron, BadZone, Cron, next_time
from router.engine.rulesfile.expand import Placeholder
from router.engine.suggest import suggestion
from router.engine.times import DAYS, Span

Item = TypeVar("Item")


class Unfit(ValueError):
    """A value is not what its key wants. The text says how; empty: just not what the kind wants.

    `at`: which item of a list, or which key of a table.
    """

    def __init__(self, what: str = "", at: int | str | None = None) -> None:
        super().__init__(what)
        self.at = at


class Kind(Struct, frozen=True, kw_only=True):
    """How a value is written. `read` raises Unfit.

    `text`: it stays text, so a placeholder may stand for it. `secret`: no message may show it.
    `userinfo`: a URL that may hold a password. `examples`: ways to write it, for editors.
    """

    wanted: str
    read: Callable[[DefaultTree], object]
    schema: JsonObject
    examples: tuple[Json, ...] = ()
    text: bool = False
    secret: bool = False
    userinfo: bool = False


_DAY: Final = "|".join(DAYS)
DAY_PATTERN: Final = f"^({_DAY})(?:-({_DAY}))?$"
SPAN_PATTERN: Final = "^((?:[01][0-9]|2[0-3]):[0-5][0-9])-((?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
DURATION_PATTERN: Final = "^([0-9]+)(ms|s|m|h|d)$"
_LONGEST: Final = timedelta(days=36_500)
_UNITS: Final = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_CRON_KEYS: Final = ("cron", "zone")
_ANY_TIME: Final = datetime(2026, 1, 1, tzinfo=UTC)
_SIZES: Final = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def plain(value: DefaultTree) -> DefaultTree:
    """Return what came in through `${…}` as any other string."""
    return value.reveal() if isinstance(value, Text) else value


def _string(value: DefaultTree) -> str:
    value = plain(value)
    if not isinstance(value, str):
        raise Unfit
    return value


def _filled(value: DefaultTree) -> str:
    if not (text := _string(value).strip()):
        raise Unfit("is empty")
    return text


def _as_text(value: DefaultTree) -> Text:
    if isinstance(value, Text):
        return value
    return Text(_string(value))


def _filled_text(value: DefaultTree) -> Text:
    text = _as_text(value)
    if not text.reveal().strip():
        raise Unfit("is empty")
    return text


def _line(value: DefaultTree) -> Text:
    text = _filled_text(value)
    if not text.reveal().isprintable():
        raise Unfit("has a line break or a control character in it")
    return text


def _masked(text: Text) -> Text:
    return text if isinstance(text, Placeholder) else Text.secret(text.reveal())


def _secret(value: DefaultTree) -> Text:
    return _masked(_filled_text(value))


def _credential(value: DefaultTree) -> Text:
    """Read a secret that goes into a header: one line of it."""
    return _masked(_line(value))


def _pem(value: DefaultTree) -> Text:
    text = _secret(value)
    if not isinstance(text, Placeholder) and "PRIVATE KEY-----" not in text.reveal():
        raise Unfit
    return text


def _optional_secret(value: DefaultTree) -> Text | None:
    return _credential(value) if _as_text(value).reveal() else None


def _items(value: DefaultTree, read: Callable[[DefaultTree], Item], wanted: str) -> tuple[Item, ...]:
    """Return every item of a list. Raises Unfit for the first that is not `wanted`, saying which."""
    if not isinstance(value, list):
        raise Unfit
    items: list[Item] = []
    for index, item in enumerate(value):
        try:
            items.append(read(item))
        except Unfit as error:
            raise Unfit(str(error) or f"expected {wanted}", at=index) from error
    return tuple(items)


def _some(items: tuple[Item, ...]) -> tuple[Item, ...]:
    if not items:
        raise Unfit("is an empty list")
    return items


def _secrets(value: DefaultTree) -> tuple[Text, ...]:
    return _some(_items(value, _secret, "a string")) if isinstance(value, list) else (_secret(value),)


def _integer(value: DefaultTree) -> int:
    if isinstance(value, Text) and re.fullmatch("[0-9]{1,18}", value.reveal().strip()):
        return int(value.reveal())
    if type(value) is not int:
        raise Unfit
    return value


def _within(low: int, high: int) -> Callable[[DefaultTree], int]:
    def read(value: DefaultTree) -> int:
        number = _integer(value)
        if not low <= number <= high:
            raise Unfit
        return number

    return read


def _bool(value: DefaultTree) -> bool:
    if isinstance(value, Text):
        value = {"true": True, "false": False}.get(value.reveal().strip().lower())
    if not isinstance(value, bool):
        raise Unfit
    return value


def _duration(value: DefaultTree) -> timedelta:
    found = re.fullmatch(DURATION_PATTERN, _string(value))
    if not found:
        raise Unfit
    if len(found[1]) > 15 or int(found[1]) * (_UNITS[found[2]] / timedelta(seconds=1)) > _LONGEST.total_seconds():
        raise Unfit("expected a duration of at most 100 years")
    return int(found[1]) * _UNITS[found[2]]


def duration_text(duration: timedelta) -> str:
    """Return a duration as the rules file writes it."""
    unit = next(unit for unit in reversed(_UNITS) if duration % _UNITS[unit] == timedelta())
    return f"{duration // _UNITS[unit]}{unit}"


def _positive_duration(value: DefaultTree) -> timedelta:
    if not (duration := _duration(value)):
        raise Unfit("expected a duration longer than 0")
    return duration


def _durations(value: DefaultTree) -> tuple[timedelta, ...]:
    return _items(value, _duration, 'a duration such as "5s"')


def _collect(value: DefaultTree) -> timedelta | Cron:
    if not isinstance(value, dict):
        return _positive_duration(value)
    for key in value:
        if key not in _CRON_KEYS:
            raise Unfit(f"unknown key{suggestion(key, _CRON_KEYS)}", at=key)
    if "cron" not in value:
        raise Unfit('`cron` is missing: when to tell, such as "0 9 * * 1"')
    cron = Cron(_entry(value, "cron"), _entry(value, "zone") if "zone" in value else None)
    try:
        next_time(cron, _ANY_TIME)
    except BadCron as error:
        raise Unfit(str(error), at="cron") from error
    except BadZone as error:
        raise Unfit(str(error), at="zone") from error
    return cron


def _entry(table: dict[str, DefaultTree], key: str) -> str:
    try:
        return _filled(table[key])
    except Unfit as error:
        raise Unfit(str(error) or "expected a string", at=key) from error


def _tolerance(value: DefaultTree) -> timedelta | None:
    return None if plain(value) == "off" else _positive_duration(value)


def _size(value: DefaultTree) -> int:
    if type(value) is int:
        size = value
    elif found := re.fullmatch("([0-9]{1,12}) ?([KMG]i?B|B)?", _string(value)):
        size = int(found[1]) * _SIZES[found[2] or "B"]
    else:
        raise Unfit
    if size < 1:
        raise Unfit
    return size


def _rate(value: DefaultTree) -> Rate:
    found = re.fullmatch("([1-9][0-9]{0,8})/([0-9]*)(ms|s|m|h|d)", _string(value))
    if not found:
        raise Unfit
    return Rate(int(found[1]), _positive_duration(f"{found[2] or 1}{found[3]}"))


def choice(*choices: str) -> Kind:
    def read(value: DefaultTree) -> str:
        text = _string(value)
        if text not in choices:
            raise Unfit
        return text

    wanted = " or ".join(f'"{choice}"' for choice in choices)
    return Kind(wanted=wanted, read=read, schema={"enum": list(choices)}, examples=choices)


def _table(value: DefaultTree) -> dict[str, DefaultTree]:
    if not isinstance(value, dict):
        raise Unfit
    return value


def _tables(value: DefaultTree) -> tuple[dict[str, DefaultTree], ...]:
    return _some(_items(value, _table, "a table"))


def masked_url(text: Text) -> Text:
    """Return a URL whose password, if one is written in it, is masked."""
    if isinstance(text, Placeholder):
        return text
    return Text(text.reveal(), re.sub(r"(?<=://)([^:@/]*):.*@", rf"\1:{MASK}@", text.shown, flags=re.DOTALL))


def _url(*schemes: str) -> Callable[[DefaultTree], Text]:
    def read(value: DefaultTree) -> Text:
        text = _filled_text(value)
        if not isinstance(text, Placeholder):
            _check_url(text.reveal(), schemes)
        return masked_url(text)

    return read


def _check_url(url: str, schemes: Sequence[str]) -> None:
    """Raise Unfit if this is no URL with a host; what it says never shows the URL, which may hold a secret."""
    if not url.isprintable() or " " in url:
        raise Unfit("has a space, line break or control character in it")
    if "{{" in url or "{%" in url:
        raise Unfit("an address is never a template; `path` and `query` of an action may be")
    try:
        parts = urlsplit(url)
        fit = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fit = False
    if not fit:
        raise Unfit(f"expected {_address(schemes)} and a host")


def _address(schemes: Sequence[str]) -> str:
    return "a URL with " + " or ".join(f"{scheme}://" for scheme in schemes)


def _secret_url(value: DefaultTree) -> Text:
    return _masked(_url("https", "http")(value))


def _public_url(value: DefaultTree) -> str:
    return _url("https", "http")(value).reveal()


def _store_url(value: DefaultTree) -> Text:
    text = _filled_text(value)
    if not isinstance(text, Placeholder) and not re.match(
        r"sqlite(\+pysqlite)?:///.|postgres(ql)?(\+psycopg)?://.", text.reveal()
    ):
        raise Unfit("expected sqlite:///FILE or postgresql://user@host/db")
    return masked_url(text)


def _proxy(value: DefaultTree) -> Text:
    return Text("env") if plain(value) == "env" else _url("http", "https")(value)


def _repository(value: DefaultTree) -> Text:
    text = _filled_text(value)
    if not isinstance(text, Placeholder) and not re.fullmatch(r"[\w.-]+/[\w.-]+", text.reveal(), re.ASCII):
        raise Unfit
    return text


def _sender(value: DefaultTree) -> Text:
    text = _line(value)
    if not isinstance(text, Placeholder) and "@" not in text.reveal():
        raise Unfit
    return text


def _domain(value: DefaultTree) -> str:
    if not re.fullmatch(r"[\w-]+(\.[\w-]+)*", domain := _string(value)):
        raise Unfit
    return domain.lower()


def _domains(value: DefaultTree) -> tuple[str, ...]:
    return _some(_items(value, _domain, 'a domain such as "example.com"'))


def _listed(value: DefaultTree, read: Callable[[DefaultTree], Item], wanted: str) -> tuple[Item, ...]:
    return _some(_items(value, read, wanted)) if isinstance(value, list) else (read(value),)


def _zone(value: DefaultTree) -> str:
    name = _string(value)
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise Unfit(f'there is no time zone "{name}"{suggestion(name, available_timezones())}') from error
    return name


def _day(value: DefaultTree) -> frozenset[int]:
    found = re.fullmatch(DAY_PATTERN, _string(value))
    if not found:
        raise Unfit
    first, last = DAYS.index(found[1]), DAYS.index(found[2] or found[1])
    return frozenset((first + step) % 7 for step in range((last - first) % 7 + 1))


def _days(value: DefaultTree) -> frozenset[int]:
    return frozenset[int]().union(*_listed(value, _day, 'a day or days such as "mon-fri"'))


def _span(value: DefaultTree) -> Span:
    found = re.fullmatch(SPAN_PATTERN, _string(value))
    if not found:
        raise Unfit
    start, end = time.fromisoformat(found[1]), None if found[2] == "24:00" else time.fromisoformat(found[2])
    if start == end:
        raise Unfit("ends when it starts; leave `hours` out for whole days")
    return Span(start, end)


def _spans(value: DefaultTree) -> tuple[Span, ...]:
    return _listed(value, _span, 'hours such as "09:00-18:00"')


def described(about: str, schema: JsonObject, *examples: Json) -> JsonObject:
    """Return the schema with what it is for and ways to write it, as editors show them."""
    return {"description": about, **schema, "examples": list(examples)}


A_STRING: Final[JsonObject] = {"type": "string", "minLength": 1}
STRING_LIST: Final[JsonObject] = {"type": "array", "items": A_STRING, "minItems": 1}
OPEN: Final[JsonObject] = {"type": "object", "additionalProperties": True}
_DURATION: Final[JsonObject] = {"type": "string", "pattern": DURATION_PATTERN}


def _one_or_several(schema: JsonObject) -> JsonObject:
    return {"anyOf": [schema, {"type": "array", "items": schema, "minItems": 1}]}


STRING = Kind(wanted="a string", read=_string, schema={"type": "string"}, text=True)
FILLED = Kind(wanted="a string", read=_filled, schema=A_STRING, text=True)
FILLED_TEXT = Kind(wanted="a string", read=_line, schema=A_STRING, text=True)
PEM = Kind(
    wanted="a private key as PEM",
    read=_pem,
    schema=A_STRING,
    text=True,
    secret=True,
    examples=("${file:/run/secrets/github-app.pem}",),
)
BOOL = Kind(wanted="true or false", read=_bool, schema={"type": "boolean"}, examples=(True, False))
PORT = Kind(
    wanted="a port number from 0 to 65535",
    read=_within(0, 65535),
    schema={"type": "integer", "minimum": 0, "maximum": 65535},
    examples=(8787,),
)
COUNT = Kind(
    wanted="a whole number from 1 to 1000",
    read=_within(1, 1000),
    schema={"type": "integer", "minimum": 1, "maximum": 1000},
    examples=(8,),
)
DURATION = Kind(wanted='a duration such as "5s"', read=_duration, schema=_DURATION, examples=("5s", "500ms"))
POSITIVE_DURATION = Kind(
    wanted='a duration such as "5s"', read=_positive_duration, schema=_DURATION, examples=("10s", "5m", "30d")
)
DURATIONS = Kind(
    wanted='a list of durations such as ["5s", "2m"]',
    read=_durations,
    schema={"type": "array", "items": _DURATION},
    examples=(["5s", "2m", "1h"],),
)
COLLECT = Kind(
    wanted='a duration such as "1m", or a table such as { cron = "0 9 * * 1", zone = "Europe/Berlin" }',
    read=_collect,
    schema={
        "anyOf": [
            _DURATION,
            {
                "type": "object",
                "properties": {
                    "cron": described("When it fires, in the five fields of cron.", A_STRING, "0 9 * * mon-fri"),
                    "zone": described("The time zone of these (UTC).", A_STRING, "Europe/Berlin"),
                },
                "required": ["cron"],
                "additionalProperties": False,
            },
        ]
    },
    examples=("1h", {"cron": "0 9 * * mon-fri", "zone": "Europe/Berlin"}),
)
TOLERANCE = Kind(
    wanted='a duration such as "5m", or "off"',
    read=_tolerance,
    schema={"type": "string", "pattern": f"{DURATION_PATTERN}|^off$"},
    examples=("5m", "off"),
)
SIZE = Kind(
    wanted='a size such as "20MiB"',
    read=_size,
    schema={"type": ["string", "integer"], "pattern": "^[0-9]{1,12} ?([KMG]i?B|B)?$", "minimum": 1},
    examples=("20MiB", "512KiB"),
)
RATE = Kind(
    wanted='a rate such as "1/s"',
    read=_rate,
    schema={"type": "string", "pattern": "^[1-9][0-9]{0,8}/[0-9]*(ms|s|m|h|d)$"},
    examples=("1/s", "30/5m"),
)
CREDENTIAL = Kind(
    wanted="a string",
    read=_credential,
    schema=A_STRING,
    text=True,
    secret=True,
    examples=("${TOKEN}", "${file:/run/secrets/token}"),
)
OPTIONAL_SECRET = Kind(
    wanted="a string",
    read=_optional_secret,
    schema={"type": "string"},
    text=True,
    secret=True,
    examples=("${TOKEN}", "${TOKEN:-}"),
)
KEY = Kind(wanted="a string", read=_filled_text, schema=A_STRING, text=True, examples=("${LANGFUSE_PUBLIC_KEY}",))
SECRETS = Kind(
    wanted="a string or a list of strings",
    read=_secrets,
    schema={"anyOf": [A_STRING, STRING_LIST]},
    text=True,
    secret=True,
    examples=("${SECRET}", ["${SECRET}", "${OLD_SECRET}"]),
)
HTTP_URL = Kind(
    wanted=_address(("https", "http")),
    read=_url("https", "http"),
    schema=A_STRING,
    text=True,
    userinfo=True,
    examples=("https://api.example.com/v1", "https://user:${PASSWORD}@example.com"),
)
PUBLIC_URL = Kind(
    wanted=_address(("https", "http")),
    read=_public_url,
    schema=A_STRING,
    text=True,
    examples=("https://router.example.com",),
)
SECRET_URL = Kind(
    wanted=_address(("https", "http")),
    read=_secret_url,
    schema=A_STRING,
    text=True,
    secret=True,
    userinfo=True,
    examples=("${WEBHOOK_URL}",),
)
SMTP_SCHEMES: Final = ("smtp", "smtps", "smtp+starttls")
SMTP_URL = Kind(
    wanted=_address(SMTP_SCHEMES),
    read=_url(*SMTP_SCHEMES),
    schema=A_STRING,
    text=True,
    secret=True,
    userinfo=True,
    examples=("smtp+starttls://mailer:${SMTP_PASSWORD}@mail.example.com:587", "smtps://mail.example.com"),
)
STORE_URL = Kind(
    wanted="a URL",
    read=_store_url,
    schema=A_STRING,
    text=True,
    secret=True,
    userinfo=True,
    examples=("sqlite:///router.db", "postgresql://router:${DB_PASSWORD}@db/router"),
)
PROXY = Kind(
    wanted='a URL, or "env"',
    read=_proxy,
    schema=A_STRING,
    text=True,
    secret=True,
    userinfo=True,
    examples=("env", "http://proxy.example.com:3128"),
)
REPOSITORY = Kind(
    wanted='a repository such as "acme/prompts"',
    read=_repository,
    schema=A_STRING,
    text=True,
    examples=("acme/prompts",),
)
SENDER = Kind(
    wanted='an address such as "Prompts <prompts@example.com>"',
    read=_sender,
    schema=A_STRING,
    text=True,
    examples=("Prompts <prompts@example.com>",),
)
DOMAINS = Kind(
    wanted='a list of domains such as ["example.com"]', read=_domains, schema=STRING_LIST, examples=(["example.com"],)
)
TABLE = Kind(wanted="a table", read=_table, schema=OPEN)
TABLES = Kind(wanted="a list of tables", read=_tables, schema={"type": "array", "items": OPEN, "minItems": 1})
ZONE = Kind(
    wanted='a time zone such as "Europe/Berlin"', read=_zone, schema=A_STRING, examples=("Europe/Berlin", "UTC")
)
WEEKDAYS = Kind(
    wanted='days such as ["mon-fri", "sun"]',
    read=_days,
    schema=_one_or_several({"type": "string", "pattern": DAY_PATTERN}),
    examples=(["mon-fri"], ["sat", "sun"]),
)
HOURS = Kind(
    wanted='hours such as ["09:00-18:00"]',
    read=_spans,
    schema=_one_or_several({"type": "string", "pattern": SPAN_PATTERN}),
    examples=(["09:00-18:00"], ["22:00-07:00"]),
)
