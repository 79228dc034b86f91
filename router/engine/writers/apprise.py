"""Notifications through Apprise."""

from msgspec import Struct

from router.domain.destination import ContentShown
from router.domain.message import AppriseMessage
from router.engine.template import Template
from router.engine.writers import email_builtin
from router.engine.writers.reader import Reader
from router.engine.writers.scene import Scene


class AppriseWriter(Struct, frozen=True, kw_only=True):
    title: Template | None
    body: Template | None
    shown: ContentShown

    def message(self, scene: Scene) -> AppriseMessage:
        return AppriseMessage(
            title=self.title.render(scene.context) if self.title else email_builtin.subject(scene.told, scene.setting),
            body=(
                self.body.render(scene.context)
                if self.body
                else email_builtin.text(scene.told, scene.setting, self.shown)
            ),
        )


def apprise_writer(reader: Reader, shown: ContentShown) -> AppriseWriter:
    return AppriseWriter(title=reader.template("title", "header"), body=reader.template("body", "text"), shown=shown)
