"""Bodies of functions without locals that nobody needs."""

from __future__ import annotations

import ast
import textwrap

import pytest

from blox.codegen.library.tidy import drop_aliases, tidy


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("y = f(x)\nreturn y", "return f(x)"),
        ("y = f(x)\ny = y + 1\nreturn g(y)", "return g(f(x) + 1)"),
        ("y = f(x)\nreturn y.g(z)", "return f(x).g(z)"),
        ("y = f(x)\nreturn g(y, h(z))", "return g(f(x), h(z))"),
        # f(x) would be computed later than before, or twice
        ("y = f(x)\nreturn h(z) + y", None),
        ("y = f(x)\nreturn g(h(z), y)", None),
        ("y = f(x)\nreturn y + y", None),
        ("y = f(x)\nz = g(y)\nreturn y + z", None),
        ("y = f(x)\nreturn g(1, y)", None),
        ("y = f(x)\nreturn y if z else x", None),
        # nothing reads n, and then nothing m
        ("m = 1\nn = m\nreturn f(x)", "return f(x)"),
        ("n = 1\nn = 2\nreturn f(n, n)", "n = 2\nreturn f(n, n)"),
        ("n = 1\nif x:\n    n = 2\nreturn f(n)", None),
        ("n = 1\nif x:\n    n = 2\nelse:\n    n = 3\nreturn f(n)",
         "if x:\n    n = 2\nelse:\n    n = 3\nreturn f(n)"),
        ("n = 0\nfor i in x:\n    f(n)\n    n = i\nreturn x", None),
        ("for i in x:\n    n = i\n    f(i)\nreturn x", "for i in x:\n    f(i)\nreturn x"),
        ("n = 1\ng = lambda: n\nn = 2\nreturn f(g, g)", None),
        ("def g():\n    n = 1\n    return x\nreturn g", "def g():\n    return x\nreturn g"),
        ("n = 1\ndef g():\n    return n\nreturn f(x)", "return f(x)"),
        ("y = f(" + "x" * 70 + ")\nreturn g(y)", None),
    ],
)  # fmt: skip
def test_short_chains_are_one_line_and_nothing_moves(
    text: str, result: str | None
) -> None:
    text = f"def f():\n{textwrap.indent(text, '    ')}"
    (function,) = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    wanted = "\n".join(map(ast.unparse, function.body)) if result is None else result
    assert "\n".join(ast.unparse(s) for s in tidy(function.body)) == wanted


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("name = path\nreturn f(name, name)", "return f(path, path)"),
        ("kind = jnp.floating\nreturn f(kind)", "return f(jnp.floating)"),
        ("kind = jnp.floating\nreturn f(kind, kind)", None),
        ("name = path\nname = f(name)\nreturn name", None),
        ("name = path\npath = f(name)\nreturn name", None),
        ("name = path\nreturn g(lambda path: f(path, name))", None),
        (
            "def draw(path):\n    name = path\n    return f(name)\nreturn draw",
            "def draw(path):\n    return f(path)\nreturn draw",
        ),
    ],
)
def test_other_names_of_one_value_vanish(body: str, wanted: str | None) -> None:
    source = "def function(path):\n" + textwrap.indent(body, "    ")
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    drop_aliases(function)
    assert "\n".join(ast.unparse(s) for s in function.body) == (wanted or body)
