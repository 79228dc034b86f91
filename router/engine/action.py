"""Actions, compiled: one writer per destination type turns a firing into that type's message.

What an action leaves out comes from the destination (`Destination.defaults`), then from the built-in message.
Secret defaults stay behind: they are merged in when the message is sent.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias, cast
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from router.domain.destination import AnyDestination, ContentShown, EmailDestination, SlackDestination
from router.domain.json import Json, JsonObject
from router.domain.message import (
    DestinationType,
    EmailMessage,
    FormBody,
    GithubCommit,
    GithubDispatch,
    GithubWorkflow,
    HttpMessage,
    JsonBody,
    LogMessage,
    Message,
    RawBody,
    SlackMessage,
)
from router.domain.problem import RouterError
from router.engine import builtin, github, slack
from router.engine.context import Context, Setting, Told
from router.engine.defaults import merge, plain, revealed, secret_part
from router.engine.rulesfile import ACTION_KEYS
from router.engine.rulesfile.positions import Line, has
from router.engine.rulesfile.spec import LOG_LEVELS, METHODS, ON_DELETE
from router.engine.suggest import suggestion
from router.engine.template import (
    MAX_OUTPUT,
    Channel,
    Expression,
    Template,
    TemplateError,
    Tree,
    TreeErrors,
    compile_expression,
    compile_template,
    compile_tree,
)
from router.engine.to import compile_to

Path: TypeAlias = tuple[str | int, ...]
Faults: TypeAlias = list[tuple[Path, str]]

LONGEST_NAME: Final = 200
"""Characters of what is no destination's name that are kept."""

COMMON_KEYS: Final = frozenset({"to", "id", "if"})


class MessageError(RouterError):
    """This message cannot be sent, whatever the destination says. The delivery is dead with this text."""


class Skipped(Exception):
    """There is nobody to send this message to. The delivery is skipped with this text."""


class Scene(Struct, frozen=True, kw_only=True):
    """What a writer works from: the changes of a firing, and the context of its templates."""

    told: tuple[Told, ...]
    setting: Setting
    context: Context


class SlackWriter(Struct, frozen=True, kw_only=True):
    """`threaded`: what it writes about one prompt is one thread in a channel."""

    text: Template | None
    blocks: Tree | None
    color: Template | None
    channel: Template | None
    threaded: bool
    shown: ContentShown

    def message(self, scene: Scene) -> Message:
        text = self.text.render(scene.context) if self.text else builtin.slack_text(scene.told, scene.setting)
        blocks = self._blocks(text, scene)
        return SlackMessage(
            text=slack.cut(text, slack.LONGEST_SECTION if blocks else slack.LONGEST_TEXT),
            plain=self.text is None,
            blocks=blocks,
            color=self.color.render(scene.context) if self.color else None,
            channel=self._channel(scene),
            templated_channel=self.channel is not None and not self.channel.static,
            thread=_thread(scene.told) if self.threaded else None,
        )

    def _blocks(self, text: str, scene: Scene) -> tuple[JsonObject, ...]:
        if self.blocks is None:
            if self.text is None:
                return builtin.slack_blocks(scene.told, scene.setting, self.shown)
            return slack.sections(text) if len(text) > slack.LONGEST_SECTION else ()
        blocks = self.blocks.render(scene.context)
        if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
            raise MessageError("`blocks` did not become a list of tables")
        fitted = slack.fitted(cast("list[JsonObject]", blocks))
        if faults := list(slack.faults(fitted)):
            raise MessageError(f"not what Slack takes: {'; '.join(faults)}")
        return fitted

    def _channel(self, scene: Scene) -> str | None:
        return None if self.channel is None else _filled("channel", self.channel, scene)


