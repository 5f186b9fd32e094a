"""Numbers that calls differ by: attributes of one function, or functions of their own."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from builder.calls import X, functions, graph_of, layer

import blox as bx


def test_numbers_that_differ_are_attributes() -> None:
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        for i, features in enumerate((16, 4, 4)):
            x = f.call(f"l{i}", layer)(x, features=features)
        return x

    graph = graph_of(main)
    own = functions(graph)
    assert own["layer"]["attributes"] == ["features", "in_features"]
    node = own["layer"]["nodes"]["l"]
    assert (node["in_features"], node["out_features"]) == ("$in_features", "$features")
    given = [node["attributes"] for node in own["main"]["nodes"].values()]
    assert given == [
        {"features": 16, "in_features": 8},
        {"features": 4, "in_features": 16},
        {"features": 4, "in_features": 4},
    ]


def test_an_expression_of_arguments_stays_one() -> None:
    def inner(f: bx.F, x: bx.Value, *, features: int) -> bx.Value:
        return f.linear("b", f.linear("a", x, 2 * features + x.features), features)

    def main(f: bx.F, x: bx.Value) -> bx.Value:
        for i, features in enumerate((4, 12)):
            x = f.call(f"c{i}", inner)(x, features=features)
        return x

    own = functions(graph_of(main))
    assert own["inner"]["nodes"]["a"]["out_features"] == "$2 * features + in_features"
    assert own["inner"]["attributes"] == ["features", "in_features"]


def test_equal_by_chance_is_not_equal() -> None:
    def project(f: bx.F, x: bx.Value, *, n: int) -> bx.Value:
        return f.linear("l", x, n)

    b = bx.GraphBuilder("m", width=8)

    @b.entry(x=X)
    def main(f: bx.F, x: bx.Value) -> dict[str, bx.Value]:
        a = f.call("a", project)(x, n=b.width)
        return {"a": a, "b": f.call("b", project)(x, n=8)}

    nodes = functions(b.graph())["main"]["nodes"]
    assert nodes["a"]["attributes"] == {"n": "$width"}
    assert nodes["b"]["attributes"] == {"n": 8}


def test_integers_and_floats_share_a_function() -> None:
    def scaled(f: bx.F, x: bx.Value, *, by: float) -> bx.Value:
        return x * by

    def main(f: bx.F, x: bx.Value) -> dict[str, bx.Value]:
        a = f.call("a", scaled)(x, by=2)
        return {"a": a, "b": f.call("b", scaled)(x, by=3.5)}

    own = functions(graph_of(main))
    assert list(own) == ["main", "scaled"]
    assert own["main"]["nodes"]["a"]["attributes"] == {"by": 2}
    assert own["main"]["nodes"]["b"]["attributes"] == {"by": 3.5}


def test_the_same_numbers_everywhere_are_no_attributes() -> None:
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("b", layer)(f.call("a", layer)(x, features=8), features=8)

    own = functions(graph_of(main))
    assert own["layer"]["nodes"]["l"]["out_features"] == 8
    assert own["layer"].get("attributes", []) == []


@pytest.mark.parametrize("sizes", [(8, 16), (16, 16), (4, 2, 2, 8)])
def test_a_branch_on_a_number_is_named_after_the_node_that_it_adds(
    sizes: tuple[int, ...],
) -> None:
    def block(f: bx.F, x: bx.Value, *, features: int) -> bx.Value:
        y = f.linear("l", x, features)
        if x.features != features:
            x = f.linear("project", x, features)
        return f.relu(x + y)

    def main(f: bx.F, x: bx.Value) -> bx.Value:
        for i, n in enumerate(sizes):
            x = f.call(f"b{i}", block)(x, features=n)
        return x

    own = functions(graph_of(main))
    assert sorted(own) == ["block", "block_project", "main"]
    assert "project" not in own["block"]["nodes"]


def test_a_branch_on_a_number_is_named_after_the_op_that_it_adds() -> None:
    def block(f: bx.F, x: bx.Value, *, rate: float) -> bx.Value:
        x = f.tanh(x) if rate > 0.5 else x
        return f.linear("l", x, 8)

    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("b", block)(f.call("a", block)(x, rate=0.9), rate=0.1)

    assert list(functions(graph_of(main))) == ["main", "block_tanh", "block"]


def test_a_number_of_the_caller_is_an_argument_left_unsaid() -> None:
    def outer(f: bx.F, x: bx.Value, *, n: int) -> bx.Value:
        def inner(f: bx.F, x: bx.Value) -> bx.Value:
            return f.linear("l", x, 2 * n)

        return f.call("i", inner)(x)

    def main(f: bx.F, x: bx.Value) -> dict[str, bx.Value]:
        return {name: f.call(name, outer)(x, n=n) for name, n in (("a", 3), ("b", 5))}

    own = functions(graph_of(main))
    assert own["outer"]["nodes"]["i"]["attributes"] == {"n": "$n"}
    assert own["inner"]["nodes"]["l"]["out_features"] == "$2 * n"


def test_lists_of_numbers_are_numbers() -> None:
    def conv(
        f: bx.F, x: bx.Value, *, kernel: list[int], pad: tuple[int, int]
    ) -> bx.Value:
        return f.conv("c", x, 4, kernel, padding=[pad])

    def main(f: bx.F, x: bx.Value) -> bx.Value:
        x = f.call("a", conv)(x, kernel=[3], pad=(1, 1))
        return f.call("b", conv)(x, kernel=[5], pad=(2, 2))

    own = functions(graph_of(main, x=bx.Input(["batch", 10, 4])))
    # The op of the file has the name already.
    assert list(own) == ["main", "conv_2"]
    assert own["conv_2"]["nodes"]["c"]["kernel_size"] == ["$kernel_0"]
    assert own["conv_2"]["nodes"]["c"]["padding"] == [["$pad_0", "$pad_0"]]


def test_branches_with_other_numbers_are_other_functions() -> None:
    """A cond gives no attributes to its functions."""

    def times(f: bx.F, x: bx.Value, *, by: float) -> bx.Value:
        return x * by

    def plus(f: bx.F, x: bx.Value, *, by: float) -> bx.Value:
        return x + by

    def main(f: bx.F, x: bx.Value) -> bx.Value:
        x = f.cond("c", x.sum() > 0, times, plus)(x, by=4.0)
        return f.cond("d", x.sum() > 0, times, plus)(x, by=3.0)

    graph = graph_of(main)
    assert list(graph.functions) == ["main", "times", "plus", "times_2", "plus_2"]
    found, _ = bx.build(graph)({}, jnp.ones((1, 8)))
    np.testing.assert_array_equal(found, np.full((1, 8), 12.0))


def test_an_entry_that_is_called_with_other_numbers_is_another_function() -> None:
    b = bx.GraphBuilder("m")

    @b.entry(x=bx.Input(["batch", 4]))
    def step(f: bx.F, x: bx.Value) -> bx.Value:
        return f.linear("l", x, x.features)

    @b.entry(x=bx.Input(["batch", 4]))
    def main(f: bx.F, x: bx.Value) -> dict[str, bx.Value]:
        same = f.call("same", step)(x)
        return {"a": same, "b": f.call("wide", step)(f.concatenate([x, x], axis=-1))}

    graph = b.graph()
    assert list(graph.functions) == ["step", "main", "step_2"]
    nodes = functions(graph)["main"]["nodes"]
    assert (nodes["same"]["function"], nodes["wide"]["function"]) == ("step", "step_2")


# Random programs ----------------------------------------------------------------------
