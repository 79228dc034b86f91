"""The format of a rules file: every table's keys, how each is written, and what it becomes.

The reader and the JSON Schema are both made from these tables, so a key cannot exist in one and not in the other.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Literal, TypeAlias, get_args

from msgspec import Struct

from router.domain.delivery import Mode
from router.domain.destination import ContentShown
from router.domain.json import Json, JsonObject
from router.domain.message import DestinationType
from router.domain.text import Text
from router.engine.cron import Cron
from router.engine.rulesfile.kinds import (
    A_STRING,
    BOOL,
    COLLECT,
    COUNT,
    CREDENTIAL,
    DOMAINS,
    DURATION,
    DURATIONS,
    FILLED,
    FILLED_TEXT,
    HOURS,
    HTTP_URL,
    KEY,
    OPEN,
    OPTIONAL_SECRET,
    PEM,
    PORT,
    POSITIVE_DURATION,
    PROXY,
    PUBLIC_URL,
    RATE,
    REPOSITORY,
    SECRET_URL,
    SECRETS,
    SENDER,
    SIZE,
    SMTP_URL,
    STORE_URL,
    STRING,
    STRING_LIST,
    TABLE,
    TABLES,
    TOLERANCE,
    WEEKDAYS,
    ZONE,
    Kind,
    choice,
    described,
)

Group: TypeAlias = Literal["version", "prompt"]

DESTINATION_TYPES: Final[tuple[DestinationType, ...]] = get_args(DestinationType)
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
ON_DELETE: Final = ("delete", "keep")
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Server(Struct, frozen=True, kw_only=True):
    """`[server]`. `max_body` in bytes. `admin_token` None: the console and the API are off."""

    host: str = "127.0.0.1"
    port: int = 8787
    admin_port: int | None = None
    admin_token: Text | None = None
    public_url: str | None = None
    max_body: int = 20 * 2**20


class StoreSettings(Struct, frozen=True, kw_only=True):
    """`[store]`. `url`: `sqlite:///FILE` or `postgresql://…`; `spool`: the file for events while PostgreSQL is away."""

    url: Text = Text("sqlite:///router.db")
    retention: timedelta = timedelta(days=90)
    spool: str | None = None


class RuleSpec(Struct, frozen=True, kw_only=True):
    """One `[[rules]]`. `match` is as written, `actions` are whole; `index` counts over all files."""

    name: str
    description: str = ""
    enabled: bool = True
    mode: Mode = "live"
    group: Group = "version"
    fallback: bool = False
    throttle: timedelta | None = None
    collect: timedelta | Cron | None = None
    match: JsonObject = {}
    actions: tuple[JsonObject, ...]
    index: int


class Key(Struct, frozen=True, kw_only=True):
    """One key of a table; `field` is the field that it fills, where that has another name.

    `examples`: more telling ones than those of its kind.
    """

    kind: Kind
    about: str
    required: bool = False
    field: str = ""
    examples: tuple[Json, ...] = ()


Keys: TypeAlias = Mapping[str, Key]


SERVER: Final[Keys] = {
    "host": Key(
        kind=FILLED,
        about="The address to listen on; 0.0.0.0 for every one.",
        examples=("127.0.0.1", "0.0.0.0"),  # noqa: S104
    ),
    "port": Key(
        kind=PORT, about="The port for webhooks, and for the rest unless `admin_port` is given; 0: a free one."
    ),
    "admin_port": Key(
        kind=PORT, about="Console, API and metrics only here, webhooks only on `port`.", examples=(8788,)
    ),
    "admin_token": Key(
        kind=OPTIONAL_SECRET, about="The bearer token of console, API and metrics; without it they are off."
    ),
    "public_url": Key(kind=PUBLIC_URL, about="Where Langfuse and people reach this server."),
    "max_body": Key(kind=SIZE, about="The largest webhook body that is accepted (20MiB)."),
}

STORE: Final[Keys] = {
    "url": Key(kind=STORE_URL, about="sqlite:///FILE or postgresql://user@host/db."),
    "retention": Key(kind=POSITIVE_DURATION, about="How long finished events and deliveries are kept (90d)."),
    "spool": Key(
        kind=FILLED,
        about="A SQLite file of this machine for events while PostgreSQL does not answer.",
        examples=("/var/lib/langfuse-router/spool.db",),
    ),
}

SOURCE: Final[Keys] = {
    "secret": Key(
        kind=SECRETS,
        about="The webhook's signing secret, or a list: any of them verifies.",
        required=True,
        field="secrets",
    ),
    "tolerance": Key(kind=TOLERANCE, about='Greatest age and future skew of a signature (5m); "off": unchecked.'),
    "settle": Key(kind=DURATION, about="How long the events of one prompt wait for each other (2s)."),
    "pair": Key(kind=DURATION, about="How long a lost label waits for the version that gained it (10s)."),
    "plain_signature": Key(kind=BOOL, about="Accept a bare hex HMAC of the body: no protection against replay."),
    "project_url": Key(
        kind=PUBLIC_URL, about="The Langfuse server, for links in messages.", examples=("https://cloud.langfuse.com",)
    ),
    "expect_every": Key(
        kind=POSITIVE_DURATION, about="A source that is silent for longer is told as `router.source_silent`."
    ),
}

API: Final[Keys] = {
    "host": Key(kind=HTTP_URL, about="The Langfuse server.", required=True),
    "public_key": Key(kind=KEY, about="The project's public API key (pk-lf-…).", required=True),
    "secret_key": Key(kind=CREDENTIAL, about="The project's secret API key (sk-lf-…).", required=True),
    "every": Key(kind=POSITIVE_DURATION, about="How often to look for what was missed (5m)."),
    "allow_private": Key(kind=BOOL, about="Allow loopback, private and link-local addresses."),
    "ca_file": Key(kind=FILLED, about="A file of certificates to trust.", examples=("/etc/ssl/our-ca.pem",)),
    "proxy": Key(kind=PROXY, about='A proxy\'s URL; "env": that of the environment.'),
}
"""`[sources.NAME.api]`"""

LIMITS: Final[Keys] = {
    "timeout": Key(kind=POSITIVE_DURATION, about="For a whole attempt (10s)."),
    "rate": Key(kind=RATE, about='Most attempts in a time, such as "1/s" (slack\'s default).'),
    "concurrency": Key(kind=COUNT, about="Most attempts at a time (8)."),
    "retry": Key(kind=DURATIONS, about="The waits between attempts."),
    "max_age": Key(kind=POSITIVE_DURATION, about="Older deliveries are given up (3d)."),
    "ordered": Key(kind=BOOL, about="Deliveries of one prompt one after the other."),
    "allow_private": Key(kind=BOOL, about="Allow loopback, private and link-local addresses."),
    "ca_file": Key(kind=FILLED, about="A file of certificates to trust.", examples=("/etc/ssl/our-ca.pem",)),
    "proxy": Key(kind=PROXY, about='A proxy\'s URL; "env": that of the environment.'),
    "content": Key(
        kind=choice(*get_args(ContentShown)), about="How much of a prompt's text built-in messages may show (full)."
    ),
}

OWN_CONNECTIONS: Final = frozenset({"allow_private", "ca_file", "proxy"})
"""What an apprise destination cannot have: Apprise makes its own connections."""

DESTINATIONS: Final[Mapping[DestinationType, Keys]] = {
    "slack": {
        "webhook_url": Key(kind=SECRET_URL, about="The incoming webhook's URL; or give a bot's `token`."),
        "token": Key(kind=CREDENTIAL, about="A bot's token with `chat:write`; channels and threads need one."),
        "api_url": Key(kind=HTTP_URL, about="The Web API, for a bot (https://slack.com/api)."),
    },
    "http": {
        "url": Key(kind=HTTP_URL, about="Where requests go; an action's `path` extends it.", required=True),
        "signing_secret": Key(
            kind=SECRETS, about="Sign requests by Standard Webhooks; a list signs with each.", field="signing_secrets"
        ),
    },
    "github": {
        "repository": Key(kind=REPOSITORY, about='Such as "acme/prompts".', required=True),
        "token": Key(kind=CREDENTIAL, about="A token that may write to the repository; or give a GitHub App."),
        "app_id": Key(kind=FILLED_TEXT, about="The id (or client id) of a GitHub App.", examples=("123456",)),
        "installation_id": Key(
            kind=FILLED_TEXT, about="The App's installation that may write to the repository.", examples=("7654321",)
        ),
        "private_key": Key(kind=PEM, about="The App's private key, a PEM: ${file:…} is best."),
        "base_url": Key(kind=HTTP_URL, about="The API of GitHub Enterprise."),
    },
    "email": {
        "smtp": Key(
            kind=SMTP_URL, about="smtp://, smtps:// or smtp+starttls://user:password@host:port.", required=True
        ),
        "from": Key(kind=SENDER, about='Such as "Prompts <prompts@example.com>".', required=True, field="sender"),
        "allowed_domains": Key(kind=DOMAINS, about="Where templated recipients may live."),
    },
    "log": {},
    "apprise": {
        "url": Key(
            kind=CREDENTIAL,
            about="The service, as Apprise writes it, with the credentials in it.",
            required=True,
            examples=("${NTFY_URL}",),
        )
    },
}


def limits_of(type: DestinationType) -> Keys:
    """Return the keys by which a destination of this type says how it wants to be treated."""
    return {name: key for name, key in LIMITS.items() if type != "apprise" or name not in OWN_CONNECTIONS}


TIMES: Final[Keys] = {
    "zone": Key(kind=ZONE, about="The time zone whose clocks count (UTC)."),
    "days": Key(kind=WEEKDAYS, about='Days such as "mon-fri" (every day).'),
    "hours": Key(kind=HOURS, about='Hours such as "09:00-18:00", also over midnight (the whole day).'),
}

RULE: Final[Keys] = {
    "name": Key(
        kind=FILLED,
        about="What verdicts, counts and deliveries go by; unique over all files.",
        required=True,
        examples=("production-promoted",),
    ),
    "description": Key(kind=STRING, about="For people.", examples=("Production moved: tell the team.",)),
    "enabled": Key(kind=BOOL, about="false: the rule is not tried."),
    "mode": Key(kind=choice(*get_args(Mode)), about="shadow: everything happens except the sending."),
    "group": Key(
        kind=choice(*get_args(Group)),
        about="version: a firing for each change; prompt: one for all that a settled batch changed.",
    ),
    "fallback": Key(kind=BOOL, about="Tried last, fires only where no other rule did."),
    "throttle": Key(
        kind=POSITIVE_DURATION,
        about='At most one firing per prompt in this time ("10m"); what is held back is told as one at its end.',
    ),
    "collect": Key(
        kind=COLLECT,
        about='Gather, and fire as one after this time ("1m") or at such times: { cron = "0 9 * * 1", zone = "UTC" }.',
    ),
    "match": Key(
        kind=TABLE,
        about="All clauses must hold; without it every change matches.",
        examples=({"action": ["created", "updated"], "prompt": "checkout/**", "labels_gained": "production"},),
    ),
    "actions": Key(
        kind=TABLES,
        about="What to do; `to` alone sends the built-in message.",
        required=True,
        examples=([{"to": "prompt-team"}], [{"use": "announce"}]),
    ),
}

_TREE: Final[JsonObject] = {"additionalProperties": True}
_TEXT: Final[JsonObject] = {"type": "string"}
_FILE: Final[JsonObject] = {
    "type": "object",
    "properties": {"file": described("A file beside this one; its contents stand here.", A_STRING, "templates/t.txt")},
    "required": ["file"],
    "additionalProperties": False,
}
_TEXT_OR_FILE: Final[JsonObject] = {"anyOf": [_TEXT, _FILE]}
_STATUS: Final[JsonObject] = {"type": "integer", "minimum": 100, "maximum": 599}
_TEXTS: Final[JsonObject] = {"type": "object", "additionalProperties": _TEXT}
_RECIPIENTS: Final[JsonObject] = {"anyOf": [A_STRING, STRING_LIST]}

ACTIONS: Final[Mapping[DestinationType, Mapping[str, tuple[str, JsonObject]]]] = {
    "slack": {
        "text": ("The message in mrkdwn, a template.", _TEXT_OR_FILE),
        "blocks": (
            "Block Kit blocks; their strings are templates.",
            {"anyOf": [{"type": "array", "items": OPEN}, _FILE]},
        ),
        "color": ("The color of the bar beside the message.", _TEXT),
        "channel": ("Where to post, with a bot token.", _TEXT),
        "thread": ('"prompt": one thread per prompt.', {"enum": ["prompt"]}),
    },
    "http": {
        "method": ("The HTTP method (POST).", {"enum": list(METHODS)}),
        "path": ("Extends the destination's URL, a template.", _TEXT),
        "query": ("Query parameters; their values are templates.", _TEXTS),
        "headers": ("Headers; their values are templates.", _TEXTS),
        "json": ("The body as a tree whose strings are templates.", _TREE),
        "form": ("The body as form fields; their values are templates.", OPEN),
        "body": ("The body as text, a template.", _TEXT_OR_FILE),
        "expect": (
            "Which answers count as accepted, by status and by what their JSON says.",
            {
                "type": "object",
                "properties": {
                    "status": described(
                        "The status codes (every 2xx).",
                        {"anyOf": [_STATUS, {"type": "array", "items": _STATUS, "minItems": 1}]},
                        [200, 409],
                        204,
                    ),
                    "where": described(
                        "What the JSON of the answer must say, as in a match; else the delivery is dead.",
                        {"$ref": "#/$defs/where"},
                        [{"path": "$.ok", "equals": True}],
                    ),
                },
                "minProperties": 1,
                "additionalProperties": False,
            },
        ),
    },
    "github": {
        "dispatch": (
            "A repository_dispatch.",
            {
                "type": "object",
                "properties": {
                    "event_type": described("What the workflow listens for, a template.", _TEXT, "prompt-promoted"),
                    "client_payload": described(
                        "A tree whose strings are templates; at most 10 keys and 64 KiB.",
                        OPEN,
                        {"name": "{{ prompt.name }}", "version": "{{ prompt.version }}"},
                    ),
                },
                "additionalProperties": False,
            },
        ),
        "workflow": (
            "A workflow_dispatch.",
            {
                "type": "object",
                "properties": {
                    "file": described("The workflow's file name.", A_STRING, "eval.yml"),
                    "ref": described("The branch or tag it runs on, a template.", A_STRING, "main"),
                    "inputs": described(
                        "A tree whose strings are templates; at most 25 keys.", OPEN, {"prompt": "{{ prompt.name }}"}
                    ),
                },
                "additionalProperties": False,
            },
        ),
        "commit": (
            "A file per prompt, kept in the repository.",
            {
                "type": "object",
                "properties": {
                    "path": described(
                        "The file, a template; values are cleaned like URL segments.",
                        A_STRING,
                        "prompts/{{ prompt.name }}.md",
                    ),
                    "content": described(
                        "What stands in the file, a template.",
                        _TEXT_OR_FILE,
                        "{{ prompt.text }}",
                        {"file": "prompt.md"},
                    ),
                    "message": described(
                        "The commit message, a template.", _TEXT, "{{ prompt.name }} v{{ prompt.version }}"
                    ),
                    "branch": described("The branch (the repository's default one).", A_STRING, "main"),
                    "on_delete": described(
                        "What becomes of the file when the prompt is deleted (delete).",
                        {"enum": list(ON_DELETE)},
                        "keep",
                    ),
                },
                "additionalProperties": False,
            },
        ),
    },
    "email": {
        "recipients": ("Addresses; templated ones only within `allowed_domains`.", _RECIPIENTS),
        "cc": ("Addresses; templated ones only within `allowed_domains`.", _RECIPIENTS),
        "subject": ("The subject, a template.", _TEXT),
        "text": ("The text part, a template.", _TEXT_OR_FILE),
        "html": ("The HTML part, a template.", _TEXT_OR_FILE),
        "headers": ("More headers; their values are templates.", _TEXTS),
    },
    "apprise": {
        "title": ("The title in one line, a template.", _TEXT),
        "body": ("The text, a template.", _TEXT_OR_FILE),
    },
    "log": {
        "text": ("The line, a template.", _TEXT_OR_FILE),
        "level": ("The level of the line (info).", {"enum": list(LOG_LEVELS)}),
    },
}
"""The action keys of each destination type, with what they are for and their JSON Schema. They may stand in a
destination of that type as defaults."""

ACTION_KEYS: Final[Mapping[DestinationType, frozenset[str]]] = {type: frozenset(keys) for type, keys in ACTIONS.items()}

ANY_ACTION: Final[Mapping[str, tuple[str, JsonObject]]] = {
    "use": ("A named action: all of its keys, and the ones here win; tables merge.", A_STRING),
    "to": ("A destination's name, or a list of names.", _RECIPIENTS),
    "id": ("The action's identity, so that it may change and stay the same one.", A_STRING),
    "if": ("A Jinja expression; false: skipped, and shown as skipped.", A_STRING),
}

ACTION_EXAMPLES: Final[Mapping[str, tuple[Json, ...]]] = {
    "use": ("announce",),
    "to": ("prompt-team", ["prompt-team", "oncall"], "{{ vars.team[prompt.folder] }}"),
    "id": ("tell-the-team",),
    "if": ("not change.assumed", "change.variables_gained"),
    "text": ("{{ prompt.name }} v{{ prompt.version }} is now {{ label }}", {"file": "templates/promoted.txt"}),
    "blocks": ([{"type": "section", "text": {"type": "mrkdwn", "text": "*{{ prompt.name }}*"}}],),
    "color": ("#cf222e",),
    "channel": ("#prompts",),
    "thread": ("prompt",),
    "method": ("PUT", "POST"),
    "path": ("/prompts/{{ prompt.name }}",),
    "query": ({"version": "{{ prompt.version }}"},),
    "headers": ({"X-Prompt": "{{ prompt.name }}"},),
    "json": ({"name": "{{ prompt.name }}", "labels": "{{ prompt.labels }}"}, {"file": "templates/body.json"}),
    "form": ({"ref": "main", "variables[PROMPT]": "{{ prompt.name }}"},),
    "body": ("{{ prompt.text }}",),
    "expect": ({"status": [200, 409]}, {"where": [{"path": "$.ok", "equals": True}]}),
    "dispatch": ({"event_type": "prompt-promoted", "client_payload": {"name": "{{ prompt.name }}"}},),
    "workflow": ({"file": "eval.yml", "ref": "main", "inputs": {"prompt": "{{ prompt.name }}"}},),
    "commit": ({"path": "prompts/{{ prompt.name }}.md", "content": "{{ prompt.text }}"},),
    "recipients": (["llm-oncall@example.com"],),
    "cc": (["prompts@example.com"],),
    "subject": ("{{ prompt.name }} moved to v{{ prompt.version }}",),
    "html": ("<p>{{ prompt.name }} v{{ prompt.version }}</p>",),
    "level": ("warning",),
    "title": ("{{ prompt.name }} v{{ prompt.version }}",),
}
"""Ways to write the action keys, for editors."""

TEXT_FILES: Final = frozenset({"text", "html", "body", "content"})
TREE_FILES: Final = frozenset({"blocks", "json", "form", "client_payload"})
"""The keys of an action that may be `{ file = "…" }`: template text, or a JSON or TOML tree of it."""

TOP: Final = ("include", "server", "store", "sources", "destinations", "vars", "matches", "times", "actions", "rules")
INCLUDED: Final = ("destinations", "rules")
NOT_EXPANDED: Final = ("include", "matches", "actions", "rules")