class HttpWriter(Struct, frozen=True, kw_only=True):
    method: str
    path: Template | None
    query: dict[str, Template]
    headers: dict[str, Template]
    body: tuple[str, Tree] | None
    status: tuple[int, ...]

    def message(self, scene: Scene) -> Message:
        return HttpMessage(
            method=self.method,
            path=checked_path(self.path, scene.context) if self.path else "",
            query={name: value.render(scene.context) for name, value in self.query.items()},
            headers={name: value.render(scene.context) for name, value in self.headers.items()},
            body=self._body(scene),
            status=self.status,
            templated_path=self.path is not None and not self.path.static,
        )

    def _body(self, scene: Scene) -> JsonBody | FormBody | RawBody:
        if self.body is None:
            return JsonBody(builtin.http_body(scene.context))
        kind, tree = self.body
        value = tree.render(scene.context)
        match kind:
            case "json":
                return JsonBody(value)
            case "form":
                return FormBody(dict(cast("Mapping[str, Json]", value)))
            case _:
                return RawBody("" if value is None else value if isinstance(value, str) else _compact(value))


class DispatchWriter(Struct, frozen=True, kw_only=True):
    """`keys` and `size`: what of the payload is secret, and joins it when it is sent."""

    event_type: Template | None
    client_payload: Tree | None
    keys: int
    size: int

    def message(self, scene: Scene) -> Message:
        payload = self.client_payload.render(scene.context) if self.client_payload else builtin.http_body(scene.context)
        type = self.event_type.render(scene.context) if self.event_type else builtin.github_event_type(scene.told)
        try:
            fitted = github.fitted_payload(cast("JsonObject", payload), keys=self.keys, size=self.size)
        except github.TooLarge as error:
            raise MessageError(f"`client_payload` has {error}") from error
        return GithubDispatch(event_type=type[: github.LONGEST_EVENT_TYPE], client_payload=fitted)


class WorkflowWriter(Struct, frozen=True, kw_only=True):
    file: str
    ref: Template
    inputs: dict[str, Template]

    def message(self, scene: Scene) -> Message:
        try:
            inputs = github.fitted_inputs({name: one.render(scene.context) for name, one in self.inputs.items()})
        except github.TooLarge as error:
            raise MessageError(f"`inputs` has {error}") from error
        return GithubWorkflow(file=self.file, ref=_filled("ref", self.ref, scene), inputs=inputs)


class CommitWriter(Struct, frozen=True, kw_only=True):
    """`literal`: how the path begins before a template inserts something."""

    path: Template
    literal: str
    content: Template | None
    commit_message: Template | None
    branch: Template | None
    keep: bool

    def message(self, scene: Scene) -> Message:
        path = self.path.render(scene.context).strip("/")
        if fault := github.path_fault(path, self.literal.lstrip("/")):
            raise MessageError(f"the path `{path[:200]}` {fault}")
        message = self.commit_message.render(scene.context) if self.commit_message else ""
        return GithubCommit(
            path=path,
            content=self._content(scene),
            message=message.strip() or builtin.one_line(scene.told, scene.setting),
            branch=_filled("branch", self.branch, scene) if self.branch else None,
            templated_branch=self.branch is not None and not self.branch.static,
        )

    def _content(self, scene: Scene) -> str | None:
        """Return what the file shall hold; None: nothing, it shall go. Raises Skipped where it shall stay as it is."""
        told = scene.told[-1]
        if told.change.action == "deleted":
            if self.keep:
                raise Skipped("`on_delete` says that the file is kept")
            if told.change.versions_left != 0 and told.label not in told.change.labels_removed:
                raise Skipped("other versions of the prompt are left, or may be, so its file is kept")
            return None
        if self.content:
            return self.content.render(scene.context)
        content = builtin.file_content(told)
        if content is None:
            raise MessageError("the event does not say the text that the file should hold")
        return content


