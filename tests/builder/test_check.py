"""The check of `b.graph()` knows what the builder has inferred, and is no weaker for it."""

from __future__ import annotations

from typing import Any

import pytest

import blox as bx
from blox.schema import Report
from blox.shapes.check import check_shapes
from blox.shapes.op_engine import OpEngine


def block(f: bx.F, x: bx.Value) -> bx.Value:
    h = f.gelu(f.linear("up", x, 4 * x.features))
    return x + f.linear("down", h, x.features)


def test_no_node_is_traced_twice_for_the_same_sizes() -> None:
    b = bx.GraphBuilder("model", width=8)

    @b.entry(x=bx.Input(["batch", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.repeat("h", block, count=3)(f.relu(x))

    kinds = ("relu", "linear up", "gelu", "linear down", "add")
    assert b.engine.inference.traced == len(kinds)
    b.graph()  # once more each, at concrete sizes with a narrow float
    assert b.engine.inference.traced == 2 * len(kinds)


def test_what_was_traced_without_64_bits_does_not_speak_for_a_model_that_has_them() -> (
    None
):
    b = bx.GraphBuilder("model")

    @b.entry(x=bx.Input(["batch"], "float64"))
    def main(f: bx.F, x: bx.Value) -> Any:
        return bx.output(x + 1, dtype="float64")

    assert b.graph().functions["main"].outputs


def reshaped(f: bx.F, x: bx.Value) -> bx.Value:
    return f.reshape(x, [x.shape[0] // 2 * 2, 8])


def narrowed(f: bx.F, x: bx.Value) -> bx.Value:
    return f.repeat("h", halved, count=2)(x)


def halved(f: bx.F, x: bx.Value) -> bx.Value:
    return x * f.ones([8], dtype="float32")


def trained(f: bx.F, x: bx.Value, key: Any) -> bx.Value:
    return f.repeat("h", dropped, count=2)(x, key)


def dropped(f: bx.F, x: bx.Value, key: Any) -> bx.Value:
    return halved(f, f.dropout("drop", x, key=key, rate=0.5))


@pytest.mark.parametrize("function", [reshaped, narrowed, trained])
def test_the_check_reports_what_it_reports_of_the_file(
    function: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only a sample, a narrow float or training shows."""

    def both(graph: bx.Graph, report: Report, ops: OpEngine) -> None:
        afresh = Report()
        check_shapes(graph, afresh)
        check_shapes(graph, report, ops)
        assert report.errors == afresh.errors

    monkeypatch.setattr("blox.builder.graph.check_shapes", both)
    b = bx.GraphBuilder("model")
    inputs = {"x": bx.Input(["batch", 8])}
    if function is trained:
        inputs["key"] = bx.Input([], "key", optional=True)
    b.entry(function, **inputs)
    with pytest.raises(bx.ModelError):
        b.graph()
