"""Does a rule's match hold for a change, and why (not)?

A match compiles to clauses. Each looks at one thing and answers yes, no or error, with what was wanted and what was
found; a match is the `all` of its clauses, and may hold others in `any`, `all` and `none`.
"""

from router.engine.match.compile import CLAUSES, Vocabulary, compile_match
from router.engine.match.named import compile_matches
from router.engine.match.tree import Judgement, Match

__all__ = ["CLAUSES", "Judgement", "Match", "Vocabulary", "compile_match", "compile_matches"]