class EmailWriter(Struct, frozen=True, kw_only=True):
    """`recipients_are_secret`: they stay in the destination until the mail is sent."""

    recipients: tuple[Template, ...]
    recipients_are_secret: bool
    cc: tuple[Template, ...]
    subject: Template | None
    text: Template | None
    html: Template | None
    headers: dict[str, Template]
    allowed_domains: tuple[str, ...]
    shown: ContentShown

    def message(self, scene: Scene) -> Message:
        recipients = self._addresses(self.recipients, scene.context)
        if not recipients and not self.recipients_are_secret:
            raise Skipped("no recipient is within the destination's `allowed_domains`")
        html = self.html.render(scene.context) if self.html else None
        if html is None and self.text is None:
            html = builtin.email_html(scene.told, scene.setting, self.shown)
        return EmailMessage(
            recipients=recipients,
            cc=self._addresses(self.cc, scene.context),
            subject=(
                self.subject.render(scene.context) if self.subject else builtin.email_subject(scene.told, scene.setting)
            ),
            text=(
                self.text.render(scene.context)
                if self.text
                else builtin.email_text(scene.told, scene.setting, self.shown)
            ),
            html=html,
            headers={name: value.render(scene.context) for name, value in self.headers.items()},
            thread=_thread(scene.told),
        )

    def _addresses(self, templates: Iterable[Template], context: Context) -> tuple[str, ...]:
        """Return the addresses; those that came from a template only within the allowed domains."""
        found: list[str] = []
        for template in templates:
            address = template.render(context).strip()
            if template.static or address.rpartition("@")[2].lower() in self.allowed_domains:
                found.append(address)
        return tuple(dict.fromkeys(found))


class LogWriter(Struct, frozen=True, kw_only=True):
    text: Template | None
    level: str

    def message(self, scene: Scene) -> Message:
        text = self.text.render(scene.context) if self.text else builtin.one_line(scene.told, scene.setting)
        return msgspec.convert({"type": "log", "text": text, "level": self.level}, LogMessage)


GithubWriter: TypeAlias = DispatchWriter | WorkflowWriter | CommitWriter
Writer: TypeAlias = SlackWriter | HttpWriter | GithubWriter | EmailWriter | LogWriter


class Target(Struct, frozen=True, kw_only=True):
    """One destination of an action, and the writer of its messages. `ordered`: those of one prompt go one by one."""

    destination: str
    type: DestinationType
    writer: Writer
    ordered: bool = False


class Nowhere(Struct, frozen=True):
    """`to` came to what is no destination: `destination` is that text, or the template if it could not be rendered.

    `type` is that of the first destination that it could have come to.
    """

    destination: str
    type: DestinationType
    reason: str


class CompiledAction(Struct, frozen=True, kw_only=True):
    """`key` is the action's identity: its `id`, else the digest of its table; `position` its place in the rule.

    `to` are names of destinations and templates of names, `targets` all that these can come to.
    """

    key: str
    position: int
    condition: Expression | None
    to: tuple[Template, ...]
    targets: tuple[Target, ...]

    def reached(self, context: Context) -> list[Target | Nowhere]:
        """Return the destinations that are meant in `context`, each once."""
        found: dict[str, Target | Nowhere] = {}
        for template in self.to:
            one = self._reached(template, context)
            found.setdefault(one.destination, one)
        return list(found.values())

    def _reached(self, template: Template, context: Context) -> Target | Nowhere:
        type = self.targets[0].type
        try:
            name = template.render(context).strip()
        except TemplateError as error:
            return Nowhere(template.source, type, f"`to` cannot be rendered: {error}")
        if not name:
            return Nowhere(template.source, type, "`to` came to nothing")
        for target in self.targets:
            if target.destination == name:
                return target
        name = name[:LONGEST_NAME]
        return Nowhere(name, type, f'`to` came to "{name}", which is no destination')


def write(writer: Writer, scene: Scene) -> Message:
    """Return the message. Raises Skipped; RouterError if it cannot be made or is larger than 1 MiB."""
    message = writer.message(scene)
    size = len(msgspec.json.encode(message))
    if size > MAX_OUTPUT:
        raise MessageError(f"the message has {size:,} bytes, at most {MAX_OUTPUT:,} are allowed")
    return message


