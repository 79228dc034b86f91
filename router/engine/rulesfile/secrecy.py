"""What looks like a secret though nothing says that it is one."""

import re
from typing import Final

_SHAPE: Final = re.compile(
    r"""lf-whsec_[0-9a-f]{16}|sk-lf-[0-9a-f-]{16}|whsec_[A-Za-z0-9+/]{16}
    |xox[abeprs]-[\w-]{10}|xapp-[\w-]{10}|hooks\.slack\.com/services/\w+/\w+/\w{8}
    |gh[opsur]_[A-Za-z0-9]{20}|github_pat_\w{20}|glpat-[\w-]{16}|AKIA[0-9A-Z]{16}|sk-[\w-]{24}
    |-----BEGIN\ [A-Z ]*PRIVATE\ KEY-----|(?i:\b(?:bearer|basic)\ +[\w+/=.~-]{16})""",
    re.VERBOSE,
)
"""What the secrets of well-known services look like."""

_NAME: Final = re.compile(
    r"""(?ix)(?:^|[-_.])(?:token|secret|password|passwd|credentials?)$
    |(?:access|api|auth|integration|private|routing|secret|signing)[-_]?key$
    |^(?:proxy-)?authorization$"""
)
"""Keys whose values are secret. A `key` alone is not: it names a ticket as well as a credential."""


def looks_secret(key: str | int, value: str) -> bool:
    """Tell whether a string that is spelled out under `key` looks like a secret; a template under it does not."""
    if _SHAPE.search(value):
        return True
    constant = bool(value.strip()) and "{{" not in value and "{%" not in value
    return constant and isinstance(key, str) and _NAME.search(key) is not None
