"""Faults are reported where the node is written: path, expected, found, what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from builder.faults import (
    FAULTS,
    endless,
    entry,
    narrow,
    shapes,
    sized,
)

import blox as bx


@pytest.mark.parametrize(("function", "text"), FAULTS)
def test_one_line_that_helps(function: Callable[..., Any], text: str) -> None:
    with pytest.raises(bx.BloxError) as caught:
        entry(function)
    # Which line it is, a test of its own says.
    found = str(caught.value).replace(" keyword-only", "")  # so from Python 3.12 on
    assert re.sub(r"\.py:\d+", ".py:LINE", found) == text


def test_a_function_that_calls_itself_without_an_end() -> None:
    with pytest.raises(bx.SpecError, match="expected at most 64 calls within calls"):
        entry(endless)


NO_OP = "bx.recipes has what takes several ops, bx.register adds your own"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("topk", "did you mean f.top_k?"),
        ("group_by", NO_OP),
        ("pooler", NO_OP),
        ("soft_max", "did you mean f.softmax?"),
        ("layernorm", "did you mean f.layer_norm?"),
        ("addd", "did you mean f.add?"),
        ("dense", "did you mean f.linear?"),
        ("Dense", "did you mean f.linear?"),
        ("conv2d", "did you mean f.conv?"),
        ("BatchNorm2d", "did you mean f.batch_norm?"),
        ("MoE", "did you mean bx.recipes.mixture_of_experts?"),
        ("transformer_blok", "did you mean bx.recipes.transformer_block?"),
        ("ReLU", "did you mean f.relu?"),
        ("CrossAttention", "did you mean bx.recipes.multi_head_attention?"),
        ("view", "did you mean f.bitcast_convert_type or f.reshape?"),
    ],
)
def test_an_op_that_is_none(name: str, hint: str) -> None:
    def main(f: bx.F, x: bx.Value) -> Any:
        return getattr(f, name)(x)

    with pytest.raises(AttributeError) as caught:
        entry(main)
    assert str(caught.value) == f"expected the name of an op, found {name!r}; {hint}"


@pytest.mark.parametrize(
    ("write", "hint"),
    [
        (lambda x: x.unsqueeze(0), "found 'unsqueeze'; did you mean f.expand_dims?"),
        (lambda x: x.at[0].set(1), "found 'at'; did you mean f.scatter_nd?"),
        (lambda x: x.qqq, "found 'qqq'; ops are methods of f"),
    ],
)
def test_what_a_value_has_not(write: Callable[[Any], Any], hint: str) -> None:
    def main(f: bx.F, x: bx.Value) -> Any:
        return write(x)

    with pytest.raises(AttributeError) as caught:
        entry(main)
    assert str(caught.value) == f"expected what a value has, {hint}"


@pytest.mark.parametrize("function", [jax.nn.relu, np.tanh, jnp.tanh])
def test_a_function_of_arrays_on_a_value(function: Callable[[Any], Any]) -> None:
    def main(f: bx.F, x: bx.Value) -> Any:
        return function(x)

    with pytest.raises(bx.SpecError, match="use the op of that name"):
        entry(main)


def test_an_argument_by_its_name_elsewhere() -> None:
    def main(f: bx.F, x: bx.Value) -> Any:
        wrong: Any = {"features": 3, "kernel_size": [3]}
        return f.conv("c", x, **wrong)

    with pytest.raises(TypeError, match=r"'features'; did you mean out_features\?"):
        entry(main)


def test_an_op_that_is_none_by_text() -> None:
    def main(f: bx.F, x: bx.Value) -> Any:
        return f.op("Dense", "d", x)

    with pytest.raises(bx.SpecError) as caught:
        entry(main)
    assert str(caught.value) == (
        "main.Dense: expected an op that is registered here, found 'Dense'; did you mean "
        "'linear'?"
    )


def test_a_number_where_each_axis_has_one() -> None:
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        size: Any = 3
        return f.conv("out", x[:, None, None], 1, size)

    with pytest.raises(bx.SpecError) as caught:
        entry(main)
    assert str(caught.value) == (
        "main.out.kernel_size: expected a list, found 3; one number for each axis, such "
        "as [3, 3]"
    )


@pytest.mark.parametrize("init", [{"name": "zeros"}, "zeros"])
def test_an_initializer_without_its_parameter(init: Any) -> None:
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return x + f.param("p", [8], init=init)

    with pytest.raises(
        bx.SpecError, match=r"init.*parameter: {'value': {'name': \.\.\.}}"
    ):
        entry(main)


def test_optional_values_reach_optional_operands_only() -> None:
    def main(f: bx.F, x: bx.Value, m: bx.Value) -> bx.Value:
        return x + m

    with pytest.raises(bx.SpecError) as caught:
        entry(main, x=bx.Input(["batch"]), m=bx.Input(["batch"], optional=True))
    assert str(caught.value) == (
        "main.add_1.b: expected a value that is always there, found m, which is "
        "optional; give it a value by f.default"
    )


def test_entries_declare_their_inputs() -> None:
    with pytest.raises(bx.SpecError) as caught:
        entry(shapes, y=bx.Input(["batch"]))
    assert str(caught.value) == (
        "shapes.inputs.x: expected a bx.Input, found nothing; "
        'b.entry(x=bx.Input(["batch", ...]))'
    )
    with pytest.raises(bx.SpecError, match="expected an entry without attributes"):
        entry(sized, x=bx.Input(["batch"]))
    with pytest.raises(bx.SpecError, match=r"inputs\.x\.dtype: expected .*'f3'"):
        entry(narrow, x=bx.Input(["batch", 2], "f3"))
    with pytest.raises(bx.SpecError, match=r"inputs\.x: expected a list of sizes"):
        entry(narrow, x=bx.Input("batch"))
    given: Any = ["batch"]
    with pytest.raises(bx.SpecError, match=r"expected a bx.Input, found \['batch'\]"):
        entry(narrow, x=given)


def test_a_dim_that_is_named_like_an_attribute() -> None:
    with pytest.raises(bx.SpecError) as caught:
        entry(narrow, x=bx.Input(["batch", "width"]))
    assert str(caught.value) == (
        "narrow.inputs.x: expected a dim with a name of its own, found width, which is "
        "an attribute of the Graph; b.width is the attribute"
    )


def test_a_function_has_a_name_and_named_parameters() -> None:
    with pytest.raises(bx.SpecError, match="write it with def"):
        entry(lambda f, x: x)

    def main(f: bx.F, *xs: bx.Value) -> bx.Value:
        return xs[0]

    with pytest.raises(bx.SpecError, match="named parameters of main only, found"):
        entry(main, x=bx.Input([2]))


def test_sizes_that_are_rounded_differ() -> None:
    def main(f: bx.F, image: bx.Value) -> bx.Value:
        small = f.max_pool(f.max_pool(image, [2, 2]), [2, 2])
        back = small.repeat(4, 1).repeat(4, 2)
        return f.concatenate([back, image], axis=-1)

    image = bx.Input(["batch", "height", "breadth", 3])
    text = r"\(batch, height, breadth, 3\).*; where only some sizes fit, dims say .*"
    with pytest.raises(bx.ModelError, match=text + "multiple_of=2"):
        entry(main, image=image)
    b = bx.GraphBuilder("m")
    for dim in ("height", "breadth"):
        b.dim(dim, multiple_of=4)
    b.entry(main, image=image)
    assert b.graph().functions["main"].outputs


def test_a_size_that_no_input_has() -> None:
    """Whether `update` fits isn't known, so the result has no size that one can name."""

    def main(f: bx.F, x: bx.Value, update: bx.Value) -> bx.Value:
        y = f.dynamic_update_slice(x, update, [0], [1])
        return f.zeros([y.shape[1]])

    inputs = {
        "x": bx.Input(["batch", "cached"]),
        "update": bx.Input(["batch", "seq"]),
    }
    with pytest.raises(bx.SpecError, match=r"main.zeros_1.shape: .* b\.constraint\("):
        entry(main, **inputs)
    b = bx.GraphBuilder("m")
    b.constraint("seq <= cached")
    b.entry(main, **inputs)
    zeros = b.graph().plain()["functions"]["main"]["nodes"]["zeros_1"]
    assert zeros["shape"] == ["$cached"]


def test_dims_come_first() -> None:
    b = bx.GraphBuilder("model")
    b.entry(narrow, x=bx.Input(["batch", 2]))
    with pytest.raises(bx.SpecError) as caught:
        b.dim("batch", max=3)
    assert str(caught.value) == (
        "dims.batch: expected dims and constraints before the first entry; sizes are "
        "inferred with them"
    )
    with pytest.raises(bx.SpecError, match="expected a new entry"):
        b.entry(narrow, x=bx.Input(["batch", 2]))


def test_a_failed_entry_leaves_nothing_behind() -> None:
    b = bx.GraphBuilder("model", width=8)
    with pytest.raises(bx.ModelError):
        b.entry(shapes, x=bx.Input(["batch", b.width]))
    b.entry(narrow, x=bx.Input(["batch", b.width]))
    assert list(b.graph().functions) == ["narrow"]
    with pytest.raises(bx.SpecError, match="at least one entry"):
        bx.GraphBuilder("empty").graph()
