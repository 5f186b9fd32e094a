"""Branches that attributes decide are decided in the file, and the rest computes in order."""

from __future__ import annotations

import ast
import textwrap

import pytest
from generator.syntax import tree

from blox.codegen.library.fold import Folder


def folded(text: str, **values: str) -> str:
    """A body of a function, where these names have values."""
    put = {n: tree(v) for n, v in values.items()}
    body = ast.parse(textwrap.dedent(text)).body
    return "\n".join(ast.unparse(s) for s in Folder(put).block(body))


@pytest.mark.parametrize(
    ("test", "values", "known"),
    [
        ("n == 1", {"n": "1"}, True),
        ("n != 1", {"n": "1"}, False),
        ("n == 1 and x > 0", {"n": "2"}, False),
        ("x > 0 and n == 1", {"n": "2"}, False),
        ("n == 1 or x > 0", {"n": "1"}, True),
        ("n == 1 or x > 0", {"n": "2"}, None),
        ("not n", {"n": "None"}, True),
        ("n is None", {"n": "None"}, True),
        ("n is not None", {"n": "y + 1"}, True),
        ("n in ('a', 'b')", {"n": "'b'"}, True),
        ("isinstance(n, int)", {"n": "3"}, True),
        ("isinstance(n, int)", {"n": "(3, 4)"}, False),
        ("isinstance(n, int)", {"n": "x.shape[0]"}, True),
        ("n == 3", {"n": "x.shape[0]"}, None),
        ("n", {"n": "x.shape[0]"}, None),
        ("n[:1] == ('...',)", {"n": "('...', 2)"}, True),
        ("n[:1] == ('...',)", {"n": "(x.shape[0], 2)"}, False),
        ("len(n) == 2", {"n": "(1, x.shape[0])"}, True),
        ("n[5] == 2", {"n": "(1, 2)"}, None),
        ("n < 'a'", {"n": "1"}, None),
        ("x", {}, None),
        ("f(1)", {}, None),
    ],
)
def test_conditions(test: str, values: dict[str, str], known: bool | None) -> None:
    put = {n: tree(v) for n, v in values.items()}
    assert Folder(put).decide(tree(test)) is known
    text = folded(f"return a if {test} else b", **values)
    assert (" if " in text) == (known is None)
    if known is not None:
        assert text == ("return a" if known else "return b")


def test_what_is_always_there_is_not_none_and_nothing_else() -> None:
    folder = Folder({}, ["x"])
    assert folder.decide(tree("x is None")) is False
    assert folder.decide(tree("x is not None")) is True
    assert folder.decide(tree("x == 1")) is None
    assert folder.decide(tree("y is None")) is None


def test_branches_vanish_and_what_follows_a_return() -> None:
    text = """
    if mode == "a":
        y = 1
    elif mode == "b":
        return x
    else:
        y = 2
    return y
    """
    assert folded(text, mode="'a'") == "y = 1\nreturn y"
    assert folded(text, mode="'b'") == "return x"
    assert folded(text, mode="'c'") == "y = 2\nreturn y"
    assert folded("if z:\n    return x\nreturn y") == "if z:\n    return x\nreturn y"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("f(*n, 1)", "f(1, 2, 1)"),
        ("(*n, 3)", "(1, 2, 3)"),
        ("[*n]", "[1, 2]"),
        ("n[1]", "2"),
        ("n[1:]", "(2,)"),
        ("n[i]", "(1, 2)[i]"),
        ("n[7]", "(1, 2)[7]"),
        ("f(**n)", "f(**(1, 2))"),
    ],
)
def test_tuples_open_up(text: str, result: str) -> None:
    assert folded(text, n="(1, 2)") == result
