"""GitHub: events and workflows started, and files kept, in a repository."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias, cast

import msgspec
from msgspec import UNSET, Struct

from router.domain.destination import GithubDestination
from router.domain.json import Json, JsonObject
from router.domain.message import GithubCommit, GithubDispatch, GithubWorkflow
from router.engine.context import Told
from router.engine.defaults import revealed_json, secret_part
from router.engine.rulesfile.spec import ON_DELETE
from router.engine.template import Template, Tree, compile_template
from router.engine.writers import github_limits
from router.engine.writers.json_body import json_body
from router.engine.writers.one_line import one_line
from router.engine.writers.reader import Reader, compact
from router.engine.writers.scene import MessageError, Scene, Skipped, filled

_GITHUB_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "dispatch": ("event_type", "client_payload"),
    "workflow": ("file", "ref", "inputs"),
    "commit": ("path", "content", "message", "branch", "on_delete"),
}


class DispatchWriter(Struct, frozen=True, kw_only=True):
    """`keys` and `size`: what of the payload is secret, and joins it when it is sent."""

    event_type: Template | None
    client_payload: Tree | None
    keys: int
    size: int

    def message(self, scene: Scene) -> GithubDispatch:
        payload = self.client_payload.render(scene.context) if self.client_payload else json_body(scene.context)
        type = self.event_type.render(scene.context) if self.event_type else _event_type(scene.told)
        try:
            fitted = github_limits.fitted_payload(cast("JsonObject", payload), keys=self.keys, size=self.size)
        except github_limits.TooLarge as error:
            raise MessageError(f"`client_payload` has {error}") from error
        return GithubDispatch(event_type=type[: github_limits.LONGEST_EVENT_TYPE], client_payload=fitted)


class WorkflowWriter(Struct, frozen=True, kw_only=True):
    file: str
    ref: Template
    inputs: dict[str, Template]

    def message(self, scene: Scene) -> GithubWorkflow:
        try:
            inputs = github_limits.fitted_inputs({name: one.render(scene.context) for name, one in self.inputs.items()})
        except github_limits.TooLarge as error:
            raise MessageError(f"`inputs` has {error}") from error
        return GithubWorkflow(file=self.file, ref=filled("ref", self.ref, scene), inputs=inputs)


class CommitWriter(Struct, frozen=True, kw_only=True):
    """`literal`: how the path begins before a template inserts something."""

    path: Template
    literal: str
    content: Template | None
    commit_message: Template | None
    branch: Template | None
    keep: bool

    def message(self, scene: Scene) -> GithubCommit:
        path = self.path.render(scene.context).strip("/")
        if fault := github_limits.path_fault(path, self.literal.lstrip("/")):
            raise MessageError(f"the path `{path[:200]}` {fault}")
        message = self.commit_message.render(scene.context) if self.commit_message else ""
        return GithubCommit(
            path=path,
            content=self._content(scene),
            message=message.strip() or one_line(scene.told, scene.setting),
            branch=filled("branch", self.branch, scene) if self.branch else None,
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
        content = _file(told)
        if content is None:
            raise MessageError("the event does not say the text that the file should hold")
        return content


GithubWriter: TypeAlias = DispatchWriter | WorkflowWriter | CommitWriter


def github_writer(reader: Reader, destination: GithubDestination) -> GithubWriter:
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


def _dispatch_writer(reader: Reader, table: Mapping[str, Json], destination: GithubDestination) -> DispatchWriter:
    payload = None
    if "client_payload" in table:
        payload = reader.subtree(table["client_payload"], "text", ("dispatch", "client_payload"), dict)
    secret = secret_part(secret_part(destination.defaults.get("dispatch")).get("client_payload"))
    return DispatchWriter(
        event_type=reader.part(table, ("dispatch", "event_type"), "text"),
        client_payload=payload,
        keys=len(secret),
        size=len(revealed_json(secret)),
    )


def _workflow_writer(reader: Reader, table: Mapping[str, Json]) -> WorkflowWriter:
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
    words = {name: value if isinstance(value, str) else compact(value) for name, value in inputs.items()}
    found = {name: reader.part(words, ("workflow", "inputs", name), "text") for name in words}
    return WorkflowWriter(
        file=str(file),
        ref=ref or compile_template("", "text", vars={}),
        inputs={name: template for name, template in found.items() if template},
    )


def _commit_writer(reader: Reader, table: Mapping[str, Json]) -> CommitWriter:
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


def _event_type(told: Sequence[Told]) -> str:
    change = told[-1].change
    return f"langfuse-{change.type}-{change.action}" if change.action else f"langfuse-{change.type}"


def _file(told: Told) -> str | None:
    """Return a prompt's text as a file; of a chat prompt its messages as JSON. None: it is not known."""
    content = told.change.version.content if told.change.version else None
    if content is None or content.prompt is UNSET or content.prompt is None:
        return None
    if isinstance(content.prompt, str):
        return content.prompt if content.prompt.endswith("\n") else f"{content.prompt}\n"
    return msgspec.json.format(msgspec.json.encode(content.prompt), indent=2).decode() + "\n"
