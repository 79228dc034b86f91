"""What it costs to render a Slack message for a change: all from the firing to the message as it is stored.

python -m tests.benchmarks.rendering
"""

from collections.abc import Iterator
from functools import partial

from router.domain.message import SlackMessage
from router.engine.firing import fire
from router.engine.plan import deliver
from tests.benchmarks.matching import best
from tests.benchmarks.table import Row, run
from tests.build import ruleset_of
from tests.match.cases import MOVED

COMMAND = "python -m tests.benchmarks.rendering"
RULES = """
[sources.prod]
secret = "${SECRET}"
[destinations.team]
type = "slack"
webhook_url = "https://hooks.slack.com/services/x"
[[rules]]
name = "built-in"
actions = [{ to = "team" }]
[[rules]]
name = "one line of text"
[[rules.actions]]
to = "team"
text = "*{{ prompt.name }}* v{{ prompt.version }} is now {{ change.labels_gained | join(', ') }}: {{ author }}"
[[rules]]
name = "own blocks"
[[rules.actions]]
to = "team"
text = "{{ prompt.name }} v{{ prompt.version }}"
blocks = [
  { type = "header", text = { type = "plain_text", text = "{{ prompt.name }} v{{ prompt.version }}" } },
  { type = "section", text = { type = "mrkdwn", text = "*{{ author }}*: {{ prompt.commit_message or '' }}" } },
  { type = "section", fields = [
    { "$for" = "m in change.moved", "$do" = { type = "mrkdwn", text = "{{ m.label }}: {{ m.from }} -> {{ m.to }}" } },
  ] },
  { type = "section", text = { type = "mrkdwn", text = "```{{ change.diff }}```" } },
]
"""


def rows() -> Iterator[Row]:
    ruleset = ruleset_of(RULES)
    for rule in ruleset.rules:
        work = partial(deliver, ruleset, rule, fire(rule, [MOVED]), [MOVED])
        (delivery,) = work()
        assert isinstance(delivery.message, SlackMessage), delivery
        yield Row(work=f"a Slack message, {rule.name}", ours=f"{best(work, 1_000) * 1e6:.0f} µs", command=COMMAND)


if __name__ == "__main__":
    run(__doc__, rows)
