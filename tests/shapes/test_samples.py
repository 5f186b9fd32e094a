"""Sizes: samples that keep what a Graph says of them, symbolic ones that stay short."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from jax import export

from blox.schema.content import Input
from blox.shapes.declared import Bounds, Declared, Relation
from blox.shapes.samples import Samples
from blox.shapes.symbolic import Symbols, complexity, is_long, terms, value_of
from blox.shapes.values import Values


def samples(
    dims: str, constraints: list[str], bounds: dict[str, Bounds] | None = None
) -> list[dict[str, Any]]:
    inputs = {f"x{i}": Input(shape=[d]) for i, d in enumerate(dims.split())}
    declared = Declared(inputs, {"width": 6})
    relations = [Relation.parse(text) for text in constraints]
    return [s.dims for s in Samples(declared, list(inputs), bounds or {}, relations)]


@pytest.mark.parametrize(
    ("dims", "constraints"),
    [
        ("a b c", []),
        ("a b", ["a == b"]),
        ("a b", ["a > 3 * b + 1"]),
        ("total heads dim", ["total == heads * dim"]),
        ("a b c d", ["a < b", "b < c", "c < d"]),
        ("a b", ["a * b <= 40", "a + b >= 12"]),
        ("a", ["a >= width", "a <= 2 * width"]),
    ],
)
def test_samples_hold(dims: str, constraints: list[str]) -> None:
    found = samples(dims, constraints)
    assert found
    for sizes in found:
        known = {"width": 6, **sizes}
        assert all(eval(text, {}, known) for text in constraints)  # our own texts
    # The first is small enough to be read, and its sizes differ where they may.
    assert max(found[0].values()) <= 60
    if not constraints:
        assert len(set(found[0].values())) == len(found[0])


def test_no_sizes() -> None:
    assert samples("a b", ["a < b", "b < a"]) == []
    assert samples("a b", ["a * b == 1000003"]) == []


def test_bounds_hold() -> None:
    bounds = {"a": Bounds(min=5, max=9, multiple_of=4), "b": Bounds(min=70_000)}
    assert all(s["a"] == 8 for s in samples("a", [], bounds))
    assert samples("b", [], bounds) == []  # larger than what is tried


def test_the_search_ends() -> None:
    """All of 20 dims below each other in a circle: counted, not waited for."""
    names = [f"d{i}" for i in range(20)]
    circle = [f"{a} < {b}" for a, b in itertools.pairwise([*names, names[0]])]
    assert samples(" ".join(names), circle) == []


def test_dims_by_name() -> None:
    bounds = {"even": Bounds(multiple_of=2), "big": Bounds(multiple_of=64)}
    symbols = Symbols(iter(["even", "big", "mod"]), bounds, [], {})
    even, big = symbols.dim("even"), symbols.dim("big")
    for size, text in (
        (even, "even"),
        (2 * even, "2*even"),
        (even // 2, "(even // 2)"),
        (big // 32, "2*(big // 64)"),
        (big * 3 + 1, "3*big + 1"),
        (symbols.dim("mod"), "mod"),
    ):
        assert symbols.shown(str(size)) == text


def test_products_are_counted_before_they_are_multiplied() -> None:
    symbols = Symbols(iter("abcdefgh"), {}, [], {})
    sizes = {n: symbols.dim(n) for n in "abcdefgh"}
    power = "*".join(["(a+b+c+d+e+f+g+h)"] * 14)
    assert complexity(power, sizes) == min(8**14, 1 << 30)
    opaque = value_of(power, sizes, symbols)
    assert terms(opaque) == 1
    assert value_of(power, sizes, symbols) is opaque
    assert value_of(power, dict.fromkeys("abcdefgh", 1), symbols) == 8**14
    assert value_of("(a + b) * c", sizes, symbols) == sizes["a"] * sizes["c"] + (
        sizes["b"] * sizes["c"]
    )


def test_long_sizes_become_opaque() -> None:
    symbols = Symbols(iter(()), {}, [], {})
    values = Values(symbols)
    size = symbols.dim("n")
    for _ in range(8):
        size = (size + 1) // 2
    assert is_long(str(size))
    shape = values.array([size], "float32").shape
    assert shape is not None
    assert not is_long(str(shape[0]))
    assert values.array([size], "float32") is values.array([size], "float32")
    assert str(values.array(export.symbolic_shape("n"), "float32").shape) == "(n,)"
