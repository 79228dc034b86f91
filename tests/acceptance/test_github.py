"""Files kept in a repository, by the real command: one commit at a time, and what is done about a deletion."""

import threading
from pathlib import Path

from tests.acceptance.receivers import Arrived, Receiver, Reply
from tests.acceptance.running import RunningRouter, command, eventually
from tests.acceptance.test_intake import body
from tests.test_github import GitHub

RULES = """
[sources.prod]
secret = "${LANGFUSE_WEBHOOK_SECRET}"
settle = "0s"

[destinations.repo]
type = "github"
repository = "acme/prompts"
token = "${GITHUB_TOKEN}"
base_url = "SERVER"
allow_private = true

[[rules]]
name = "mirror"
actions = [{ to = "repo", commit = { path = "prompts/{{ prompt.name }}.txt", branch = "main" } }]
"""


def test_files_follow_their_prompts_one_commit_at_a_time(tmp_path: Path) -> None:
    github = GitHub()
    busy = threading.Semaphore(1)
    collided: list[str] = []

    def script(arrived: Arrived) -> Reply:
        if arrived.method == "GET":
            return github(arrived)
        if not busy.acquire(blocking=False):
            collided.append(arrived.path)
        try:
            return github(arrived)
        finally:
            busy.release()

    with Receiver() as receiver:
        receiver.script = script
        rules = RULES.replace("SERVER", receiver.url)
        with RunningRouter(tmp_path, rules, env={"GITHUB_TOKEN": "ghp_token"}) as router:

            def statuses() -> list[str]:
                return sorted(one.status for one in router.deliveries())

            for number in range(8):
                router.post(body(f"e{number}", {"id": f"v{number}", "name": f"folder/p{number}"}))
            router.post(body("evil", {"id": "evil", "name": ".github/workflows/x"}))
            router.post(body("climbs", {"id": "climbs", "name": "../../x"}))
            eventually(
                lambda: statuses() == ["dead"] * 2 + ["delivered"] * 8, "all but what climbs or hides is committed"
            )
            assert collided == []
            assert github.files["prompts/folder/p0.txt"] == b"Hello {{name}}\n"
            assert "prompts/.github/workflows/x.txt" not in github.files
            gone = {**body("gone", {"id": "v0", "name": "folder/p0"}), "action": "deleted"}
            router.post(gone)
            eventually(lambda: "prompts/folder/p0.txt" not in github.files, "the last version takes the file with it")


def test_check_says_what_a_commit_lacks(tmp_path: Path) -> None:
    actions = """actions = [
  { to = "repo", commit = { pth = "x", on_delete = "burn" } },
  { to = "repo", workflow = { file = "{{ prompt.name }}", inputs = { a = 1 } } },
  { to = "repo", workflow = { file = "x.yml", ref = "main" }, dispatch = {} },
]
"""
    (tmp_path / "rules.toml").write_text(
        RULES[: RULES.index("actions")].replace("SERVER", "https://api.github.com") + actions
    )
    checked = command("check", folder=tmp_path)
    for said in (
        "actions[0].commit.pth: unknown key; `commit` takes `path`, `content`, `message`, `branch`, `on_delete`",
        "actions[0].commit.on_delete: expected one of delete, keep",
        'actions[0].commit: expected the path of a file, such as "prompts/{{ prompt.name }}.txt"',
        'actions[1].workflow.file: expected the name of a workflow\'s file, such as "deploy.yml"',
        'actions[1].workflow: expected the branch or tag to run on, such as "main"',
        "actions[2].workflow: one of them only: `dispatch` is given as well",
    ):
        assert said in checked.stderr.replace("commit.path:", "commit:").replace("workflow.ref:", "workflow:"), said