def order_of(target: Target, scene: Scene) -> str | None:
    """Return what names the order in which deliveries to this target go out; None: they wait for no other."""
    return _thread(scene.told) if target.ordered else None


def lane_of(message: Message) -> str | None:
    """Return what names the lane of a message: of those that share one, one is sent at a time."""
    return f"branch {message.branch or ''}" if isinstance(message, GithubCommit) else None


def compile_action(
    table: Mapping[str, Json],
    position: int,
    key: str,
    destinations: Mapping[str, AnyDestination],
    vars: Mapping[str, Json],
) -> tuple[CompiledAction, Faults]:
    """Return the compiled action, and every fault as (path below the action or `destinations.NAME`, what)."""
    faults: Faults = []
    to, names = _destination_names(table.get("to"), destinations, vars, faults)
    types = {destinations[name].type for name in names}
    known = COMMON_KEYS.union(*(ACTION_KEYS[type] for type in types))
    if types:
        faults += [((name,), _unknown_key(name, known, types)) for name in table if name not in known]
    if "id" in table and not (isinstance(table["id"], str) and table["id"]):
        faults.append((("id",), f"expected a string, got {_compact(table['id'])[:40]}"))
    condition = None
    if "if" in table:
        try:
            condition = compile_expression(_string(table["if"]), vars=vars)
        except (TemplateError, _NotAString) as error:
            faults.append((("if",), str(error)))
    targets: list[Target] = []
    for name in names:
        destination = destinations[name]
        reader = _Reader(table, destination, vars)
        writer = _compile_writer(reader, destination)
        ordered = destination.limits.ordered or isinstance(writer, CommitWriter)
        ordered = ordered or (isinstance(writer, SlackWriter) and writer.threaded)
        targets.append(Target(destination=name, type=destination.type, writer=writer, ordered=ordered))
        faults += reader.faults
    action = CompiledAction(key=key, position=position, condition=condition, to=to, targets=tuple(targets))
    return action, faults


def _destination_names(
    to: Json, destinations: Mapping[str, AnyDestination], vars: Mapping[str, Json], faults: Faults
) -> tuple[tuple[Template, ...], list[str]]:
    """Return `to`, compiled, and every destination that it can come to."""
    if to is None:
        faults.append(((), "`to` is missing: the name of a destination or a list of names"))
        return (), []
    written = [to] if isinstance(to, str) else to
    if not isinstance(written, list) or not written or not all(isinstance(name, str) for name in written):
        faults.append((("to",), "expected the name of a destination or a list of names"))
        return (), []
    templates: list[Template] = []
    names: dict[str, None] = {}
    for index, name in enumerate(written):
        path: Path = ("to",) if isinstance(to, str) else ("to", index)
        template, possible, wrong = compile_to(str(name), path, vars, destinations)
        faults += wrong
        names |= dict.fromkeys(possible)
        if template is None:
            continue
        if name in written[:index]:
            faults.append((path, f'"{name}" is named twice'))
        templates.append(template)
    return tuple(templates), list(names)


class _NotAString(ValueError):
    pass


def _string(value: Json) -> str:
    if not isinstance(value, str):
        raise _NotAString(f"expected a string, got {_compact(value)[:40]}")
    return value


