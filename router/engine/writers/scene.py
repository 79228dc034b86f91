"""What a writer works from, and how it says that there is no message."""

from collections.abc import Sequence
from functools import cached_property

from msgspec import Struct

from router.domain.problem import RouterError
from router.engine.context import Context, Setting, Told, context_of
from router.engine.template import Template


class MessageError(RouterError):
    """This message cannot be sent, whatever the destination says. The delivery is dead with this text."""


class Skipped(Exception):
    """There is nobody to send this message to. The delivery is skipped with this text."""


class Scene(Struct, frozen=True, kw_only=True, dict=True):
    """What a writer works from: the changes of a firing. The context of its templates is made when one asks for it."""

    told: tuple[Told, ...]
    setting: Setting

    @cached_property
    def context(self) -> Context:
        return context_of(self.told, self.setting)


class DeliveryScene(Scene, frozen=True, kw_only=True):
    """The scene of one delivery, which has a key, `of` what all deliveries of its firing share."""

    of: Scene
    key: str

    @cached_property
    def context(self) -> Context:
        return self.of.context | {"delivery": {"key": self.key}}


def delivery_scene(scene: Scene, key: str) -> DeliveryScene:
    return DeliveryScene(told=scene.told, setting=scene.setting, of=scene, key=key)


def filled(key: str, template: Template, scene: Scene) -> str:
    """Return what a template that must come to something comes to."""
    value = template.render(scene.context).strip()
    if not value:
        raise MessageError(f"`{key}` came to nothing")
    return value


def thread_of(told: Sequence[Told]) -> str | None:
    """Return the conversation that the message belongs to: that of its prompt, if it speaks of one only."""
    prompts = {one.change.prompt for one in told}
    prompt = prompts.pop() if len(prompts) == 1 else None
    return None if prompt is None else f"{prompt.source}/{prompt.project_id}/{prompt.name}"
