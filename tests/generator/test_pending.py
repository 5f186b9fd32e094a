"""The stack of values that wait to be written into an expression."""

from __future__ import annotations

import ast

from generator.syntax import tree

from blox.codegen.emit.folding import Pending
from blox.codegen.emit.measure import MOST


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