class _Reader:
    """Takes keys out of an action merged over its destination's defaults, and notes what is wrong with them."""

    def __init__(self, table: Mapping[str, Json], destination: AnyDestination, vars: Mapping[str, Json]) -> None:
        self.table = table
        self.name = destination.name
        self.vars = vars
        self.defaults = plain(destination.defaults)
        own = {key: value for key, value in table.items() if key in ACTION_KEYS[destination.type]}
        self.merged = cast("dict[str, Json]", merge(self.defaults, own))
        self.faults: Faults = []

    def fault(self, path: Path, what: str) -> None:
        """Note a fault where the value was written: in the action, else in the destination."""
        written = tuple(step for step in path if not isinstance(step, Line))
        inherited = has(self.defaults, written) and not has(self.table, written)
        if inherited or (written and written[0] not in self.table):
            path = ("destinations", self.name, *path)
        self.faults.append((path, what))

    def has(self, key: str) -> bool:
        return key in self.merged

    def template(self, key: str, channel: Channel) -> Template | None:
        if key not in self.merged:
            return None
        return self._template(self.merged[key], channel, (key,))

    def _template(self, value: Json, channel: Channel, path: Path) -> Template | None:
        try:
            return compile_template(_string(value), channel, vars=self.vars)
        except _NotAString as error:
            self.fault(path, str(error))
        except TemplateError as error:
            self.fault((*path, Line(error.line)), str(error))
        return None

    def part(self, table: Mapping[str, Json], path: Path, channel: Channel) -> Template | None:
        """Return what stands in a table of the action at the end of `path`; None: nothing that can be used."""
        key = str(path[-1])
        return self._template(table[key], channel, path) if key in table else None

    def templates(self, key: str, channel: Channel) -> dict[str, Template]:
        table = self.merged.get(key, {})
        if not isinstance(table, dict):
            self.fault((key,), "expected a table of strings")
            return {}
        found = {name: self._template(value, channel, (key, name)) for name, value in table.items()}
        return {name: template for name, template in found.items() if template}

    def list_of_templates(self, key: str, channel: Channel) -> tuple[Template, ...]:
        values = self.merged.get(key, [])
        if isinstance(values, str):
            values = [values]
        if not isinstance(values, list):
            self.fault((key,), "expected a list of strings")
            return ()
        found = [self._template(value, channel, (key, index)) for index, value in enumerate(values)]
        return tuple(template for template in found if template)

    def tree(self, key: str, channel: Channel, kind: type = object) -> Tree | None:
        if key not in self.merged:
            return None
        return self.subtree(self.merged[key], channel, (key,), kind)

    def subtree(self, value: Json, channel: Channel, path: Path, kind: type) -> Tree | None:
        if not isinstance(value, kind):
            self.fault(path, f"expected a {'table' if kind is dict else 'list'}")
            return None
        try:
            return compile_tree(value, channel, vars=self.vars)
        except TreeErrors as errors:
            for below, what in errors.faults:
                self.fault((*path, *below), what)
            return None

    def choice(self, key: str, choices: Sequence[str], default: str) -> str:
        value = self.merged.get(key, default)
        if value not in choices:
            self.fault((key,), f"expected one of {', '.join(choices)}")
            return default
        return str(value)


def _compile_writer(reader: _Reader, destination: AnyDestination) -> Writer:
    match destination.type:
        case "slack":
            return _slack_writer(reader, destination)
        case "http":
            return _http_writer(reader)
        case "github":
            return _github_writer(reader, destination)
        case "email":
            return _email_writer(reader, destination)
        case "log":
            return LogWriter(text=reader.template("text", "text"), level=reader.choice("level", LOG_LEVELS, "info"))


def _slack_writer(reader: _Reader, destination: AnyDestination) -> SlackWriter:
    assert isinstance(destination, SlackDestination)
    if destination.token is None:
        for key in ("channel", "thread"):
            if reader.has(key):
                what = (
                    f'needs a bot: give destination "{destination.name}" a `token`; a webhook posts where it was made'
                )
                reader.fault((key,), what)
    elif not reader.has("channel") and "channel" not in secret_part(destination.defaults):
        reader.fault((), f'no channel to post to: give `channel` here or in destination "{destination.name}"')
    return SlackWriter(
        text=reader.template("text", "slack"),
        blocks=reader.tree("blocks", "slack", list),
        color=reader.template("color", "text"),
        channel=reader.template("channel", "header"),
        threaded=reader.has("thread") and reader.choice("thread", ("prompt",), "prompt") == "prompt",
        shown=destination.limits.content,
    )


