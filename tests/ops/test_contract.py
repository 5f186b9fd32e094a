"""The contract of all ops: every row of every op keeps it, and an op without one fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from generated_files import SIZES, assert_same_program
from generator.op_cases import graph_of
from ops.building import built
from ops.calling import NODE
from ops.calls import Called, arrays_of_floats, is_array, is_complex, is_float
from ops.rows import FAMILIES, ROWS

import blox as bx
from blox.dev.op_check import missing, not_carried
from blox.schema import Graph, op_class, op_names
from blox.schema.expressions import evaluate
from blox.schema.nodes import dump_node
from blox.schema.op import Op, ScopeOp
from blox.schema.registry import definition, versions
from blox.schema.release.lock import FOLDER, locked
from blox.show.flops import measure

CALLS = {
    name if i == 0 else f"{name}-{i}": Called(name, row)
    for name, rows in ROWS.items()
    for i, row in enumerate(rows)
}


def often(title: str) -> bool:
    """True of the call whose batches, types and gradient are computed in every run."""
    return title in ROWS and not CALLS[title].row.heavy


def params(often: Callable[[str], bool]) -> list[Any]:
    """All calls, `slow` but for some."""
    return [
        pytest.param(called, id=title, marks=() if often(title) else pytest.mark.slow)
        for title, called in CALLS.items()
    ]


COMPUTED = [n for n in op_names() if not issubclass(op_class(n) or Op, ScopeOp)]
NEAR = 2e-5
ROUGH = 2.0**-5
"""Of bfloat16, by the largest number."""


@pytest.mark.parametrize("name", COMPUTED)
def test_has_a_row(name: str) -> None:
    found = definition(name)
    assert found is not None
    file = f"tests/ops/rows/{found.home}.py"
    assert name in FAMILIES.get(found.home, {}), f"{file}: expected a row of {name}"
    first = ROWS[name][0]
    stored = Called(name, first).op.stored()
    assert {*first.params} == {*stored}, (
        f"{file}: the first row of {name} lacks parameters"
    )


def test_rows_are_of_ops() -> None:
    assert {*ROWS} == {*COMPUTED}
    assert sum(map(len, FAMILIES.values())) == len(ROWS)


def test_classes_and_functions_agree() -> None:
    assert missing() == []


def test_what_a_generated_file_would_lack_is_seen() -> None:
    source = """
import jax
EPS = 1e-5
@jax.jit
def f(x):
    return [EPS + y for y in x]
