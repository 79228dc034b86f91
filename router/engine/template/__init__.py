"""Templates: Jinja in a sandbox, strict about names, bounded in time and size, escaped as the channel needs it."""

from router.engine.template.budget import MAX_ITERATIONS, MAX_OUTPUT, MAX_SECONDS, TemplateError
from router.engine.template.compiled import (
    Expression,
    Insert,
    Template,
    compile_expression,
    compile_template,
    loop_clause,
    names_used,
    parse_template,
)
from router.engine.template.escape import Channel, escape_slack
from router.engine.template.lenient import lenient
from router.engine.template.tree import DO, FOR, Piece, Tree, TreeErrors, compile_tree

__all__ = [
    "DO",
    "FOR",
    "MAX_ITERATIONS",
    "MAX_OUTPUT",
    "MAX_SECONDS",
    "Channel",
    "Expression",
    "Insert",
    "Piece",
    "Template",
    "TemplateError",
    "Tree",
    "TreeErrors",
    "compile_expression",
    "compile_template",
    "compile_tree",
    "escape_slack",
    "lenient",
    "loop_clause",
    "names_used",
    "parse_template",
]
