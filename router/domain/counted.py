"""How many there are, in words."""


def counted(number: int, noun: str) -> str:
    """Return `1 delivery`, `2,000 deliveries`."""
    return f"{number:,} {form(number, noun)}"


def form(number: int, noun: str) -> str:
    """Return the noun as it stands after the number: of several words the last one is put into the plural."""
    if number == 1:
        return noun
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
