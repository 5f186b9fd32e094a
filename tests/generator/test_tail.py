"""`init_params` and `load_params` of generated files: what `bx.init` and `bx.load` do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from generated_files import assert_tidy, assert_typed, executed
from safetensors.flax import save_file
from sample_specs import Data, function, spec
from trees import same_structure

import blox as bx
from blox.io.load import read_params
from blox.schema import Graph
from blox.weights import read_headers

KEY = jax.random.key(3)
X: Data = {"x": {"shape": ["batch", 4], "dtype": "float"}}


UNIFORM: Data = {"kernel": {"name": "uniform", "scale": 0.5}}
"""Quick to compile."""


def linear(x: str = "x", **more: Any) -> Data:
    sizes = {"in_features": 4, "out_features": 4}
    return {"op": "linear", "x": x, **sizes, "init": UNIFORM, **more}


def repeat(name: str, scan: bool, count: int = 3, **more: Any) -> Data:
    return {
        "op": "repeat", "function": name, "count": count, "scan": scan,
        "carry": {"x": "x"}, **more,
    }  # fmt: skip


BLOCK = function(
    {"up": linear(), "norm": {"op": "layer_norm", "x": "up", "features": 4}},
    {"x": "norm"},
)


def nested(outer: bool, inner: bool) -> Data:
    row = function({"g": repeat("block", inner, 2)}, {"x": "g"})
    return spec(
        {"h": repeat("row", outer)}, inputs=X, functions={"row": row, "block": BLOCK}
    )


def whole(outer: bool) -> Data:
    """A repeat whose own parameters are those of the scanned repeat in it."""
    row = function({"g": repeat("block", True, 2, params=".")}, {"x": "g"})
    return spec(
        {"h": repeat("row", outer)}, inputs=X, functions={"row": row, "block": BLOCK}
    )


def mixed() -> Data:
    """Own dtypes, root leaves, key data, other initialisers, a map, a cycle."""
    constant: Data = {"init": {"kernel": {"name": "constant", "value": 0.5}}}
    body = function(
        {
            "conv": linear(init={"kernel": {"name": "uniform", "scale": 2.0}}),
            "bn": {"op": "batch_norm", "x": "conv", "features": 4},
        },
        {"x": "bn"},
    )
    lane = function({"lin": linear(**constant)}, {"x": "lin"})
    part = function(
        {
            "a": linear(out_features="$width", **constant),
            "b": linear("a", in_features="$width", use_bias=False, **constant),
        },
        {"x": "b"},
        attributes=["width"],
    )
    nodes: Data = {
        "gain": {"op": "param", "shape": [4], "init": {"value": {"name": "ones"}}},
        "rng": {"op": "rng"},
        "first": linear(**constant),
        "drop": {"op": "dropout", "x": "first", "key": "rng", "rate": 0.5},
        "lanes": {"op": "map", "function": "lane", "count": 2, "inputs": {"x": "drop"}},
        "sum": {"op": "sum", "x": "lanes", "axis": 0},
        "s": repeat("body", True) | {"carry": {"x": "sum"}},
        "u": repeat("body", False) | {"carry": {"x": "s"}},
        "cycle": repeat("part", False, 5, attributes={"width": [2, 3]})
        | {"carry": {"x": "u"}},
        "scaled": {"op": "multiply", "a": "cycle", "b": "gain"},
    }  # fmt: skip
    functions = {"body": body, "lane": lane, "part": part}
    return spec(nodes, inputs=X, functions=functions)


def drawing() -> Data:
    """Initialisers that calculate, one in 32 bits whatever the dtype."""
    orthogonal = {"kernel": {"name": "orthogonal", "scale": 2.0}}
    return spec({"a": linear(init=orthogonal), "b": linear("a", init={})}, inputs=X)


def at_the_root() -> Data:
    """Arrays whose path is the last name of others, which start otherwise or have
    another dtype."""
    norm: Data = {"op": "layer_norm", "features": 4}
    state: Data = {"op": "batch_norm", "x": "b", "features": 4}
    value: Data = {"op": "param", "shape": [4], "init": {"value": {"name": "normal"}}}
    nodes = {
        "scale": value,
        "mean": value,
        "bias": value | {"dtype": "float16"},
        "a": norm | {"x": "x"},
        "b": norm | {"x": "a"},
        "c": state,
        "fixed": value | {"dtype": "float16", "params": "d.v"},
        "free": value | {"params": "e.v"},
        "again": value | {"dtype": "float16", "params": "f.v"},
    }
    return spec(nodes, inputs=X)


def beside() -> Data:
    """An array below a scanned repeat that is none of its copies."""
    nodes = {
        "h": repeat("block", True),
        "extra": linear("h", params="h.extra"),
    }
    return spec(nodes, inputs=X, functions={"block": BLOCK})


def beside_lists() -> Data:
    """The same, where the copies have copies in a list."""
    row = function({"g": repeat("block", False, 2)}, {"x": "g"})
    nodes = {"h": repeat("row", True), "extra": linear("h", params="h.extra")}
    return spec(nodes, inputs=X, functions={"row": row, "block": BLOCK})


CASES: dict[str, Callable[[], Data]] = {
    "plain": lambda: spec({"a": linear(), "b": linear("a")}, inputs=X),
    "scanned": lambda: spec(
        {"h": repeat("block", True)}, inputs=X, functions={"block": BLOCK}
    ),
    "listed": lambda: spec(
        {"h": repeat("block", False)}, inputs=X, functions={"block": BLOCK}
    ),
    **{
        f"nested_{outer:d}{inner:d}": partial(nested, outer, inner)
        for outer in (False, True)
        for inner in (False, True)
    },
    "whole_0": partial(whole, False),
    "whole_1": partial(whole, True),
    "mixed": mixed,
    "drawing": drawing,
    "at_the_root": at_the_root,
    "beside": beside,
    "beside_lists": beside_lists,
    "nothing": lambda: spec({"y": {"op": "relu", "x": "x"}}, inputs=X),
}


@cache
def graph_of(case: str) -> Graph:
    return Graph.parse(CASES[case]())


@cache
def file_of(case: str) -> dict[str, Any]:
    return executed(bx.generate(graph_of(case)))


def assert_equal(ours: Any, theirs: Any) -> None:
    assert same_structure(ours, theirs)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        *((c, "float32") for c in CASES),
        *(("drawing", dtype) for dtype in ("bfloat16", "float16")),
        ("at_the_root", "bfloat16"),
    ],
)
def test_new_parameters_are_those_of_init(case: str, dtype: str) -> None:
    graph, names = graph_of(case), file_of(case)
    orders: list[list[str]] = []

    def ordered(params: Any) -> Any:
        orders.append(list(params))
        return params

    ours = jax.jit(lambda key: ordered(bx.init(graph, key, dtype=dtype)))(KEY)
    theirs = jax.jit(lambda key: ordered(names["init_params"](key, dtype)))(KEY)
    assert_equal(ours, theirs)
    assert orders[0] == orders[1]


COUNTED: Data = {
    "op": "buffer", "shape": [2], "dtype": "int64", "init": {"value": {"name": "zeros"}}
}  # fmt: skip


def test_wide_dtypes_are_refused_without_x64_and_equal_with_it() -> None:
    graph = Graph.parse(spec({"n": COUNTED, "y": linear()}, inputs=X))
    names = executed(bx.generate(graph))
    with pytest.raises(bx.ModelError, match="at most 32 bits"):
        bx.init(graph, KEY)
    with pytest.raises(
        ValueError, match="n: expected at most 32 bits a value, found int64"
    ):
        names["init_params"](KEY)
    with pytest.raises(ValueError, match=r"expected a floating dtype .*float64"):
        file_of("plain")["init_params"](KEY, jnp.float64)
    with jax.enable_x64(True):
        for dtype in ("float32", "float64"):
            ours = jax.jit(lambda key, d=dtype: bx.init(graph, key, dtype=d))(KEY)
            theirs = jax.jit(lambda key, d=dtype: names["init_params"](key, d))(KEY)
            assert_equal(ours, theirs)


def test_a_dtype_that_is_no_float_is_refused() -> None:
    with pytest.raises(bx.ModelError):
        bx.init(graph_of("plain"), KEY, dtype="int32")
    with pytest.raises(ValueError, match=r"expected a floating dtype .*found int32"):
        file_of("plain")["init_params"](KEY, "int32")


# Loading


@cache
def params_of(case: str) -> Any:
    return bx.init(graph_of(case), KEY)


def flattened(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(tree, dict | list):
        items = tree.items() if isinstance(tree, dict) else enumerate(tree)
        for name, part in items:
            yield from flattened(part, f"{path}.{name}".strip("."))
    else:
        yield path, tree


def both(case: str, place: Path) -> tuple[Any, Any]:
    """What loader and file read; the error where they refuse."""
    ours: Any
    theirs: Any
    try:
        ours = read_params(graph_of(case), read_headers(place))[0]
    except bx.BloxError as error:
        ours = error
    try:
        theirs = file_of(case)["load_params"](place)
    except (ValueError, FileNotFoundError) as error:
        theirs = error
    return ours, theirs


def assert_same(case: str, place: Path) -> bool:
    """True where both read the same, False where both refuse."""
    ours, theirs = both(case, place)
    refused = isinstance(ours, Exception)
    assert refused == isinstance(theirs, Exception), (ours, theirs)
    if refused:
        assert "expected" in str(theirs)
        assert "\n" not in str(theirs)
    else:
        assert_equal(ours, theirs)
    return not refused


@pytest.mark.parametrize("case", CASES)
def test_a_folder_a_file_and_shards(case: str, tmp_path: Path) -> None:
    graph, params = graph_of(case), params_of(case)
    for name, size in (("one", None), ("shards", 200)):
        bx.save(tmp_path / name, graph, params, max_shard_size=size)
        assert assert_same(case, tmp_path / name)
        assert_equal(file_of(case)["load_params"](tmp_path / name), params)
        assert_equal(file_of(case)["load_params"](str(tmp_path / name)), params)
    file = tmp_path / "one" / "params.safetensors"
    assert_equal(file_of(case)["load_params"](file), params)


ALIKE = [
    *([f"nested_{i}" for i in ("00", "01", "10", "11")],),
    ["whole_0", "whole_1"],
    ["scanned", "listed"],
]


@pytest.mark.parametrize(
    ("here", "there"), [(a, b) for cases in ALIKE for a in cases for b in cases]
)
def test_copies_lie_in_lists_or_on_axes(here: str, there: str, tmp_path: Path) -> None:
    bx.save(tmp_path, graph_of(there), params_of(there))
    assert assert_same(here, tmp_path)


def mutants(flat: dict[str, Any], random: Random) -> Iterator[dict[str, Any]]:
    """A file with one fault, or with none that matters."""
    name = random.choice(list(flat))
    array = flat[name]
    rest = {k: v for k, v in flat.items() if k != name}
    parts = name.split(".")
    yield rest
    yield {**flat, "more": array}
    yield {**flat, f"{name}.more": array}
    yield {**rest, ".".join([*parts[:-1], "other"]): array}
    yield {**rest, name: array[None]}
    yield {**rest, name: jnp.concatenate([array.ravel(), array.ravel()])}
    if array.ndim:
        yield {**rest, name: jnp.concatenate([array, array])}
        yield {**rest, **{f"{name}.{i}": part for i, part in enumerate(array)}}
        at = random.randrange(1, len(parts) + 1)
        numbered = (".".join([*parts[:at], str(i), *parts[at:]]) for i in range(9))
        yield {**rest, **dict(zip(numbered, array, strict=False))}
        yield {**flat, **dict(zip(numbered, array, strict=False))}
    for dtype in ("int32", "bfloat16", "float16", "uint32", "bool"):
        yield {**rest, name: array.astype(dtype)}
    numbers = [i for i, p in enumerate(parts) if p.isdigit()]
    if numbers:
        at = random.choice(numbers)
        yield {**rest, ".".join(p for i, p in enumerate(parts) if i != at): array}
        yield {**rest, ".".join([*parts[:at], "9", *parts[at + 1 :]]): array}
        yield {**rest, ".".join([*parts[:at], "00", *parts[at + 1 :]]): array}


FAULTS = [c for c in CASES if c not in ("nothing", "beside", "beside_lists")]


@pytest.mark.parametrize("case", FAULTS)
def test_the_same_files_are_refused(case: str, tmp_path: Path) -> None:
    random = Random(case)
    flat = dict(flattened(params_of(case)))
    place = tmp_path / "params.safetensors"
    taken = 0
    for _ in range(2):
        for tensors in mutants(flat, random):
            save_file(dict(tensors), place)
            taken += assert_same(case, tmp_path)
    assert taken < 12


def test_wide_numbers_are_refused_without_x64(tmp_path: Path) -> None:
    flat = {k: np.asarray(v) for k, v in flattened(params_of("plain"))}
    flat["a.bias"] = flat["a.bias"].astype(np.float64)
    from safetensors.numpy import save_file as save

    save(flat, tmp_path / "params.safetensors")
    assert not assert_same("plain", tmp_path)
    with jax.enable_x64(True):
        assert file_of("plain")["load_params"](tmp_path)["a"]["bias"].dtype == "float64"


def test_folders_that_hold_no_model_or_two(tmp_path: Path) -> None:
    load = file_of("scanned")["load_params"]
    with pytest.raises(
        FileNotFoundError, match=r"expected params\.safetensors or shards, found \[\]"
    ):
        load(tmp_path / "nowhere")
    assert not assert_same("scanned", tmp_path)
    bx.save(tmp_path, graph_of("scanned"), params_of("scanned"), max_shard_size=100)
    shards = sorted(tmp_path.glob("*.safetensors"))
    assert len(shards) > 1
    (tmp_path / "params.safetensors").write_bytes(shards[0].read_bytes())
    assert not assert_same("scanned", tmp_path)
    (tmp_path / "params.safetensors").unlink()
    (tmp_path / "params-stale.safetensors").write_bytes(shards[0].read_bytes())
    assert assert_same("scanned", tmp_path)  # the index doesn't name it
    (tmp_path / ".blox-commit.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match=r"found \[.*'\.blox-commit\.json'\]"):
        load(tmp_path)
    (tmp_path / ".blox-commit.json").unlink()
    index = tmp_path / "params.safetensors.index.json"
    data = json.loads(index.read_text())
    names = list(data["weight_map"])
    for change in (
        {names[0]: data["weight_map"][names[-1]]},
        {"other": data["weight_map"][names[0]]},
        {names[0]: "../params.safetensors"},
    ):
        index.write_text(json.dumps(data | {"weight_map": data["weight_map"] | change}))
        assert not assert_same("scanned", tmp_path)
    pairs = [[*pair] for pair in data["weight_map"].items()]
    others: tuple[Any, ...] = ({}, [], 3, "x", {"weight_map": 3}, None, pairs)
    for other in (*others, {"weight_map": {"a": 3}}, {"weight_map": pairs}):
        index.write_text(json.dumps(other))
        assert not assert_same("scanned", tmp_path)
    for text in (b"", b"{", b"\xff", b'{"weight_map": {"a": ["b"]}}'):
        index.write_bytes(text)
        with pytest.raises(ValueError, match=r"index\.json: expected a weight_map"):
            load(tmp_path)
        assert not assert_same("scanned", tmp_path)


def test_an_index_with_a_key_twice_or_that_is_too_deep_is_refused(
    tmp_path: Path,
) -> None:
    bx.save(tmp_path, graph_of("scanned"), params_of("scanned"), max_shard_size=100)
    index = tmp_path / "params.safetensors.index.json"
    text = index.read_text()
    name, shard = next(iter(json.loads(text)["weight_map"].items()))
    assert assert_same("scanned", tmp_path)
    for old, new in (
        ('"weight_map": {', f'"weight_map": {{"{name}": "{shard}", '),
        ('"weight_map": {', f'"weight_map": {{"{name}": "other", '),
        ('"weight_map": {', '"weight_map": {}, "weight_map": {'),
        ('"weight_map": {', '"weight_map": 3, "weight_map": {'),
    ):
        index.write_text(text.replace(old, new))
        assert index.read_text() != text
        assert not assert_same("scanned", tmp_path)
    deep = "[" * 100_000
    for text in (deep, deep + "]" * 100_000, f'{{"weight_map": {deep}'):
        index.write_text(text)
        assert not assert_same("scanned", tmp_path)
        with pytest.raises(ValueError, match=r"index\.json: expected a weight_map"):
            file_of("scanned")["load_params"](tmp_path)


def test_tails_are_tidy_and_typed(tmp_path: Path) -> None:
    sources = {case: bx.generate(graph_of(case)) for case in CASES}
    assert_tidy(sources, tmp_path)
    assert_typed(sources, tmp_path)


TAILS = {"plain": 56, "scanned": 66, "listed": 66, "nested_01": 75, "mixed": 79}


@pytest.mark.parametrize(("case", "most"), TAILS.items())
def test_tails_are_short(case: str, most: int) -> None:
    _, _, tail = bx.generate(graph_of(case)).partition("def init_params(")
    assert len(tail.splitlines()) <= most


GOLDENS = {
    "cached_decoder": 94,
    "albert": 83,
    "control_flow": 78,
    "dropout_net": 95,
    "minilm": 93,
    "small_resnet": 115,
    "state_everywhere": 106,
    "tiny_gpt": 93,
    "weight_norm": 79,
}


@pytest.mark.parametrize(("model", "most"), GOLDENS.items())
def test_tails_of_models_are_short_with_their_tables(model: str, most: int) -> None:
    text = (Path(__file__).parents[1] / "golden" / f"{model}.py").read_text("utf-8")
    lines = text.splitlines()
    starts = ("# The shape of each array", "def identity_shapes")
    first = next(i for i, line in enumerate(lines) if line.startswith(starts))
    assert len(lines) - first <= most


@pytest.mark.parametrize("case", ["drawing", "mixed"])
def test_without_init_what_only_new_parameters_need_is_left_out(
    case: str, tmp_path: Path
) -> None:
    graph, params = graph_of(case), params_of(case)
    source = bx.generate(graph, init=False)
    names = executed(source)
    assert not {"init_params", "INIT", "in_float32"} & names.keys()
    assert "initializers" not in source
    bx.save(tmp_path, graph, params)
    assert_equal(names["load_params"](tmp_path), params)
    assert_tidy({case: source}, tmp_path)
    lines = [line for line in source.splitlines() if " import " not in line]
    assert {*lines} < {*bx.generate(graph).splitlines()}


def test_all_differences_are_reported_at_once(tmp_path: Path) -> None:
    flat = dict(flattened(params_of("scanned")))
    del flat["h.norm.bias"]
    flat["h.up.kernel"] = flat["h.up.kernel"][1:]
    flat["h.up.bias"] = flat["h.up.bias"].astype("int32")
    flat["more"] = jnp.zeros(2)
    save_file(flat, tmp_path / "params.safetensors")
    with pytest.raises(ValueError, match=r"^h\.up\.kernel") as error:
        file_of("scanned")["load_params"](tmp_path)
    assert str(error.value).split("; ") == [
        "h.up.kernel: expected float (3, 4, 4), found float32 (2, 4, 4)",
        "h.up.bias: expected float (3, 4), found int32 (3, 4)",
        "h.norm.bias: expected float (3, 4), found no array",
        "more: expected no such array",
    ]


def test_copies_that_are_alike_are_one_row() -> None:
    lines = []
    for count in (3, 20_000):
        data = spec(
            {"h": repeat("block", False, count)}, inputs=X, functions={"block": BLOCK}
        )
        lines.append(bx.generate(Graph.parse(data)).count("\n"))
    assert lines[0] == lines[1]


def test_helpers_of_the_tail_make_room_for_names_of_the_graph() -> None:
    functions = {
        name: function({"up": linear()}, {"x": "up"})
        for name in ("entry", "draw", "stored_arrays", "joined", "in_float32")
    }
    nodes: Data = {}
    last = "x"
    for name in functions:
        nodes[f"call_{name}"] = {"op": "call", "function": name, "inputs": [last]}
        last = f"call_{name}"
    nodes["h"] = repeat("entry", True) | {"carry": {"x": last}}
    graph = Graph.parse(spec(nodes, inputs=X, functions=functions))
    names = executed(bx.generate(graph))
    assert_equal(
        jax.jit(lambda key: bx.init(graph, key))(KEY),
        jax.jit(names["init_params"])(KEY),
    )
