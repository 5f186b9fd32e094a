"""The functions that a file carries over, cut to what its calls need."""

from __future__ import annotations

import ast

from generator.syntax import tree

from blox.codegen.library.sources import Library
from blox.codegen.library.specialize import Carried
from blox.codegen.library.use import Use
from blox.codegen.names import Names
from blox.codegen.nodes import literal
from blox.schema.registry import Definition

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
