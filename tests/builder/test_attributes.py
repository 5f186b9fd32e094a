"""Attributes of functions while they are written: no choice and no sum of their text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import blox as bx


def called_with(block: Callable[..., Any], **attributes: Any) -> bx.Graph:
    """A Graph that calls `block` once."""
    b = bx.GraphBuilder("m")

    @b.entry(x=bx.Input(["batch", 10, 4]))
    def main(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        made: bx.Value = f.call("a", block, x, **attributes)
        return made

    return b.graph()


def by_if(f: bx.FunctionBuilder, x: bx.Value, *, pool: Any) -> bx.Value:
    return f.max_pool("pool", x, window=[2]) if pool else f.relu("act", x)


def by_equality(f: bx.FunctionBuilder, x: bx.Value, *, pool: Any) -> bx.Value:
    return f.max_pool("pool", x, window=[2]) if pool == 1 else f.relu("act", x)


def by_order(f: bx.FunctionBuilder, x: bx.Value, *, pool: Any) -> bx.Value:
    return f.max_pool("pool", x, window=[2]) if pool > 0 else f.relu("act", x)


def by_difference(f: bx.FunctionBuilder, x: bx.Value, *, pool: Any) -> bx.Value:
    return f.max_pool("pool", x, window=[2]) if pool != 0 else f.relu("act", x)


@pytest.mark.parametrize("block", [by_if, by_equality, by_order, by_difference])
def test_no_choice_by_an_attribute(block: Callable[..., Any]) -> None:
    with pytest.raises(bx.SpecError) as caught:
        called_with(block, pool=0)
    assert str(caught.value) == (
        "expected a choice that is the same at every call, found an attribute, $pool; "
        "write two functions, or choose before the function is given to f.call"
    )


@pytest.mark.parametrize(
    "calculate",
    [lambda n: 4 * n, lambda n: n * 4, lambda n: n + 1, lambda n: n // 2, lambda n: -n],
)
def test_no_arithmetic_of_its_text(calculate: Callable[[Any], Any]) -> None:
    def block(f: bx.FunctionBuilder, x: bx.Value, *, n: Any) -> bx.Value:
        return f.linear("up", x, out_features=calculate(n))

    with pytest.raises(bx.SpecError, match=r'write it as text: "\$4 \* n"'):
        called_with(block, n=8)


def test_it_stands_for_its_value_as_text() -> None:
    def block(f: bx.FunctionBuilder, x: bx.Value, *, n: str) -> bx.Value:
        return f.linear("up", x, out_features=n)

    nodes = called_with(block, n=8).functions["block"].nodes
    assert nodes["up"].model_dump()["out_features"] == "$n"


def test_a_list_goes_to_an_unrolled_repeat_only() -> None:
    def block(f: bx.FunctionBuilder, x: bx.Value, *, k: Any) -> bx.Value:
        return f.conv("c", x, out_features=4, kernel_size=k)

    with pytest.raises(bx.SpecError) as caught:
        called_with(block, k=[3])
    assert str(caught.value) == (
        "main.a.k: expected a number or an expression for an attribute, found [3]; "
        "a list goes to an unrolled repeat, a number for each copy in turn"
    )
