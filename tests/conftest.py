"""How long the property tests look for counterexamples: `make test` briefly, `make test-long` thoroughly.

`make test` looks at the same examples every time, so that it fails for what was changed and not by chance.
"""

from hypothesis import HealthCheck, settings

# the machines that run this are slow and shared: a deadline would only say so
settings.register_profile(
    "short", max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("long", settings.get_profile("short"), max_examples=5_000, derandomize=False)
settings.load_profile("short")
