"""Errors at trace time: one line, with the chain of nodes, expected and found."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from runtime.calling import (
    WIDTH,
    X,
    call,
    fn,
    graph,
    init,
    linear,
    node,
    norm,
    ones,
    repeat,
)
from runtime.messages import message

import blox as bx

BLOCK = fn({"up": linear(), "bn": norm("up")})


ATTENTION = fn(
    {"query": linear(), "mix": node("add", None, a="query", b="mask")},
    inputs={"x": {}, "mask": {}},
)


OUTER = fn(
    {
        "attn": call("attention", {"x": "x", "mask": "mask"}),
        "c": {
            "op": "cond",
            "predicate": 1,
            "then": "block",
            "else": "block",
            "inputs": {"x": "attn"},
        },
    },
    inputs={"x": {}, "mask": {}},
)


MODEL = graph(
    {
        "h": repeat("outer", 2, scan=True, inputs={"mask": "mask"}),
        "g": repeat("block", 2, scan=False, carry={"x": "h"}),
        "out": linear("g", 3),
    },
    inputs={**X, "mask": {"shape": ["_"], "dtype": "float"}},
    functions={"outer": OUTER, "block": BLOCK, "attention": ATTENTION},
)


PARAMS = init(MODEL)


BUILT = bx.build(MODEL)


x, mask = ones(3, WIDTH), jnp.ones(WIDTH)


HINT = "; give Params of this Graph, as bx.load and bx.init make them"


TAKES = "; inputs are x, mask"


def own(**changes: Any) -> Any:
    return {**PARAMS, **changes}


def taken(tree: Any, i: Any) -> Any:
    return jax.tree.map(lambda a: a[i], tree)


OUT, H = PARAMS["out"], PARAMS["h"]


OF_PARAMS: list[tuple[Any, str]] = [
    ({"h": H, "g": PARAMS["g"]}, "main.out: expected 'out' in Params, found 'h', 'g'"),
    (own(out={"bias": mask}), "main.out: expected 'kernel' in Params, found 'bias'"),
    (own(out={}), "main.out: expected 'kernel', 'bias' in Params, found none"),
    (own(out=mask), "main.out: expected 'kernel', 'bias' in Params, found float32[4]"),
    (
        own(h=None),
        "main.h: expected arrays of 2 stacked copies in Params, found nothing",
    ),
    (
        own(h=[taken(H, i) for i in range(2)]),
        "main.h: expected arrays of 2 stacked copies in Params, found a list of 2",
    ),
    (
        own(h=taken(H, jnp.array([0, 1, 0]))),
        "main.h: expected arrays of 2 stacked copies in Params, found float32[3, 4]",
    ),
    (
        own(g=jax.tree.map(lambda *a: jnp.stack(a), *PARAMS["g"])),
        "main.g: expected a list of 2 copies in Params, found 'up', 'bn'",
    ),
    (
        own(g=[*PARAMS["g"], *PARAMS["g"]]),
        "g: expected a list of 2 in Params, found a list of 4",
    ),
    (
        own(g=[PARAMS["g"][0], {"up": {}, "bn": {}}]),
        "main.g.up: expected 'kernel', 'bias' in Params, found none",
    ),
    (
        own(h={**H, "c": {"then": H["c"]["then"]}}),
        "main.h.c: expected 'else' in Params, found 'then'",
    ),
    (
        own(h={**H, "attn": {"query": {"bias": H["attn"]["query"]["bias"]}}}),
        "main.h.attn.query: expected 'kernel' in Params, found 'bias'",
    ),
    (None, "main.h: expected 'h' in Params, found nothing"),
    ([], "main.h: expected 'h' in Params, found a list of 0"),
]


@pytest.mark.parametrize(("params", "text"), OF_PARAMS, ids=lambda v: str(v)[:40])
def test_params_that_are_not_of_the_graph(params: Any, text: str) -> None:
    found = message(jax.eval_shape, BUILT, params, x, mask)
    if params is not None and isinstance(params, dict):
        # A transform hands dicts over with their keys sorted.
        for way in ("'h', 'g'", "'up', 'bn'"):
            there = ", ".join(sorted(way.split(", ")))
            text = text.replace(f"found {way}", f"found {there}")
    assert found == text + HINT


LACKS = "expected an array of the Graph, found one that it lacks; "


def test_arrays_that_no_node_reads_are_refused() -> None:
    """Each part of Params by its first array, in whatever entry they are given."""
    more = {**H["c"]["then"], "w": mask}
    found = message(
        jax.eval_shape,
        BUILT,
        {**PARAMS, "h": {**H, "c": {**H["c"], "then": more}}, "old": [{}, PARAMS["g"]]},
        x,
        mask,
    )
    assert found.splitlines() == [
        f"h.c.then.w: {LACKS}leave it out",
        f"old.1.0.bn.bias: {LACKS}leave it out",
    ]
    renamed = {"oat": OUT, "h": H, "g": PARAMS["g"]}
    found = message(jax.eval_shape, BUILT, renamed, x, mask)
    assert found == f"oat.bias: {LACKS}did you mean out for oat?"
    empty = {**PARAMS, "old": {"a": {}, "b": [{}]}}
    assert jax.eval_shape(BUILT, empty, x, mask)


OF_INPUTS: list[tuple[tuple[Any, ...], dict[str, Any], list[str]]] = [
    ((), {}, [
        f"main.x: expected float [batch, 4], found nothing{TAKES}",
        f"main.mask: expected float [_], found nothing{TAKES}",
    ]),
    ((x,), {}, [f"main.mask: expected float [_], found nothing{TAKES}"]),
    ((x, None), {}, [f"main.mask: expected float [_], found nothing{TAKES}"]),
    ((x, mask, x), {}, [f"main: expected at most 2 inputs, found 3{TAKES}"]),
    ((x, mask), {"z": x}, [f"main.z: no such input{TAKES}"]),
    ((x, mask), {"x": x}, [f"main.x: given twice{TAKES}"]),
    ((x, mask), {"a\nb": x}, [f"main.a\\nb: no such input{TAKES}"]),
    ((ones(3, 5), mask), {}, ["main.x: expected shape [batch, 4], found [3, 5]"]),
    ((ones(4), mask), {}, ["main.x: expected shape [batch, 4], found [4]"]),
    ((x, x), {}, ["main.mask: expected shape [_], found [3, 4]"]),
    ((x.astype("int32"), mask), {}, [
        'main.x: expected a floating dtype, found int32; cast it: x.astype("float32")'
    ]),
    ((x, mask > 0), {}, [
        'main.mask: expected a floating dtype, found bool; cast it: x.astype("float32")'
    ]),
    ((ones(4).astype("int32"), "text"), {}, [
        'main.x: expected a floating dtype, found int32; cast it: x.astype("float32")',
        "main.x: expected shape [batch, 4], found [4]",
        "main.mask: expected float [_], found str",
    ]),
    ((object(), mask), {}, ["main.x: expected float [batch, 4], found object"]),
    ((jax.ShapeDtypeStruct((3, 4), jnp.float32), mask), {}, [
        "main.x: expected float [batch, 4], found float32[3, 4]"
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("args", "kwargs", "lines"), OF_INPUTS)
def test_inputs_that_are_not_as_declared(
    args: Any, kwargs: dict[str, Any], lines: list[str]
) -> None:
    assert message(BUILT, PARAMS, *args, **kwargs).splitlines() == lines


def test_no_params_at_all() -> None:
    with pytest.raises(TypeError, match="params"):
        BUILT()


def test_an_unknown_entry() -> None:
    text = "expected an entry of the Graph: main"
    assert message(bx.build, MODEL, "nope") == f"nope: {text}"
    assert message(bx.build, MODEL, "attention") == f"attention: {text}"


BROADCAST = "Incompatible shapes for broadcasting: shapes=[(3, 4), (5,)]"


@pytest.mark.parametrize("how", ["plain", "jit", "grad", "vmap", "eval_shape"])
def test_errors_of_jax_carry_the_path_through_any_transform(how: str) -> None:
    wrong = jnp.ones(5)
    trainable, rest = bx.split(MODEL, PARAMS)

    def loss(trainable: Any) -> Any:
        return BUILT(bx.merge(trainable, rest), x, wrong)[0].sum()

    functions: dict[str, Any] = {
        "plain": lambda: BUILT(PARAMS, x, wrong),
        "jit": lambda: jax.jit(BUILT)(PARAMS, x, wrong),
        "grad": lambda: jax.grad(loss)(trainable),
        "vmap": lambda: jax.vmap(BUILT, (None, 0, None))(PARAMS, x[None], wrong),
        "eval_shape": lambda: jax.eval_shape(BUILT, PARAMS, x, wrong),
    }
    operands = "(operands: a float32[3, 4], b float32[5])"
    assert message(functions[how]) == f"main.h.attn.mix: {BROADCAST} {operands}"


def test_the_cause_is_the_error_of_jax() -> None:
    with pytest.raises(bx.ModelError) as error:
        BUILT(PARAMS, x, jnp.ones(5))
    assert isinstance(error.value.__cause__, (TypeError, ValueError))
    assert BROADCAST in str(error.value.__cause__)
    assert isinstance(error.value, ValueError)


def test_arrays_of_a_wrong_shape_are_shown() -> None:
    wrong = {"kernel": OUT["kernel"].T, "bias": OUT["bias"]}
    assert message(BUILT, own(out=wrong), x, mask) == (
        "main.out: dot_general requires contracting dimensions to have the same shape, "
        "got (4,) and (3,). (operands: x float32[3, 4], kernel float32[3, 4], bias "
        "float32[3])"
    )


def test_text_of_a_file_stays_inert() -> None:
    model = graph({"y": node("negative")}, metadata={"description": "\x1b[31m"})
    assert "\x1b" not in message(bx.build(model), {}, "\x1b[31m")
