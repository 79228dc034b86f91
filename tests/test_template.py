"""Templates: what they insert is data, names are strict, trees keep types, and nothing runs away."""

import time
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from markupsafe import escape

from router.engine.template import (
    MAX_SECONDS,
    Channel,
    TemplateError,
    TreeErrors,
    compile_expression,
    compile_template,
    compile_tree,
    lenient,
)
from router.engine.template.escape import ESCAPES
from router.engine.template.sandbox import sandbox

CONTEXT: dict[str, Any] = {
    "prompt": {
        "name": "a/b",
        "version": 4,
        "tags": ["x", "y"],
        "commit_message": None,
        "text": "t",
        "config": lenient({}),
    },
    "change": {"moved": [{"label": "production", "from": 3, "to": 4}], "rollback": False, "diff": ""},
    "changes": [{"label": "l1", "prompt": {"name": "p1"}}, {"label": "l2", "prompt": {"name": "p2"}}],
    "author": "Ann",
    "label": "production",
    "vars": {"channel": {"checkout": "#checkout"}},
    "body": lenient({"items": [1], "deep": {"a": 1}}),
}


def render(source: str, channel: Channel = "text", **more: Any) -> str:
    return compile_template(source, channel).render(CONTEXT | more)


def tree(value: Any, channel: Channel = "text", **more: Any) -> Any:
    return compile_tree(value, channel).render(CONTEXT | more)


@pytest.mark.parametrize("channel", ["slack", "html", "text", "path", "query", "header"])
@given(text=st.text())
def test_text_that_is_inserted_is_data_in_every_channel(channel: Channel, text: str) -> None:
    inserted = {"prompt": {"text": text}}
    assert compile_template("{{ prompt.text }}", channel).render(inserted) == ESCAPES[channel](text)
    assert compile_tree("{{ prompt.text }}", channel).render(inserted) == ESCAPES[channel](text)


PIECES = st.sampled_from(
    """{{prompt.name}} {{prompt.version+1}} {{prompt.tags|join("}}")}} {{'a'}} {{label|upper}} {{-label-}} {{label
    {{vars.channel['checkout']}} {{prompt.commit_message.x}} {{{'a':1}.b}} {%if(label)%} {%endif%} {# #} {{ }} {{author
    {{body.no.such}} {{'{{'}} {{not(label)}} {{true}} {{1/0}} {{it's}} {{'<'}} {{'<'|safe}} {{range}} {{x}} { } '
    %} é<&> """.split()
) | st.sampled_from([" ", "\n", "\r\n", '"'])


@settings(max_examples=300)
@given(st.lists(PIECES, max_size=6), st.sampled_from(["slack", "html", "text", "path", "query", "header"]))
def test_a_text_cut_into_parts_says_what_jinja_says(pieces: list[str], channel: Channel) -> None:
    source = "".join(pieces)
    assume(any(marker in source for marker in ("{{", "{%", "{#")))
    try:
        expected = sandbox(channel).from_string(source).render(CONTEXT)
    except Exception:
        with pytest.raises(TemplateError):
            compile_template(source, channel, vars=CONTEXT["vars"]).render(CONTEXT)
        return
    assert compile_template(source, channel, vars=CONTEXT["vars"]).render(CONTEXT) == expected


def test_a_fault_is_told_with_its_line() -> None:
    with pytest.raises(TemplateError, match=r"^line 3: `prompt\.nme`: unknown name"):
        compile_template("{{ prompt.name }}\n\n {{ prompt.nme }}", "text")
    with pytest.raises(TemplateError, match=r"^line 2: `prompt\.nme`: unknown name"):
        compile_template("\n{{ prompt.nme | upper }}", "text")
    with pytest.raises(TemplateError, match=r"^line 2: 'None' has no attribute 'x'"):
        compile_template("\n{{ prompt.commit_message.x }}", "text").render(CONTEXT)
    with pytest.raises(TemplateError, match=r"^line 2: division by zero"):
        compile_template("\n{{ 1 / 0 }}", "text").render(CONTEXT)


