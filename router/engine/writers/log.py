"""Lines of the log."""

import msgspec
from msgspec import Struct

from router.domain.message import LogMessage
from router.engine.rulesfile.spec import LOG_LEVELS
from router.engine.template import Template
from router.engine.writers.one_line import one_line
from router.engine.writers.reader import Reader
from router.engine.writers.scene import Scene


class LogWriter(Struct, frozen=True, kw_only=True):
    text: Template | None
    level: str

    def message(self, scene: Scene) -> LogMessage:
        text = self.text.render(scene.context) if self.text else one_line(scene.told, scene.setting)
        return msgspec.convert({"type": "log", "text": text, "level": self.level}, LogMessage)


def log_writer(reader: Reader) -> LogWriter:
    return LogWriter(text=reader.template("text", "text"), level=reader.choice("level", LOG_LEVELS, "info"))
