"""Trees of expressions as text: what Python would read back, with no bracket to spare."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blox.schema.expressions import ExpressionError, parse
from blox.schema.rendering import render


@pytest.mark.parametrize(
    "text",
    [
        "$width",
        "$4 * width",
        "$width // heads",
        "$head_dim ** -0.5",
        "$min(heads, 8)",
        "$max(min(a, b), 3, c % 2)",
        "$4 * (width + 1) - heads",
        "$a - (b - c)",
        "$a - b - c",
        "$a // (b * c) % d",
        "$a * b // c",
        "$-a ** 2",
        "$(-a) ** 2",
        "$-(a + b)",
        "$--a",
        "$-a * b",
        "$a - -b",
        "$a * -b",
        "$2 ** 3 ** 2",
        "$(2 ** 3) ** 2",
        "$2 ** -(a + b)",
        "$1e-05 / a",
        "$1.5 % a",
    ],
)
def test_a_text_as_people_write_it_comes_back(text: str) -> None:
    assert render(parse(text)) == text


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        (ast.Constant(-3), "$-3"),
        (ast.BinOp(ast.Constant(-3), ast.Pow(), ast.Constant(2)), "$(-3) ** 2"),
        (ast.BinOp(ast.Name("a"), ast.Sub(), ast.Constant(-3)), "$a - -3"),
        (ast.BinOp(ast.Constant(-0.0), ast.Pow(), ast.Name("a")), "$(-0.0) ** a"),
        (ast.Call(ast.Name("min"), [ast.Name("a"), ast.Constant(8)], []), "$min(a, 8)"),
    ],
)
def test_a_tree_that_someone_put_together(tree: ast.expr, text: str) -> None:
    assert render(tree) == text
    parse(text)


NAMES = st.sampled_from(["width", "depth"]).map(ast.Name)
NUMBERS = st.one_of(st.integers(0, 9), st.floats(0, 1e10)).map(ast.Constant)
OPERATORS = [ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow]
TREES: st.SearchStrategy[ast.expr] = st.recursive(
    st.one_of(NAMES, NUMBERS),
    lambda inner: st.one_of(
        st.builds(
            ast.BinOp, inner, st.sampled_from(OPERATORS).map(lambda op: op()), inner
        ),
        st.builds(ast.UnaryOp, st.just(ast.USub()), inner),
        st.builds(
            ast.Call,
            st.sampled_from(["min", "max"]).map(ast.Name),
            st.lists(inner, min_size=2, max_size=3),
            st.just([]),
        ),
    ),
    max_leaves=8,
)


@given(TREES)
def test_the_text_means_the_tree(tree: ast.expr) -> None:
    text = render(tree)
    wanted = ast.parse(ast.unparse(tree), mode="eval").body
    assert ast.dump(parse(text)) == ast.dump(wanted)
    for at, character in enumerate(text):
        if character == "(" and not text[:at].endswith(("min", "max")):
            bare = _without(text, at)
            try:
                other = ast.dump(parse(bare))
            except ExpressionError:
                continue
            assert other != ast.dump(parse(text)), f"{text} could be {bare}"


def _without(text: str, at: int) -> str:
    """The text without the brackets that open at `at`."""
    depth = 0
    for end in range(at, len(text)):
        depth += (text[end] == "(") - (text[end] == ")")
        if depth == 0:
            return text[:at] + text[at + 1 : end] + text[end + 1 :]
    raise AssertionError(text)


@pytest.mark.parametrize(
    "tree",
    [
        ast.Constant("a"),
        ast.Constant(True),
        ast.Constant(float("inf")),
        ast.Call(ast.Name("abs"), [ast.Name("a")], []),
        ast.Attribute(ast.Name("a"), "b"),
        ast.BinOp(ast.Name("a"), ast.MatMult(), ast.Name("b")),
        ast.UnaryOp(ast.Not(), ast.Name("a")),
        ast.Name("a" * 256),
    ],
)
def test_what_no_expression_can_say(tree: ast.expr) -> None:
    with pytest.raises(ExpressionError):
        render(tree)
