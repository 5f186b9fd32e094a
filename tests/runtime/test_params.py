"""init, split and merge: the scheme of keys, initialisers, globs."""

from __future__ import annotations

import zlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runtime.calling import (
    WIDTH,
    assert_close,
    call,
    fn,
    graph,
    linear,
    node,
    norm,
    ones,
    repeat,
    run,
    structure,
)
from sample_specs import Data
from work import counted

import blox as bx

KEY = jax.random.key(11)
LECUN = jax.nn.initializers.lecun_normal()
BLOCK = fn({"up": linear()})
x = ones(3, WIDTH)


def fold(path: str, *copies: int) -> Any:
    key = jax.random.fold_in(KEY, zlib.crc32(path.encode()))
    for copy in copies:
        key = jax.random.fold_in(key, copy)
    return key


def same(a: Any, b: Any) -> None:
    """Equal but for what a compiler may round another way."""
    assert_close(a, b, rtol=2e-7, atol=0)


def test_the_key_of_an_array_is_folded_by_its_path() -> None:
    model = graph({"a": call("block"), "b": linear("a")}, functions={"block": BLOCK})
    params = bx.init(model, KEY)
    assert list(params) == ["a", "b"]
    same(params["a"]["up"]["kernel"], LECUN(fold("a.up.kernel"), (4, 4)))
    same(params["b"]["kernel"], LECUN(fold("b.kernel"), (4, 4)))
    same(params["b"]["bias"], np.zeros(4))


def test_copies_fold_their_numbers_outermost_first() -> None:
    for outer in (False, True):
        for inner in (False, True):
            row = fn({"g": repeat("block", 2, scan=inner)})
            model = graph(
                {"h": repeat("row", 3, scan=outer)},
                functions={"row": row, "block": BLOCK},
            )
            h = bx.init(model, KEY)["h"]
            for i in range(3):
                g = (jax.tree.map(lambda a, i=i: a[i], h) if outer else h[i])["g"]
                for j in range(2):
                    up = (jax.tree.map(lambda a, j=j: a[j], g) if inner else g[j])["up"]
                    key = fold("h.g.up.kernel", i, j)
                    same(up["kernel"], LECUN(key, (4, 4)))


def test_scanned_unrolled_and_mapped_copies_start_equal() -> None:
    lanes: Data = {"op": "map", "function": "block", "count": 3, "inputs": {"x": "x"}}
    found = []
    for h in (repeat("block", scan=True), repeat("block", scan=False), lanes):
        kernels = bx.init(graph({"h": h}, functions={"block": BLOCK}), KEY)["h"]
        if isinstance(kernels, list):
            kernels = jax.tree.map(lambda *a: jnp.stack(a), *kernels)
        found.append(kernels)
    same(found[1], found[0])
    same(found[2], found[0])


def test_adding_a_layer_changes_no_other_array() -> None:
    one = bx.init(graph({"a": linear(), "c": linear("a")}), KEY)
    more = bx.init(graph({"a": linear(), "b": linear("a"), "c": linear("b")}), KEY)
    for name in ("a", "c"):
        np.testing.assert_array_equal(one[name]["kernel"], more[name]["kernel"])
    assert not np.array_equal(more["a"]["kernel"], more["b"]["kernel"])
    deep = [
        bx.init(
            graph({"h": repeat("block", n, scan=True)}, functions={"block": BLOCK}), KEY
        )
        for n in (2, 5)
    ]
    same(jax.tree.map(lambda a: a[:2], deep[1]), deep[0])


INITIALIZERS: list[Data] = [
    {"name": "zeros"},
    {"name": "ones"},
    {"name": "constant", "value": -1.5},
    {"name": "normal", "stddev": 0.5},
    {"name": "truncated_normal", "stddev": 0.5, "lower": -1.0, "upper": 2.0},
    {"name": "uniform", "scale": 3.0},
    {"name": "orthogonal", "scale": 2.0, "column_axis": 0},
    {"name": "delta_orthogonal", "scale": 1.5},
    *(
        {
            "name": "variance_scaling",
            "scale": 2.0,
            "mode": mode,
            "distribution": distribution,
            "in_axis": 1,
            "out_axis": 2,
        }
        for mode in ("fan_in", "fan_out", "fan_avg", "fan_geo_avg")
        for distribution in ("normal", "truncated_normal", "uniform")
    ),
    *(
        {
            "name": "variance_scaling",
            "scale": 2.0,
            "mode": "fan_avg",
            "distribution": "normal",
            **axes,
        }
        for axes in (
            {"in_axis": [0, 1]},
            {"in_axis": 0, "out_axis": [1, 2]},
            {"batch_axis": 0},
            {"in_axis": [], "out_axis": [2], "batch_axis": [0]},
        )
    ),
]


