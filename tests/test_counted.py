"""Counts read as people write them."""

import pytest

from router.domain.counted import counted, form


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [
        (0, "rule", "0 rules"),
        (1, "delivery", "1 delivery"),
        (2, "delivery", "2 deliveries"),
        (12_000, "more line", "12,000 more lines"),
    ],
)
def test_one_is_one(number: int, noun: str, said: str) -> None:
    assert counted(number, noun) == said
    assert said.endswith(form(number, noun))