def _http_writer(reader: _Reader) -> HttpWriter:
    bodies = [kind for kind in ("json", "form", "body") if reader.has(kind)]
    if len(bodies) > 1:
        reader.fault((bodies[1],), f"one body only: `{bodies[0]}` is given as well")
    body: tuple[str, Tree] | None = None
    if bodies:
        kind = bodies[0]
        tree = reader.tree(kind, "text", {"json": object, "form": dict, "body": str}[kind])
        body = (kind, tree) if tree else None
    headers = reader.templates("headers", "header")
    for name in headers:
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            reader.fault(("headers", name), "not a header name")
    return HttpWriter(
        method=reader.choice("method", METHODS, "POST"),
        path=reader.template("path", "path"),
        query=reader.templates("query", "text"),
        headers=headers,
        body=body,
        status=_expected_status(reader),
    )


def _expected_status(reader: _Reader) -> tuple[int, ...]:
    expect = reader.merged.get("expect")
    if expect is None:
        return ()
    if not isinstance(expect, dict) or expect.keys() != {"status"}:
        reader.fault(("expect",), "expected { status = [200, …] }")
        return ()
    status = expect["status"]
    codes = status if isinstance(status, list) else [status]
    if not codes or not all(type(code) is int and 100 <= code <= 599 for code in codes):
        reader.fault(("expect", "status"), "expected a list of HTTP status codes such as [200, 409]")
        return ()
    return tuple(cast("list[int]", codes))


_GITHUB_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "dispatch": ("event_type", "client_payload"),
    "workflow": ("file", "ref", "inputs"),
    "commit": ("path", "content", "message", "branch", "on_delete"),
}


def _github_writer(reader: _Reader, destination: AnyDestination) -> GithubWriter:
    kinds = [kind for kind in _GITHUB_KEYS if kind in reader.table] or [
        kind for kind in _GITHUB_KEYS if reader.has(kind)
    ]
    if len(kinds) > 1:
        reader.fault((kinds[1],), f"one of them only: `{kinds[0]}` is given as well")
    kind = kinds[0] if kinds else "dispatch"
    table = reader.merged.get(kind, {})
    keys = _GITHUB_KEYS[kind]
    if not isinstance(table, dict):
        reader.fault((kind,), f"expected a table with {' and '.join(f'`{key}`' for key in keys)}")
        table = {}
    for name in table:
        if name not in keys:
            reader.fault((kind, name), f"unknown key; `{kind}` takes {', '.join(f'`{key}`' for key in keys)}")
    match kind:
        case "dispatch":
            return _dispatch_writer(reader, table, destination)
        case "workflow":
            return _workflow_writer(reader, table)
        case _:
            return _commit_writer(reader, table)


def _dispatch_writer(reader: _Reader, table: Mapping[str, Json], destination: AnyDestination) -> DispatchWriter:
    payload = None
    if "client_payload" in table:
        payload = reader.subtree(table["client_payload"], "text", ("dispatch", "client_payload"), dict)
    secret = secret_part(secret_part(destination.defaults.get("dispatch")).get("client_payload"))
    return DispatchWriter(
        event_type=reader.part(table, ("dispatch", "event_type"), "text"),
        client_payload=payload,
        keys=len(secret),
        size=len(msgspec.json.encode(revealed(secret))),
    )