"""
    assert not_carried(source) == [
        "f would lose its decorator jax.jit",
        "f reads EPS, which is no parameter, function or import",
    ]


@pytest.mark.parametrize("called", CALLS.values(), ids=CALLS)
def test_spec(called: Called) -> None:
    """Sound, kept in JSON, written by the builder, and in the lock with its defaults."""
    op = called.op
    assert list(op.problems()) == []
    assert list(op.resolve({}).problems()) == []
    again = NODE.validate_python(json.loads(json.dumps(dump_node(op))))
    assert again == op
    assert type(again) is type(op)
    found = definition(called.name)
    assert found is not None
    assert lock_of(found.home)[called.name] == locked(called.name)
    if found.version == versions(found.name)[-1]:
        graph = graph_of(called.name, called.row)
        assert (
            built(graph).plain()["functions"]["main"]["nodes"]
            == (graph.plain()["functions"]["main"]["nodes"])
        )


@cache
def lock_of(family: str) -> Any:
    return json.loads((FOLDER / f"{family}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("called", params(ROWS.__contains__))
def test_graph(called: Called) -> None:
    """Its parameters, its shapes for any batch, and its generated file."""
    graph = graph_of(called.name, called.row, lead=["batch"])
    params = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
    given = {n: np.asarray(p) for n, p in called.params.items()}
    found = params.get("node", {})
    found = found if isinstance(found, dict) else {"": found}
    kinds = {n: (p.shape, p.dtype) for n, p in given.items()}
    assert {n: (p.shape, p.dtype) for n, p in found.items()} == kinds
    (outputs, _), *_ = assert_same_program(graph, bx.generate(graph), params)
    if called.op.OUTPUT_KIND == "tensor":
        names = graph.functions["main"].outputs
        by_name = (
            outputs if isinstance(outputs, dict) else dict.fromkeys(names, outputs)
        )
        assert_shapes(graph, called, [by_name[name] for name in names])


def assert_shapes(graph: Graph, called: Called, two: Any) -> None:
    """A batch of 2 or 5 has the shapes that the engine finds for one of any size."""
    table = measure(graph).shapes[graph.program().entries["main"]]["node"]
    five = jax.eval_shape(called, sized(called, 5), called.params)
    for size, wanted in ((SIZES["batch"], two), (5, five)):
        for known, y in zip(table, wanted, strict=True):
            assert known is not None
            assert known.shape is not None
            sizes = tuple(evaluate(f"${s}", {"batch": size}) for s in known.shape)
            assert (sizes, known.dtype) == (y.shape, y.dtype)


def sized(called: Called, batch: int) -> Any:
    """The operands, with a batch before those that take leading dims."""

    def one(x: Any) -> Any:
        if not hasattr(x, "dtype"):
            return x
        return jax.ShapeDtypeStruct((batch, *x.shape), x.dtype)

    operands = called.row.operands
    if not called.row.lead:
        return operands
    return called.batch(operands, lambda x: jax.tree.map(one, x))


@pytest.mark.parametrize("called", params(often))
def test_numbers(called: Called) -> None:
    """Reference, `jit`, `vmap`, leading dims, gradient, bfloat16 and integers."""
    found = computed(called)
    if callable(called.row.reference):
        assert_close("reference", found["single"], called.formula(called.given))
    assert_batches(called, found)
    assert_narrow(called, found)
    if "integers" in found:
        assert_integers(found["integers"], found["as floats"])
    if called.differentiable:
        assert_slopes(called, found["slopes"], found["single"])


def together() -> list[Any]:
    """By op the calls whose other numbers are `slow`; those of rare rows are too."""
    found: dict[tuple[str, bool], dict[str, Called]] = {}
    for title, called in CALLS.items():
        if callable(called.row.reference) and not often(title):
            found.setdefault((called.name, called.row.rare), {})[title] = called
    return [
        pytest.param(
            calls, id=f"{name}{'-rare' * rare}", marks=[pytest.mark.slow] * rare
        )
        for (name, rare), calls in found.items()
    ]


@pytest.mark.parametrize("calls", together())
def test_formula(calls: dict[str, Called]) -> None:
    """The reference under `jit`, all calls of an op compiled together."""
    given = [called.given for called in calls.values()]

    @jax.jit
    def all_of(given: Any) -> Any:
        return [c(*g) for c, g in zip(calls.values(), given, strict=True)]

    outputs = jax.device_get(all_of(given))
    for (title, called), found in zip(calls.items(), outputs, strict=True):
        assert_close(f"reference of {title}", found, called.formula(called.given))


def computed(called: Called) -> dict[str, Any]:
    """All ways of a call, in one function that is compiled once, as arrays of NumPy.

    What is done with arrays of JAX is compiled for each shape.
    """
    leaves, tree = jax.tree.flatten(called.row.operands)

    @jax.jit
    def everything(arrays: list[Any], params: Any) -> dict[str, Any]:
        rest = iter(arrays)
        given = [next(rest) if is_array(x) else x for x in leaves]
        return called.computed(jax.tree.unflatten(tree, given), params)

    found = everything([x for x in leaves if is_array(x)], called.params)
    return jax.device_get(found)  # type: ignore[no-any-return]


def assert_close(what: str, found: Any, wanted: Any, near: float = NEAR) -> None:
    for a, b in zip(found, wanted, strict=True):
        assert jnp.shape(a) == jnp.shape(b), what
        kind = complex if jnp.iscomplexobj(b) else float
        a, b = np.asarray(a, kind), np.asarray(b, kind)
        np.testing.assert_allclose(a, b, near, near, err_msg=what)


def assert_batches(called: Called, found: dict[str, Any]) -> None:
    if "batches" not in found:
        return
    pairs = [*zip(found["single"], found["turned"], strict=True)]
    wanted = [np.stack([*map(np.asarray, pair)]) for pair in pairs]
    if not called.row.lead:
        assert_close("vmap", found["batches"], wanted)
        return
    grid = [np.stack([y, y[::-1]])[:, :, None] for y in wanted]
    assert_close("vmap of two leading dims", found["batches"], grid)
    for none, y in zip(called.empty(), found["single"], strict=True):
        assert (none.shape, none.dtype) == ((0, *y.shape), y.dtype), "empty batch"


def assert_narrow(called: Called, found: dict[str, Any]) -> None:
    """Floats stay bfloat16, where any come in or the model has a dtype."""
    op, params = called.op, called.params
    named = [getattr(op, n) for n in op.fields().dtypes]
    given = (called.row.operands, {n: params[n] for n in called.trained})
    narrow = bool(arrays_of_floats(given)) or (op.needs_float() and not params)
    for half, full, y in zip(
        found["bfloat16"], found["rounded"], found["single"], strict=True
    ):
        assert half.shape == y.shape
        pairs = any(map(is_complex, [y, *jax.tree.leaves(given)]))
        stays = pairs or not is_float(y) or str(y.dtype) in named or not narrow
        assert half.dtype == (y.dtype if stays else jnp.bfloat16)
        if arrays_of_floats(given) or not called.keyed:  # else other numbers are drawn
            assert_near("bfloat16", half, full, ROUGH)


def assert_integers(found: Any, wanted: Any) -> None:
    for a, b in zip(found, wanted, strict=True):
        assert a.shape == b.shape
        finite = np.isfinite(b)
        assert_near("integers", np.where(finite, a, 0), np.where(finite, b, 0), NEAR)


def assert_near(what: str, found: Any, wanted: Any, near: float) -> None:
    """As far apart as a share of the largest number."""
    kind = complex if jnp.iscomplexobj(wanted) else float
    a, b = np.asarray(found, kind), np.asarray(wanted, kind)
    largest = np.max(np.abs(b), initial=1.0, where=np.isfinite(b))
    np.testing.assert_allclose(a, b, 0, near * largest, err_msg=what)


def direction(random: np.random.Generator, like: Any) -> Any:
    """Random numbers of the shape and kind of an array."""
    steps = random.normal(size=(2, *np.shape(like))).astype(np.float32)
    return steps[0] + 1j * steps[1] if is_complex(like) else steps[0]


def assert_slopes(called: Called, slopes: Any, outputs: Any) -> None:
    """Along a random direction the gradient is what differences are."""
    random = np.random.default_rng(2)
    steps = [direction(random, s) for s in slopes]
    # Of complex numbers JAX has the conjugate of the gradient.
    products = [np.sum(s * g).real for s, g in zip(steps, slopes, strict=True)]
    found = float(sum(products))
    parts = sum(
        float(np.sum(np.abs(s * g))) for s, g in zip(steps, slopes, strict=True)
    )
    wanted = called.difference(steps, outputs)
    tolerance = 1e-2 if called.keyed else 1e-4
    assert abs(found - wanted) <= tolerance * (1 + parts), "gradient"
