"""How many there are, in words."""


def counted(number: int, noun: str) -> str:
    """Return `1 delivery`, `2,000 deliveries`. Of `noun` the last word is put into the plural."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun[:-1]}ies" if noun.endswith("y") else f"{number:,} {noun}s"