@pytest.mark.parametrize(
    ("channel", "text", "inserted"),
    [
        ("slack", "<!here> & <@U1>", "&lt;!here&gt; &amp; &lt;@U1&gt;"),
        ("slack", 'it\'s "q"', 'it\'s "q"'),
        ("html", "<b>'", str(escape("<b>'"))),
        ("path", "a/../b?c", "a%2F..%2Fb%3Fc"),
        ("header", "a\r\nBcc: x", "a Bcc: x"),
        ("text", "{{ 7*7 }}", "{{ 7*7 }}"),
    ],
)
def test_each_channel_escapes_its_own_way(channel: Channel, text: str, inserted: str) -> None:
    assert render("{{ author }}", channel, author=text) == inserted
    assert render("{% set x %}{{ author }}{% endset %}{{ x }}", channel, author=text) == inserted
    assert render("{% macro m() %}{{ author }}{% endmacro %}{{ m() }}", channel, author=text) == inserted
    assert render("{{ [author] | join(',') }}", channel, author=text) == inserted
    assert render("{{ author ~ '' }}", channel, author=text) == inserted


def test_constants_are_escaped_for_their_channel_as_well() -> None:
    for source in ("{{ '<&' }}", "{% if true %}{{ '<&' }}{% endif %}"):
        assert (render(source, "text"), render(source, "slack")) == ("<&", "&lt;&amp;")


def test_safe_is_the_only_way_out() -> None:
    assert render("{{ author | safe }}", "slack", author="<!here>") == "<!here>"
    assert render("{{ '<@U1>' | safe }}", "slack") == "<@U1>"


def test_null_is_empty_and_lists_are_json() -> None:
    assert render("[{{ prompt.commit_message }}]") == "[]"
    assert render("{{ prompt.tags }}") == '["x","y"]'
    assert render("{{ change.rollback }}") == "false"


def test_a_leaf_that_is_one_expression_keeps_its_type() -> None:
    assert tree({"v": "{{ prompt.version }}", "t": "v{{ prompt.version }}", "n": "{{ prompt.commit_message }}"}) == {
        "v": 4,
        "t": "v4",
        "n": None,
    }
    assert tree(["{{ prompt.tags }}", 3, True]) == [["x", "y"], 3, True]
    assert tree("{{ prompt.name }}{{ author }}") == "a/bAnn"
    assert tree("{{ author }}", "slack", author="<!here>") == "&lt;!here&gt;"


def test_a_loop_in_a_list_stands_for_its_items() -> None:
    loop = {
        "$for": "c in changes",
        "$do": {"name": "{{ c.prompt.name }}", "all": [{"$for": "d in changes", "$do": "{{ d.label }}"}]},
    }
    assert tree([0, loop]) == [0, {"name": "p1", "all": ["l1", "l2"]}, {"name": "p2", "all": ["l1", "l2"]}]


@pytest.mark.parametrize(
    ("clause", "labels"),
    [
        ("c in changes if c.label == 'l2'", ["l2"]),
        ("c in changes if c.label == ' if '", []),
        ("c in (changes if prompt.version > 3 else [])", ["l1", "l2"]),
        ("c in [changes[0] if label else changes[1]] if not change.rollback", ["l1"]),
        ("c in changes | selectattr('label', 'equalto', 'l1') | list", ["l1"]),
    ],
)
def test_a_loop_may_take_only_some_items(clause: str, labels: list[str]) -> None:
    assert tree([{"$for": clause, "$do": "{{ c.label }}"}]) == labels


