"""The rules file: its format, and the reading of it, with every fault told at once."""

from router.engine.rulesfile.document import dotted
from router.engine.rulesfile.expand import Outside
from router.engine.rulesfile.load import RulesFile, read_rules
from router.engine.rulesfile.spec import ACTION_KEYS, RuleSpec, Server, StoreSettings

__all__ = ["ACTION_KEYS", "Outside", "RuleSpec", "RulesFile", "Server", "StoreSettings", "dotted", "read_rules"]
