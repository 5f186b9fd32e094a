"""Arguments whose names no attribute, or another one, may have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builder.sharing import ONES, Outputs, X, run

import blox as bx


def test_an_argument_named_as_an_inferred_size(monkeypatch: pytest.MonkeyPatch) -> None:
    def layer(f: bx.F, x: bx.Value, *, in_features: int) -> bx.Value:
        return f.linear("l", x, in_features)

    def main(f: bx.F, x: bx.Value) -> Outputs:
        wide = f.concatenate([x, x], axis=-1)
        a = f.call("a", layer)(x, in_features=4)
        return {"a": a, "b": f.call("b", layer)(wide, in_features=5)}

    graph, params, _ = run(main, X, monkeypatch, ONES)
    assert params["a"]["l"]["kernel"].shape == (8, 4)
    assert params["b"]["l"]["kernel"].shape == (16, 5)
    assert list(graph.functions) == ["main", "layer"]


def test_parts_of_arguments_have_names_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def mixed(
        f: bx.F, xs: list[bx.Value], xs_0: bx.Value, m: dict[Any, bx.Value]
    ) -> bx.Value:
        return xs[0] + 2 * xs_0 + 3 * m["a b"] + 5 * m["a_b"] + 7 * m[0] + 11 * m["0"]

    def main(f: bx.F, x: bx.Value) -> bx.Value:
        more: dict[Any, bx.Value] = {"a b": x * 1e2, "a_b": x * 1e3}
        more |= {0: x * 1e4, "0": x * 1e5}
        return f.call("c", mixed)([x], x * 10, more)

    _, _, found = run(main, X, monkeypatch, ONES)
    expected = 1 + 20 + 3e2 + 5e3 + 7e4 + 11e5
    np.testing.assert_allclose(found, np.full((3, 8), expected), rtol=1e-6)


def test_arguments_whose_names_no_attribute_can_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def odd(f: bx.F, x: bx.Value, *, max: int, o: dict[Any, float]) -> bx.Value:
        return f.linear("l", x, max) * o["a b"] + o[0]

    odd.__name__ = "params"

    def main(f: bx.F, x: bx.Value) -> Outputs:
        a = f.call("a", odd)(x, max=3, o={"a b": 2.5, 0: 1})
        return {"a": a, "b": f.call("b", odd)(x, max=4, o={"a b": 3, 0: 5})}

    graph, _, _ = run(main, X, monkeypatch, ONES)
    assert list(graph.functions) == ["main", "params_2"]
    assert graph.functions["params_2"].attributes == ["max_2", "o_a_b", "o_0"]


def test_names_of_64_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    long = "n" * 64
    scope: dict[str, Any] = {}
    code = f"def {long}(f, x, *, {'k' * 64}): return f.linear('l', x, {'k' * 64}[0])"
    exec(code, scope)

    def other(f: bx.F, x: bx.Value) -> bx.Value:
        return f.relu(x)

    other.__name__ = long

    def main(f: bx.F, x: bx.Value) -> Outputs:
        a = f.call("a", scope[long])(x, **{"k" * 64: [3]})
        b = f.call("b", scope[long])(x, **{"k" * 64: [4]})
        return {"a": a, "b": b, "c": f.call("c", other)(x)}

    graph, _, _ = run(main, X, monkeypatch, ONES)
    assert len(graph.functions) == 3


def test_a_number_of_the_caller_beside_an_argument_of_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def outer(f: bx.F, x: bx.Value, *, n: int) -> bx.Value:
        def inner(f: bx.F, x: bx.Value, *, m: int, n: int = 5) -> bx.Value:
            return f.linear("l", x, n + m)

        def middle(f: bx.F, x: bx.Value) -> bx.Value:
            return f.call("i", inner)(x, m=n)

        return f.call("a", middle)(x) + f.call("b", inner)(x, m=5, n=n)

    def main(f: bx.F, x: bx.Value) -> Outputs:
        return {name: f.call(name, outer)(x, n=n) for name, n in (("c", 3), ("d", 4))}

    _, params, _ = run(main, X, monkeypatch, ONES)
    assert params["d"]["b"]["l"]["kernel"].shape == (8, 9)


def test_a_number_of_the_caller_in_a_list_with_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def inner(f: bx.F, parts: list[Any]) -> bx.Value:
        return f.linear("l", parts[0], parts[1])

    def outer(f: bx.F, x: bx.Value, *, n: int) -> bx.Value:
        def middle(f: bx.F, x: bx.Value) -> bx.Value:
            return f.call("i", inner)([x, n])

        return f.call("m", middle)(x)

    def main(f: bx.F, x: bx.Value) -> Outputs:
        return {name: f.call(name, outer)(x, n=n) for name, n in (("c", 3), ("d", 4))}

    graph, _, found = run(main, X, monkeypatch, ONES)
    assert found["d"].shape == (3, 4)
    assert list(graph.functions) == ["main", "outer", "middle", "inner"]
