"""Code that decides by a size: the error names the dim and the line, and nothing is frozen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import pytest

import blox as bx

INPUTS = {"x": bx.Input(["batch", "seq"])}


def compared(x: Any) -> Any:
    return x if x.shape[1] > 3 else -x


def counted(x: Any) -> Any:
    return x * float(x.shape[0])


def halved(x: Any) -> Any:
    return jnp.split(x, 2, axis=1)[0]


@pytest.mark.parametrize(
    ("function", "dim"), [(compared, "seq"), (counted, "batch"), (halved, "seq")]
)
def test_the_dim_and_the_line_are_named(
    function: Callable[[Any], Any], dim: str
) -> None:
    with pytest.raises(bx.SpecError) as caught:
        bx.from_jax(function, INPUTS)
    (found,) = caught.value.diagnostics
    line = function.__code__.co_firstlineno + 1
    assert (found.code, found.path) == ("import-size", dim)
    assert f"{__file__}:{line}" in found.message


def test_a_number_or_a_bound_decides() -> None:
    negated, _, _ = bx.from_jax(compared, {"x": bx.Input(["batch", 2])}, check=False)
    (node,) = negated.functions["main"].nodes.values()
    assert node.op == "negative"
    halves, _, _ = bx.from_jax(
        halved, INPUTS, dims={"seq": {"multiple_of": 2}}, check=False
    )
    assert halves.dims["seq"].multiple_of == 2
    at_least, _, _ = bx.from_jax(
        compared, INPUTS, dims={"seq": {"min": 4}}, check=False
    )
    assert at_least.dims["seq"].min == 4


def test_an_error_of_the_code_itself_is_its_own() -> None:
    def broken(x: Any) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        bx.from_jax(broken, INPUTS)