@pytest.mark.parametrize(
    ("loop", "path", "fault"),
    [
        ({"$for": "c in changes if c.nme"}, (0,), 'expected { "$for" = "x in list", "$do" = … }'),
        ({"$for": "c in changes if c.lbel", "$do": 1}, (0, "$for"), 'did you mean "label"'),
        ({"$for": "m in change.moved", "$do": ["{{ m.frm }}"]}, (0, "$do", 0), 'did you mean "from"'),
        ({"$for": "c of changes", "$do": 1}, (0, "$for"), "expected `x in list`"),
        ({"$for": "c in changes if", "$do": 1}, (0, "$for"), "line 1: "),
        ({"$for": "c in changes if a else b", "$do": 1}, (0, "$for"), "line 1: "),
        ({"$for": "c in 'it", "$do": 1}, (0, "$for"), "line 1: "),
        ({"$for": 5, "$do": 1}, (0,), "expected"),
        ({"a": {"$for": "c in changes", "$do": 1}}, (0, "a"), "`$for` stands only in a list"),
    ],
)
def test_what_is_wrong_with_a_loop_is_told_in_its_place(loop: Any, path: tuple[str | int, ...], fault: str) -> None:
    with pytest.raises(TreeErrors) as error:
        compile_tree([loop], "text")
    ((where, what),) = error.value.faults
    assert where == path
    assert fault in what


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("{{ prompt.nme }}", 'did you mean "name"'),
        ("{{ promt.name }}", 'did you mean "prompt"'),
        ("{% if false %}{{ prompt.nme }}{% endif %}", "prompt.nme"),
        ("{% for c in changes %}{{ c.prompt.nme }}{% endfor %}", "c.prompt.nme"),
        ("{% for m in change.moved %}{{ m.frm }}{% endfor %}", 'did you mean "from"'),
        ("{{ prompt['nme'] }}", "prompt.nme"),
        ("{{ author | uper }}", "uper"),
        ("{{ author", "line 1"),
        ("{% include 'x' %}", "include"),
        ("{{ vars.chanel }}", 'did you mean "channel"'),
    ],
)
def test_a_wrong_name_is_refused_when_it_is_compiled(source: str, fault: str) -> None:
    with pytest.raises(TemplateError) as error:
        compile_template(source, "text", vars=CONTEXT["vars"])
    assert fault in str(error.value)


def test_all_faults_of_a_tree_are_told_with_their_places() -> None:
    with pytest.raises(TreeErrors) as error:
        compile_tree({"a": "{{ x }}", "b": ["{{ y"], "c": {"$for": "z in changes"}}, "text")
    assert [path for path, _ in error.value.faults] == [("a",), ("b", 0), ("c",)]


def test_free_form_json_is_lenient_and_the_rest_is_strict() -> None:
    assert render("[{{ body.nothing.at.all }}]") == "[]"
    assert tree("{{ body.nothing.at }}") is None
    assert tree("{{ prompt.config.model }}") is None
    assert tree("{{ body.items }}") == [1], "keys come before Python's methods"
    with pytest.raises(TemplateError, match="there is no `b`"):
        compile_template("{{ {'a': 1}.b }}", "text").render(CONTEXT)


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("{{ 'a\nb' | diff('a\nc') }}", "-b"),
        ("{{ 'https://x/y' | slack_link('<b>') }}", "<https://x/y|&lt;b&gt;>"),
        ("{{ 'javascript:x' | slack_link('b') }}", "b"),
        ("{{ 'äöü' | truncate_bytes(5) }}", "ä…"),
        ("{{ 'a' | b64encode }}", "YQ=="),
        ("{{ 'a' | sha256 }}", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
        ("{{ '2026-11-24T12:00:00.000Z' | datetime('%H:%M', 'Europe/Berlin') }}", "13:00"),
        ("{{ prompt.tags | json }}", '["x","y"]'),
    ],
)
def test_filters(source: str, result: str) -> None:
    assert result in render(source, "slack")


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 9 ** (9 ** 7) }}",
        "{{ 'x' * 10 ** 9 }}",
        "{{ [0] * 10 ** 9 }}",
        "{{ '%1000000000d' % 1 }}",
        "{% set a = 'x' * 1000000 %}{% set b = a ~ a %}{{ b }}",
        "{% set a = 'x' * 1000000 %}{{ a }}{{ a }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ ('x' * 100000) | replace('x', 'y' * 1000) }}",
        "{{ 'x' | indent(10 ** 9) | length }}{{ 'x'.ljust(10 ** 9) }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ prompt.tags.append(1) }}",
        "{{ range(10 ** 9) | list }}",
        "{{ range(99999) | map('string') | map('length') | sum }}{{ 1 / 0 }}",
    ],
)
def test_what_runs_away_is_stopped_with_one_line(source: str) -> None:
    started = time.monotonic()
    with pytest.raises(TemplateError) as error:
        compile_template(source, "text").render(CONTEXT)
    assert "\n" not in str(error.value)
    assert time.monotonic() - started < 10 * MAX_SECONDS, "generous: the machine may be busy"


def test_expressions_are_true_in_jinjas_sense() -> None:
    assert compile_expression("change.moved").truth(CONTEXT)
    assert not compile_expression("change.rollback or prompt.commit_message").truth(CONTEXT)
    assert compile_expression("prompt.version + 1").value(CONTEXT) == 5
    with pytest.raises(TemplateError):
        compile_expression("prompt.version +")
