"""A reload of many rules: it leaves nothing behind, and lets others run meanwhile."""

import gc
from pathlib import Path

import pytest
from msgspec import Struct

from router.domain.problem import RulesError
from router.engine.rulesfile import positions
from router.engine.rulesfile.document import LARGE, Document, parse
from router.service.letting_go import let_go
from router.service.outside import Disk
from router.service.rulebook import Rulebook, load
from tests.benchmarks.reload import ENVIRONMENT, rules

ROOT = Path(__file__).parent.parent


class Box(Struct):
    """What holds the things whose end is watched."""

    things: list[object]


class Thing:
    ended = 0

    def __del__(self) -> None:
        Thing.ended += 1


def test_what_is_let_go_of_ends_piece_by_piece_and_wholly() -> None:
    Thing.ended = 0
    held: list[object] = [Box(things=[{"a": [Thing() for _ in range(100)]}, Thing(), (Thing(),)])]
    let_go(held)
    assert held == []
    assert Thing.ended == 102


def test_a_ruleset_ends_with_its_last_reference() -> None:
    """The garbage collector never looks at it, so circles would stay for ever."""
    load(str(ROOT / "rules.example.toml"), Disk(ENVIRONMENT), missing="placeholder")  # fills what is kept on purpose
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        loaded = load(str(ROOT / "rules.example.toml"), Disk(ENVIRONMENT), missing="placeholder")
        assert loaded.file.place("rules", 1, "match")
        del loaded
        gc.collect()
        left = [type(one).__module__ for one in gc.garbage if type(one).__module__.startswith("router.")]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
    assert left == []


def test_the_collector_runs_on_after_a_reload_that_was_refused(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(rules(3))
    book = Rulebook(str(path), Disk(ENVIRONMENT), missing="error")
    path.write_text(rules(3) + '[[rules]]\nname = "x"\nactions = [{ to = "nobody" }]\n')
    with pytest.raises(RulesError, match="no destination"):
        book.read()
    assert gc.isenabled()
    assert len(book.ruleset.rules) == 3


def every_place(document: Document) -> dict[str, str]:
    places: dict[str, str] = {}

    def walk(path: tuple[str | int, ...], value: object) -> None:
        places[repr(path)] = str(document.place(path))
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, below in inner:
            walk((*path, key), below)

    walk((), document.data)
    return places


@pytest.mark.parametrize(
    "text",
    [
        (ROOT / "rules.example.toml").read_text(),
        rules(20),
        'a = """\n[[x]]\n[y]\nb = 1\n"""\n[[x]]\nc = [\n[1],\n[2]]\n[[x]]\nd = """\n[z]"""\n',
    ],
)
def test_a_file_that_is_parsed_in_parts_has_the_same_places(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = every_place(parse("r.toml", text))
    monkeypatch.setattr(positions, "_SEGMENT", 10)
    assert every_place(parse("r.toml", text)) == whole
    assert len(set(whole.values())) > 10 or "[y]" in text


def test_a_large_file_says_the_same_as_a_small_one_and_is_refused_with_the_same_words() -> None:
    padding = "# " + "x" * LARGE + "\n"
    text = rules(5)
    assert parse("r.toml", padding + text).data == parse("r.toml", text).data
    with pytest.raises(RulesError, match=r"^r\.toml:2:5: not TOML: Invalid value$"):
        parse("r.toml", padding + "a = = 1\n")
    newer = 'a = { b = 1,\n c = "\\e" }\n'
    assert parse("r.toml", padding + newer).data == parse("r.toml", newer).data
