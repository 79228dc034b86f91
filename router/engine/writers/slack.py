"""Slack messages, by webhook or by a bot."""

from typing import cast

from msgspec import Struct

from router.domain.destination import ContentShown, SlackDestination
from router.domain.json import JsonObject
from router.domain.message import SlackMessage
from router.engine.defaults import secret_part
from router.engine.template import Template, Tree
from router.engine.writers import slack_builtin, slack_limits
from router.engine.writers.reader import Reader
from router.engine.writers.scene import MessageError, Scene, filled, thread_of


class SlackWriter(Struct, frozen=True, kw_only=True):
    """`threaded`: what it writes about one prompt is one thread in a channel."""

    text: Template | None
    blocks: Tree | None
    color: Template | None
    channel: Template | None
    threaded: bool
    shown: ContentShown

    def message(self, scene: Scene) -> SlackMessage:
        text = self.text.render(scene.context) if self.text else slack_builtin.line(scene.told, scene.setting)
        blocks = self._blocks(text, scene)
        return SlackMessage(
            text=slack_limits.cut(text, slack_limits.LONGEST_SECTION if blocks else slack_limits.LONGEST_TEXT),
            plain=self.text is None,
            blocks=blocks,
            color=self.color.render(scene.context) if self.color else None,
            channel=self._channel(scene),
            templated_channel=self.channel is not None and not self.channel.static,
            thread=thread_of(scene.told) if self.threaded else None,
        )

    def _blocks(self, text: str, scene: Scene) -> tuple[JsonObject, ...]:
        if self.blocks is None:
            if self.text is None:
                return slack_builtin.blocks(scene.told, scene.setting, self.shown)
            return slack_limits.sections(text) if len(text) > slack_limits.LONGEST_SECTION else ()
        blocks = self.blocks.render(scene.context)
        if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
            raise MessageError("`blocks` did not become a list of tables")
        fitted = slack_limits.fitted(cast("list[JsonObject]", blocks))
        if faults := list(slack_limits.faults(fitted)):
            raise MessageError(f"not what Slack takes: {'; '.join(faults)}")
        return fitted

    def _channel(self, scene: Scene) -> str | None:
        return None if self.channel is None else filled("channel", self.channel, scene)


def slack_writer(reader: Reader, destination: SlackDestination) -> SlackWriter:
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