@pytest.mark.parametrize(
    "init", INITIALIZERS, ids=lambda i: "-".join(map(str, i.values()))
)
def test_initialisers_are_those_of_jax(init: Data) -> None:
    shape = (3, 4, 4)
    param = node("param", None, shape=list(shape), init={"value": init})
    more = {n: v for n, v in init.items() if n != "name"}
    function = getattr(jax.nn.initializers, init["name"])
    if init["name"] not in ("zeros", "ones"):
        function = function(**more)
    params = bx.init(graph({"w": param}, "w"), KEY)
    assert_close(params["w"], function(fold("w"), shape), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["normal", "orthogonal", "ones"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(name: str, dtype: str) -> None:
    param = node("param", None, shape=[4, 4], init={"value": {"name": name}})
    fixed = node("param", None, shape=[4], dtype="float32")
    model = graph({"w": param, "fixed": fixed, "bn": norm()}, {"w": "w", "f": "fixed"})
    params = bx.init(model, KEY, dtype=dtype)
    assert params["w"].dtype == jnp.dtype(dtype)
    assert params["fixed"].dtype == jnp.float32
    assert params["bn"]["mean"].dtype == jnp.float32
    assert params["bn"]["scale"].dtype == jnp.dtype(dtype)


def test_state_starts_as_it_should() -> None:
    model = graph({"rng": {"op": "rng"}, "bn": norm()})
    params = bx.init(model, KEY)
    bits = jax.random.bits(fold("rng.key_data"), (2,), jnp.uint32)
    np.testing.assert_array_equal(params["rng"]["key_data"], bits)
    assert params["rng"]["count"] == 0
    assert params["rng"]["count"].dtype == jnp.uint32
    same(params["bn"]["mean"], np.zeros(4))
    same(params["bn"]["var"], np.ones(4))


def test_64_bits_are_refused() -> None:
    model = graph(
        {"n": node("param", None, shape=[2], dtype="int64"), "w": linear()}, "n"
    )
    with pytest.raises(bx.ModelError) as error:
        bx.init(model, KEY, dtype="float64")
    hint = 'JAX would cut it: jax.config.update("jax_enable_x64", True)'
    assert str(error.value).splitlines() == [
        f"n: expected at most 32 bits per value, found int64; {hint}",
        f"w.kernel: expected at most 32 bits per value, found float64; {hint}",
        f"w.bias: expected at most 32 bits per value, found float64; {hint}",
    ]


MODEL = graph(
    {
        "wte": linear(),
        "bn": norm("wte"),
        "buf": node("buffer", None, shape=[WIDTH]),
        "fixed": linear("bn", frozen=["kernel"]),
        "number": node("param", None, shape=[], dtype="int32"),
        "rng": {"op": "rng"},
        "h": repeat("block", 2, scan=False, carry={"x": "fixed"}),
        "s": repeat("block", 2, scan=True, carry={"x": "h"}),
    },
    {"s": "s", "buf": "buf", "n": "number"},
    functions={"block": fn({"up": linear(), "bn": norm("up")})},
)


def paths(tree: Any) -> set[str]:
    return {
        jax.tree_util.keystr(p, simple=True, separator=".")
        for p, _ in jax.tree_util.tree_leaves_with_path(tree)
    }


def test_split_sorts_by_what_is_trained() -> None:
    params = bx.init(MODEL, KEY)
    trainable, rest = bx.split(MODEL, params)
    assert paths(trainable) == {
        "wte.kernel",
        "wte.bias",
        "bn.scale",
        "bn.bias",
        "fixed.bias",
        *(f"{c}.{p}" for c in ("h.0", "h.1", "s") for p in ("up.kernel", "up.bias")),
        *(f"{c}.{p}" for c in ("h.0", "h.1", "s") for p in ("bn.scale", "bn.bias")),
    }
    assert paths(trainable) | paths(rest) == paths(params)
    assert not paths(trainable) & paths(rest)
    merged = bx.merge(trainable, rest)
    assert structure(merged) == structure(params)
    assert all(jax.tree.leaves(jax.tree.map(lambda a, b: a is b, merged, params)))


@pytest.mark.parametrize(
    ("freeze", "frozen"),
    [
        (["wte"], {"wte.kernel", "wte.bias"}),
        (["*.kernel"], {"wte.kernel", "h.0.up.kernel", "h.1.up.kernel", "s.up.kernel"}),
        (["h.*.up.kernel"], {"h.0.up.kernel", "h.1.up.kernel"}),
        (
            ["h.1"],
            {f"h.1.{p}" for p in ("up.kernel", "up.bias", "bn.scale", "bn.bias")},
        ),
        (["s.bn", "bn.b*"], {"s.bn.scale", "s.bn.bias", "bn.bias"}),
        (["bn.mean"], set()),
    ],
)
def test_globs_freeze(freeze: list[str], frozen: set[str]) -> None:
    params = bx.init(MODEL, KEY)
    before, _ = bx.split(MODEL, params)
    trainable, rest = bx.split(MODEL, params, freeze=freeze)
    assert paths(before) - paths(trainable) == frozen
    assert frozen <= paths(rest)
    merged = bx.merge(trainable, rest)
    assert structure(merged) == structure(params)


def test_everything_may_be_frozen() -> None:
    params = bx.init(MODEL, KEY)
    trainable, rest = bx.split(MODEL, params, freeze=["*"])
    assert jax.tree.leaves(trainable) == []
    assert structure(bx.merge(trainable, rest)) == structure(params)


def test_split_reports_what_is_wrong() -> None:
    params = bx.init(MODEL, KEY)
    with pytest.raises(TypeError, match=r"list of globs; \['wte'\] is one"):
        bx.split(MODEL, params, freeze="wte")
    with pytest.raises(bx.ModelError) as error:
        bx.split(MODEL, params, freeze=["wte", "nothing.*"])
    assert str(error.value) == ("expected globs that match a path, found ['nothing.*']")
    with pytest.raises(bx.ModelError, match=r"found \['wt'\]; did you mean wte\?"):
        bx.split(MODEL, params, freeze=["wt"])
    with pytest.raises(bx.ModelError) as error:
        bx.split(MODEL, {**params, "extra": {"kernel": x}})
    assert str(error.value) == (
        "extra.kernel: expected a leaf of the Graph, found one it lacks"
    )


def test_an_array_takes_one_call_whatever_its_key_is_made_of() -> None:
    """Folding numbers into keys outside of what is compiled took ten times the rest."""

    def work(count: int) -> int:
        row = fn({"g": repeat("block", 2, scan=False)})
        model = graph(
            {"h": repeat("row", count, scan=False)},
            functions={"row": row, "block": BLOCK},
        )
        model.program()
        with counted() as found:
            bx.init(model, KEY)
        return found.calls

    work(2)  # compiles
    few, many = work(5), work(25)
    assert (many - few) / (20 * 4) < 150  # 900 before, of each of these arrays


def test_init_is_pure() -> None:
    shapes = jax.eval_shape(lambda k: bx.init(MODEL, k), KEY)
    params = bx.init(MODEL, KEY)
    assert structure(shapes) == structure(params)
    for shape, array in zip(
        jax.tree.leaves(shapes), jax.tree.leaves(params), strict=True
    ):
        assert (shape.shape, shape.dtype) == (array.shape, array.dtype)
    assert_close(jax.jit(lambda k: bx.init(MODEL, k))(KEY), params)
    many = jax.vmap(lambda k: bx.init(MODEL, k))(jax.random.split(KEY, 2))
    assert many["wte"]["kernel"].shape == (2, 4, 4)
    assert run(MODEL, params, x)[0]["s"].shape == (3, 4)


def test_raw_keys_are_as_good() -> None:
    model = graph({"a": linear()})
    raw = bx.init(model, jax.random.key_data(KEY))
    same(raw, bx.init(model, KEY))


# Arrays that are there ---------------------------------------------------------------


def test_only_what_is_not_given_is_made() -> None:
    for scan in (True, False):
        model = graph(
            {"h": repeat("block", 2, scan=scan), "b": linear("h")},
            functions={"block": fn({"up": linear()}, outputs={"x": "up"})},
        )
        drawn = bx.init(model, KEY)
        kept = jax.tree.map(lambda a: a + 1, drawn["h"])
        params = bx.init(model, KEY, given={"h": kept})
        assert structure(params) == structure(drawn)
        assert all(map(jnp.array_equal, *map(jax.tree.leaves, (params["h"], kept))))
        same(params["b"]["kernel"], drawn["b"]["kernel"])
        same(params["b"]["bias"], drawn["b"]["bias"])
    all_there = bx.init(model, KEY, given=drawn)
    assert all(
        a is b for a, b in zip(*map(jax.tree.leaves, (all_there, drawn)), strict=True)
    )


def test_what_is_given_is_nested_as_params_are() -> None:
    with pytest.raises(TypeError, match="expected given= to be a dict, as Params are"):
        bx.init(graph({"b": linear("x")}), KEY, given="model")  # type: ignore[arg-type]


def test_arrays_that_do_not_fit_are_named_together() -> None:
    model = graph({"b": linear("x"), "c": linear("b")})
    whole = jnp.ones(4, "int32")
    given = {
        "b": {"kernel": ones(4, 5), "bais": ones(4), "bias": whole},
        "d": [ones(1)],
    }
    with pytest.raises(bx.ModelError) as caught:
        bx.init(model, KEY, given=given)
    assert [str(d) for d in caught.value.diagnostics] == [
        "b.kernel: expected shape [4, 4], found [4, 5]",
        "b.bais: expected an array of the Graph, found one that it lacks; "
        "did you mean b.bias?",
        "b.bias: expected dtype float, found int32",
        "d.0: expected an array of the Graph, found one that it lacks",
    ]
