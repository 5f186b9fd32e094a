"""Arguments of every kind are what they are in Python."""

from __future__ import annotations

import copy
import dataclasses
import enum
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
from builder.sharing import ONES, Outputs, X, run

import blox as bx
from blox.schema import Graph


class Size(enum.IntEnum):
    SMALL = 3
    LARGE = 4


class Config(NamedTuple):
    n: int
    act: str = "relu"


@dataclasses.dataclass
class Layer:
    n: int

    def block(self, f: bx.F, x: bx.Value) -> bx.Value:
        return f.linear("l", x, self.n)


def test_arguments_are_what_they_are_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def block(
        f: bx.F,
        x: bx.Value,
        size: Size,
        config: Config,
        pair: tuple[int, ...],
        table: Any,
    ) -> bx.Value:
        seen.append((size.name, config.act, type(pair), type(table)))
        x = f.linear("l", x, size) * pair[0] + f.constant(table)[:size]
        return f.linear("m", x, config.n)

    def main(f: bx.F, x: bx.Value) -> Outputs:
        table = np.arange(4.0)
        a = f.call("a", block)(x, Size.SMALL, Config(5), (1, 2), table)
        return {"a": a, "b": f.call("b", block)(x, Size.LARGE, Config(6), (2,), table)}

    _, params, _ = run(main, X, monkeypatch, ONES)
    assert seen[:2] == [
        ("SMALL", "relu", tuple, np.ndarray),
        ("LARGE", "relu", tuple, np.ndarray),
    ]
    assert params["b"]["l"]["kernel"].shape == (8, 4)
    assert params["b"]["m"]["kernel"].shape == (4, 6)


def test_values_in_tuples_with_names(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pair(NamedTuple):
        x: bx.Value
        n: int

    def scaled(f: bx.F, pair: Pair, parts: Any) -> bx.Value:
        y: bx.Value = pair.x * pair.n + parts.left
        return y

    def main(f: bx.F, x: bx.Value) -> bx.Value:
        parts = f.split(x, axis=0, names=["left"])
        return f.call("c", scaled)(Pair(x, 3), parts)

    _, _, found = run(main, X, monkeypatch, ONES)
    np.testing.assert_array_equal(found, 4 * ONES)


def test_methods_and_numbers_of_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    def scaled(f: bx.F, x: bx.Value, *, by: Any) -> bx.Value:
        y: bx.Value = x * by
        return y

    def main(f: bx.F, x: bx.Value) -> Outputs:
        a = f.call("a", Layer(3).block)(x) + f.call("b", Layer(3).block)(x)
        b = f.call("c", Layer(4).block)(x)
        c = f.call("d", scaled)(x, by=np.float32(0.5))
        return {"a": a, "b": b, "c": c, "d": f.call("e", scaled)(x, by=np.int8(2))}

    graph, _, found = run(main, X, monkeypatch, ONES)
    np.testing.assert_array_equal(found["c"] * 4, found["d"])
    assert list(graph.functions) == ["main", "block", "scaled"]


def test_integers_stay_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    def scaled(f: bx.F, x: bx.Value, *, by: float) -> bx.Value:
        return x * by if by is not True else -x

    def main(f: bx.F, x: bx.Value) -> Outputs:
        by = {"a": 2, "b": 2.0, "c": True, "d": 1}
        return {name: f.call(name, scaled)(x, by=n) for name, n in by.items()}

    x = jnp.arange(3)
    _, _, found = run(main, {"x": bx.Input(["n"], "int32")}, monkeypatch, x)
    expected = {"a": x * 2, "b": x * 2.0, "c": -x, "d": x * 1}
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)


def test_copies_of_values_are_values(monkeypatch: pytest.MonkeyPatch) -> None:
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        kept = copy.deepcopy({"a": [x, copy.copy(x)]})
        return kept["a"][0] + kept["a"][1]

    _, _, found = run(main, X, monkeypatch, ONES)
    np.testing.assert_array_equal(found, 2 * ONES)


def test_a_list_may_be_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(f: bx.F, x: bx.Value) -> list[bx.Value]:
        return [x, x, f.relu(x)]

    def main(f: bx.F, x: bx.Value) -> bx.Value:
        a, b, c = f.call("c", both)(x)
        return a + b + c

    _, _, found = run(main, X, monkeypatch, ONES)
    np.testing.assert_array_equal(found, 3 * ONES)


def test_one_function_called_looped_and_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    def step(f: bx.F, x: bx.Value) -> bx.Value:
        return x * 2

    def main(f: bx.F, x: bx.Value) -> Outputs:
        return {
            "call": f.call("c", step)(x),
            "repeat": f.repeat("r", step, count=3)(x),
            "scan": f.scan("s", step)(bx.slices(x)),
            "map": f.map("m", step)(bx.slices(x)),
        }

    graph, _, found = run(main, X, monkeypatch, ONES)
    assert list(graph.functions) == ["main", "step"]
    factors = {"call": 2, "repeat": 8, "scan": 2, "map": 2}
    for name, factor in factors.items():
        np.testing.assert_array_equal(found[name], factor * ONES)


def test_sizes_from_copy_to_copy_keep_their_expression() -> None:
    def block(f: bx.F, x: bx.Value, *, n: int) -> bx.Value:
        return f.linear("l", x, n)

    def make(width: int = 4) -> Graph:
        b = bx.GraphBuilder("m", width=width)

        @b.entry(x=bx.Input(["batch", 3]))
        def main(f: bx.F, x: bx.Value) -> bx.Value:
            sizes = bx.each([b.width, 2 * b.width])
            return f.repeat("r", block, count=4, scan=False)(x, n=sizes)

        return b.graph()

    node = make().plain()["functions"]["main"]["nodes"]["r"]
    assert node["attributes"] == {
        "n": ["$width", "$2 * width"],
        "in_features": [3, "$width", "$2 * width", "$width"],
    }
    bx.check_attributes(make, width=5)
