"""Which arrays a Program has: their paths, shapes, sharing and initialisers."""

from __future__ import annotations

from typing import Any

import pytest
from sample_specs import CONTROL, GPT, Data, spec
from spec.resolving import STAGE, fault, program, step

from blox.schema import Graph, Leaf
from blox.schema.resolve.trees import TreeConflict, join


def test_leaves_are_keyed_by_graph_path() -> None:
    leaves = program(GPT).leaves()
    assert {k: v.full_shape for k, v in leaves.items()} == {
        "wte.embedding": (256, 64),
        "h.ln_2.scale": (4, 64),
        "h.ln_2.bias": (4, 64),
        "h.mlp.up.kernel": (4, 64, 256),
        "h.mlp.up.bias": (4, 256),
        "h.mlp.down.kernel": (4, 256, 64),
        "h.mlp.down.bias": (4, 64),
        "ln_f.scale": (64,),
        "ln_f.bias": (64,),
    }


def test_control_puts_leaves_where_it_says() -> None:
    result = program(CONTROL)
    leaves = result.leaves()
    assert leaves["first.up.kernel"].axes == ("embed", None)
    assert not leaves["first.up.bias"].trainable
    assert leaves["loop.2.norm.mean"].kind == "state"
    assert "second.up.kernel" not in leaves
    assert leaves["rng.count"].dtype == "uint32"
    assert result.entries["main"].float_path() == "first.up.kernel"
    assert step(result, "loop").stateful
    assert step(result, "loop").uses_train
    assert [s.name for s in result.entries["main"].steps] == list(
        CONTROL["functions"]["main"]["nodes"]
    )


def test_smaller_models_have_smaller_leaves() -> None:
    small = Graph.parse(GPT).replace_attributes(depth=2, width=8).program()
    assert small.leaves()["h.mlp.up.kernel"].full_shape == (2, 8, 32)


def shared(**second: Any) -> Data:
    linear = {"op": "linear", "x": "x", "in_features": 8, "out_features": 8}
    return spec({"a": linear, "b": {**linear, "params": "a", **second}}, "b")


def test_one_path_is_one_array() -> None:
    assert list(program(shared()).leaves()) == ["a.kernel", "a.bias"]
    result = program(shared(in_features=None, out_features=None))
    assert result.leaves()["a.kernel"].shape == (8, 8)
    tied = spec(
        {"e": {"op": "embed", "ids": "x", "num_embeddings": 9, "features": 8},
         "h": {"op": "unembed", "x": "e", "params": "e"}}
    )  # fmt: skip
    assert list(program(tied).leaves()) == ["e.embedding"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            {"out_features": 9},
            "main.b: a.kernel: one node has shape [8, 8] here, another ",
        ),
        (
            {"params": "a.kernel"},
            "a.kernel: one node has an array here, another a group",
        ),
    ],
)
def test_specs_that_meet_agree(change: Data, why: str) -> None:
    assert why in fault(shared(**change))
    assert fault(shared(**change)).startswith("parameter-conflict")


def test_below_the_path_of_copies_lie_their_arrays_alone() -> None:
    """A loop takes its slices of all of them."""
    block = {
        "inputs": {"x": {"shape": ["batch", 8]}},
        "outputs": {"x": "y"},
        "nodes": {
            "up": {"op": "linear", "x": "x", "in_features": 8, "out_features": 8},
            "y": {"op": "add", "a": "x", "b": "up"},
        },
    }

    def repeated(**second: Any) -> Data:
        loop = {"op": "repeat", "function": "block", "count": 2, "scan": True}
        nodes = {"h": {**loop, "carry": {"x": "x"}}, "b": {**second, "x": "h"}}
        return spec(nodes, "b", functions={"block": block})

    plain = {"op": "linear", "in_features": 8, "out_features": 8}
    assert fault(repeated(**plain, params="h.more")) == (
        "parameter-conflict h.more.kernel: expected the copies [2] of h, as h.up.kernel "
        "has them, as all below a path of copies is theirs; found an array without "
        'copies; give it another path by "params"'
    )
    more: Data = {"op": "repeat", "function": "block", "scan": True, "params": "h.more"}
    nodes = repeated()
    nodes["functions"]["main"]["nodes"]["b"] = {
        **more, "count": 3, "carry": {"x": "h"},
    }  # fmt: skip
    assert fault(nodes).startswith("parameter-conflict h.more.up.kernel: expected")
    nodes["functions"]["main"]["nodes"]["b"]["params"] = "more"
    assert "more.up.kernel" in program(nodes).leaves()


def test_sizes_that_nobody_gives() -> None:
    data = spec({"a": {"op": "linear", "x": "x", "out_features": 3}})
    assert fault(data) == (
        "parameter-size a.kernel: expected sizes for all axes, found [None, 3]; give "
        "the sizes at one of the nodes that use this path"
    )


def test_slots_are_not_stored() -> None:
    nodes = {
        "w": {"op": "param", "shape": [8, 4]},
        "n": {"op": "linear", "x": "x", "kernel": "w", "out_features": 4},
    }
    result = program(spec(nodes))
    assert list(result.leaves()) == ["w", "n.bias"]
    assert step(result, "n").operand("kernel").source == "w"


def test_repeats_stack_and_list() -> None:
    nodes = {"r": {"op": "repeat", "function": "stage", "count": 3, "carry": {"x": "x"},
                   "attributes": {"features": 8}}}  # fmt: skip
    inner = {**STAGE, "outputs": {"x": "up"}}
    data = spec(nodes, functions={"stage": inner})
    assert program(data).leaves()["r.up.kernel"].full_shape == (3, 8, 8)
    nodes["r"].update(scan=False, attributes={"features": [8, 4]})
    data = spec(nodes, functions={"stage": inner})
    shapes = [leaf.shape for p, leaf in program(data).leaves().items() if "kernel" in p]
    assert shapes == [(8, 8), (8, 4), (8, 8)]
    nodes["r"]["scan"] = True
    assert fault(spec(nodes, functions={"stage": inner})).startswith(
        "attribute main.r.attributes.features: a list cycles over unrolled copies"
    )


def test_joining_changes_neither_tree() -> None:
    leaf = Leaf((None, 2), None)
    a: Any = {"g": {"x": leaf}}
    b: Any = {"g": {"x": Leaf((3, None), None), "y": leaf}, "h": leaf}
    before = repr((a, b))
    joined: Any = join(a, b, own=set())
    assert repr((a, b)) == before
    assert joined["g"]["x"].shape == (3, 2)
    assert list(joined) == ["g", "h"]
    with pytest.raises(TreeConflict, match="float param stacked"):
        join(leaf, Leaf((None, 2), None, dtype="int32"))
    with pytest.raises(TreeConflict, match="an array here, another a list of copies"):
        join(leaf, [leaf])


@pytest.mark.parametrize(
    ("init", "name", "fits"),
    [
        ({"name": "orthogonal"}, "kernel", True),
        ({"name": "orthogonal"}, "bias", False),
        ({"name": "orthogonal", "column_axis": 2}, "kernel", False),
        ({"name": "delta_orthogonal"}, "kernel", False),
        ({"name": "ones"}, "bias", True),
    ],
)
def test_initializers_find_their_axes(init: Data, name: str, fits: bool) -> None:
    node = {"op": "linear", "x": "x", "in_features": 8, "out_features": 8}
    data = spec({"n": {**node, "init": {name: init}}})
    if fits:
        program(data)
    else:
        assert fault(data).startswith(
            f"parameter-init main.n.init.{name}: expected an "
        )