def _workflow_writer(reader: _Reader, table: Mapping[str, Json]) -> WorkflowWriter:
    file = table.get("file")
    if not isinstance(file, str) or not re.fullmatch(r"[\w. -]+", file):
        reader.fault(("workflow", "file"), 'expected the name of a workflow\'s file, such as "deploy.yml"')
    ref = reader.part(table, ("workflow", "ref"), "header")
    if ref is None:
        reader.fault(("workflow", "ref"), 'expected the branch or tag to run on, such as "main"')
    inputs = table.get("inputs", {})
    if not isinstance(inputs, dict):
        reader.fault(("workflow", "inputs"), "expected a table")
        inputs = {}
    # GitHub takes strings only
    words = {name: value if isinstance(value, str) else _compact(value) for name, value in inputs.items()}
    found = {name: reader.part(words, ("workflow", "inputs", name), "text") for name in words}
    return WorkflowWriter(
        file=str(file),
        ref=ref or compile_template("", "text", vars={}),
        inputs={name: template for name, template in found.items() if template},
    )


def _commit_writer(reader: _Reader, table: Mapping[str, Json]) -> CommitWriter:
    path = reader.part(table, ("commit", "path"), "text")
    if path is None:
        reader.fault(("commit", "path"), 'expected the path of a file, such as "prompts/{{ prompt.name }}.txt"')
    on_delete = table.get("on_delete", "delete")
    if on_delete not in ON_DELETE:
        reader.fault(("commit", "on_delete"), f"expected one of {', '.join(ON_DELETE)}")
    return CommitWriter(
        path=path or compile_template("", "text", vars={}),
        literal=re.split(r"\{[{%#]", str(table.get("path", "")))[0],
        content=reader.part(table, ("commit", "content"), "text"),
        commit_message=reader.part(table, ("commit", "message"), "text"),
        branch=reader.part(table, ("commit", "branch"), "header"),
        keep=on_delete == "keep",
    )


def _email_writer(reader: _Reader, destination: AnyDestination) -> EmailWriter:
    assert isinstance(destination, EmailDestination)
    recipients = reader.list_of_templates("recipients", "header")
    cc = reader.list_of_templates("cc", "header")
    secret = not recipients and "recipients" in secret_part(destination.defaults)
    if not recipients and not secret and not any(path[-1:] == ("recipients",) for path, _ in reader.faults):
        reader.fault((), f'nobody to write to: give `recipients` here or in destination "{destination.name}"')
    if not destination.allowed_domains and not all(template.static for template in (*recipients, *cc)):
        reader.fault(
            ("recipients",), f'a templated recipient needs `allowed_domains` in destination "{destination.name}"'
        )
    return EmailWriter(
        recipients=recipients,
        recipients_are_secret=secret,
        cc=cc,
        subject=reader.template("subject", "header"),
        text=reader.template("text", "text"),
        html=reader.template("html", "html"),
        headers=reader.templates("headers", "header"),
        allowed_domains=tuple(domain.lower() for domain in destination.allowed_domains),
        shown=destination.limits.content,
    )


def checked_path(template: Template, context: Context) -> str:
    """Return the rendered path. What a template inserted may not climb, vanish or hide in it."""
    path = template.render(context)
    if template.static:
        return path
    for segment in path.strip("/").split("/"):
        name = unquote(segment)
        if name in ("", ".", "..") or any(ord(character) < 32 or ord(character) == 127 for character in name):
            raise MessageError(
                f"the path `{path[:200]}` has a segment that is empty, `.`, `..` or has control characters"
            )
    return path


def _filled(key: str, template: Template, scene: Scene) -> str:
    value = template.render(scene.context).strip()
    if not value:
        raise MessageError(f"`{key}` came to nothing")
    return value


def _thread(told: Sequence[Told]) -> str | None:
    """Return the conversation that the message belongs to: that of its prompt, if it speaks of one only."""
    prompts = {one.change.prompt for one in told}
    prompt = prompts.pop() if len(prompts) == 1 else None
    return None if prompt is None else f"{prompt.source}/{prompt.project_id}/{prompt.name}"


def _unknown_key(name: str, known: Iterable[str], types: Iterable[str]) -> str:
    return f"unknown key for {' and '.join(sorted(types))}{suggestion(name, known)}"


def _compact(value: Json) -> str:
    return msgspec.json.encode(value).decode()
