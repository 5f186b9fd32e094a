"""Branches that attributes decide are decided in the file, and the rest computes in order."""

from __future__ import annotations

import ast
import textwrap

import pytest

from blox.codegen.emit.folding import Pending
from blox.codegen.emit.measure import MOST
from blox.codegen.library.fold import Folder
from blox.codegen.library.sources import Library
from blox.codegen.library.specialize import Carried
from blox.codegen.library.tidy import drop_aliases, tidy
from blox.codegen.library.use import Use
from blox.codegen.names import Names
from blox.codegen.nodes import literal
from blox.schema.registry import Definition


def tree(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


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


# The functions that a file carries over

SOURCE = '''
@inline
def add(a, b):
    return a + b


def power(x, *, n: int):
    """x ** n."""
    if n == 1:
        return x
    return x.reshape(*x.shape[:1], n)


def norm(x: Array, scale: Array | None = None, *, eps: float, mode: str = "a") -> Array:
    """Doc."""
    n = x.shape[0]
    y = x - n
    if mode == "b":
        eps = 2 * eps
    y = y * eps
    y = y if scale is None else y * scale
    return y.astype(x.dtype)


def _helper(x: Array) -> Array:
    for _ in x:
        x = x + 1
    return x


def _inner(x: Array, n: int) -> Array:
    if n == 1:
        return x
    return x ** n


def helped(x: Array, *, n: int) -> Array:
    return _helper(x) + _inner(x, n + 1)


silu = jax.nn.silu
sum_ = jnp.sum
'''
LIBRARY = Library(lambda family: SOURCE)


def inlined(op: str, **operands: str) -> str | None:
    attributes = {"n": tree(operands.pop("n"))} if "n" in operands else {}
    values = {n: tree(v) for n, v in operands.items()}
    found = LIBRARY.op(Definition(op, 1, "any")).expression(values, attributes)
    return None if found is None else ast.unparse(found)


def test_an_expression_has_each_computed_operand_once_and_in_order() -> None:
    assert inlined("add", a="x", b="f(y)") == "x + f(y)"
    assert inlined("add", a="f(y)", b="g(x)") == "f(y) + g(x)"
    assert inlined("power", x="f(x)", n="1") == "f(x)"
    assert inlined("power", x="x", n="2") == "x.reshape(*x.shape[:1], 2)"
    assert inlined("power", x="f(x)", n="2") is None  # f(x) would stand there twice
    assert inlined("norm", x="x") is None  # eps may be assigned to: it stays a function
    assert inlined("silu", x="x") is None
    alias = LIBRARY.op(Definition("sum", 1, "any")).alias
    assert alias is not None
    assert ast.unparse(alias) == "jnp.sum"


def carried(op: str, *uses: Use) -> str:
    found = Carried(LIBRARY)
    for use in uses:
        found.use("any", op, [use])
    found.settle(Names(frozenset()))
    return "\n\n".join(ast.unparse(f) for f in found.functions({op}).values())


def use(
    *present: str, maybe: frozenset[str] = frozenset(), **attributes: object
) -> Use:
    values = {n: literal(v) for n, v in attributes.items()}
    return Use(values, frozenset(present), maybe, frozenset({"x"}))


def test_an_operand_that_is_always_there_has_no_default() -> None:
    text = carried("norm", use("x", "scale", eps=1.0), use("x", "scale", eps=2.0))
    assert text.startswith("def norm(x: Array, scale: Array, *, eps: float) -> Array:")
    assert "None" not in text
    text = carried("norm", use("x", "scale", eps=1.0), use("x", eps=2.0))
    assert "scale: Array | None=None" in text
    assert "y if scale is None else y * scale" in text
    text = carried("norm", use("x", "scale", maybe=frozenset({"scale"}), eps=1.0))
    assert "if scale is None" in text or "scale: Array" in text


def test_a_parameter_that_is_given_a_new_value_is_kept() -> None:
    text = carried("norm", use("x", eps=1.0, mode="b"))
    assert "eps: float" in text
    assert "eps = 2 * eps" in text
    assert "mode" not in text  # decided


def test_an_attribute_that_differs_is_kept() -> None:
    text = carried("norm", use("x", eps=1.0, mode="b"), use("x", eps=1.0, mode="a"))
    assert "if mode == 'b'" in text
    assert "mode: str" in text


def test_helpers_come_first() -> None:
    names = [n.name for n in ast.parse(carried("helped", use("x", n=2))).body]  # type: ignore[attr-defined]
    assert names == ["_helper", "helped"]


def test_a_helper_that_is_one_expression_stands_in_place_of_its_calls() -> None:
    assert "_helper(x) + x ** 3" in carried("helped", use("x", n=2))
    assert "return _helper(x) + x\n" in carried("helped", use("x", n=0)) + "\n"
    text = carried("helped", use("x", n=0), use("x", n=2))
    assert "_inner(x, n + 1)" in text
    assert "def _inner(x: Array, n: int)" in text


def tidied(text: str) -> str:
    body = ast.parse(textwrap.dedent(text)).body
    return "\n".join(ast.unparse(s) for s in tidy(body))


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


# The stack of values that wait


def stack(*names: str) -> Pending:
    pending = Pending()
    for n in names:
        pending.push(n, n, tree(f"f_{n}(x)"))
    return pending


def fold(
    pending: Pending, *sources: str | None, more: int = 0
) -> tuple[str, list[str]]:
    """The expression g(...) over sources, and the locals written before it."""

    def build(values: object) -> ast.expr:
        assert isinstance(values, dict)
        args = [values.get(s, ast.Name(s or "key")) for s in sources]
        return ast.Call(ast.Name("g"), args, [])

    built, before = pending.fold(sources, build, more)
    return ast.unparse(built), [w.source for w in before]


def test_operands_fold_in_the_order_in_which_they_wait() -> None:
    assert fold(stack("a", "b"), "a", "b") == ("g(f_a(x), f_b(x))", [])
    assert fold(stack("a"), "x", "a") == ("g(x, f_a(x))", [])
    assert fold(stack("a"), "a", "x") == ("g(f_a(x), x)", [])


def test_right_and_left_never_cross() -> None:
    # b was computed after a: only it may stay, behind a's line
    assert fold(stack("a", "b"), "b", "a") == ("g(b, a)", ["a", "b"])
    pending = stack("a", "b", "c")
    assert fold(pending, "a", "c") == ("g(a, f_c(x))", ["a"])
    assert [w.source for w in pending.values] == ["b"]


def test_what_waits_below_may_go_on_waiting() -> None:
    pending = stack("a", "b", "c")
    assert fold(pending, "b", "c") == ("g(f_b(x), f_c(x))", [])
    assert [w.source for w in pending.values] == ["a"]
    assert fold(stack("a", "b"), "a") == ("g(a)", ["a"])


def test_a_key_computes_in_place_and_after_what_waits() -> None:
    assert fold(stack("a"), "a", None) == ("g(f_a(x), key)", [])
    assert fold(stack("a"), None, "x") == ("g(key, x)", [])
    # the key would be computed before them
    assert fold(stack("a"), None, "a") == ("g(key, a)", ["a"])
    assert fold(stack("a", "b"), "a", None, "b") == ("g(a, key, b)", ["a", "b"])


def test_as_many_fold_as_there_is_room_for() -> None:
    four = ("a", "b", "c", "d")
    assert fold(stack(*four), *four) == ("g(a, f_b(x), f_c(x), f_d(x))", ["a"])
    assert fold(stack("a", "b"), "a", "b", more=2) == ("g(f_a(x), f_b(x))", [])
    assert fold(stack("a", "b"), "a", "b", more=3) == ("g(a, b)", ["a", "b"])


def test_operands_that_can_never_fit_are_not_tried() -> None:
    pending = stack(*(f"v{i}" for i in range(3000)))
    tries = 0

    def build(values: object) -> ast.expr:
        nonlocal tries
        tries += 1
        return tree("g()")

    _, before = pending.fold([f"v{i}" for i in range(3000)], build)
    assert tries <= MOST + 1
    assert len(before) >= 3000 - MOST


def test_no_sign_follows_a_sign() -> None:
    pending = Pending()
    pending.push("a", "a", tree("-x"))
    built, before = pending.fold(
        ["a"], lambda v: ast.UnaryOp(ast.USub(), v.get("a", tree("a")))
    )
    assert (ast.unparse(built), [w.source for w in before]) == ("-a", ["a"])


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
