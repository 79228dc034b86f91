"""What is fuzzed survives what it begins with. The two that ask a running service are left to `make fuzz`."""

import pytest

from tests.fuzz.targets import SEEDS, TARGETS


@pytest.mark.parametrize("name", [name for name in TARGETS if name not in ("webhook", "api")])
def test_a_target_survives_its_seeds_whole_and_cut_off(name: str) -> None:
    target = TARGETS[name]()
    for seed in SEEDS[name]:
        target(seed)
        target(seed[: len(seed) // 2])
