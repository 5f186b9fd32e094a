"""Calls that yield the codes of models: built, written, run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from diagnostics.making import BASE, LINEAR, MODEL, PARAMS, X, graph, in_turn, save
from sample_specs import spec

import blox as bx
from blox.codegen.allowlist import BASE as ALLOWED
from blox.codegen.allowlist import check
from blox.ops.library import function_of, op_function
from blox.schema import Diagnostic, Graph, registry
from blox.schema.fields import Tensor
from blox.schema.op import Op


def chain(functions: int) -> dict[str, Any]:
    made = {
        f"f{i}": {
            "inputs": {"x": {}},
            "nodes": {"n": {"op": "call", "function": f"f{i + 1}", "inputs": ["x"]}},
            "outputs": {"y": "n"},
        }
        for i in range(functions)
    }
    made[f"f{functions}"] = {"inputs": {"x": {}}, "outputs": {"y": "x"}}
    call = {"op": "call", "function": "f0", "inputs": ["x"]}
    return spec({"n": call}, functions=made)


def undecided() -> dict[str, Any]:
    """Rounding up in two ways is equal, but not to JAX."""
    nodes = {
        "a": {"op": "zeros", "shape": ["$-(-n // 2)"], "dtype": "float"},
        "b": {"op": "zeros", "shape": ["$(n - 1) // 2 + 1"], "dtype": "float"},
        "y": {"op": "add", "a": "a", "b": "b"},
    }
    return spec(nodes, inputs={"x": {"shape": ["n", 8], "dtype": "float"}})


def no_work(path: Path) -> list[Diagnostic]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("blox.shapes.check.WORK", -1e9)
        return list(graph(BASE))


def typed_in(path: Path) -> None:
    class Rope(Op):
        op: Literal["acme:rope"] = "acme:rope"
        x: Tensor

    space: dict[str, Any] = {"__name__": "prompt"}
    exec("def rope(x):\n    return x", space)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_REGISTERED", {})
        bx.register(Rope, space["rope"])
        bx.generate(Graph.parse(spec({"n": {"op": "acme:rope", "x": "x"}})))


def no_function(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr("blox.ops.activations.relu6")
        function_of.cache_clear()
        op_function("relu6")


def built(
    function: Callable[..., Any], shape: Any = ("batch", 8)
) -> Callable[[Path], Any]:
    def build(path: Path) -> None:
        b = bx.GraphBuilder("model")
        b.entry(function, x=bx.Input(shape))
        b.graph()

    return build


def twice(f: bx.F, x: bx.Value) -> bx.Value:
    return f.relu(f.relu(x, name="a"), name="a")


def many(f: bx.F, *x: bx.Value) -> bx.Value:
    return x[0]


def closure(f: bx.F, x: bx.Value) -> bx.Value:
    def inner(f: bx.F, y: bx.Value) -> bx.Value:
        return f.add(y, x)

    return f.call("c", inner)(x)


def choice(f: bx.F, x: bx.Value) -> bx.Value:
    return x if x else f.relu(x)


def scalar(f: bx.F, x: bx.Value) -> bx.Value:
    return f.linear("l", x, x.sum().features)


def halved(width: int = 16) -> Graph:
    b = bx.GraphBuilder("model", width=width)

    @b.entry(x=bx.Input(["batch", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.linear("l", x, int(0.5 * b.width))

    return b.graph()


def own_derivative(path: Path) -> Any:
    @jax.custom_vjp
    def twice(x: Any) -> Any:
        return x + x

    twice.defvjp(lambda x: (x + x, None), lambda _, slope: (slope,))
    with pytest.warns(UserWarning, match="expected a function whose derivative"):
        origin = bx.from_jax(twice, VECTOR, check=False)[2]
    return origin.report.findings


TINY_LLAMA = Path(__file__).parents[1] / "hf" / "tiny_llama"
VECTOR = {"x": bx.Input(["n"])}

MODELS: dict[str, Callable[[Path], Any]] = {
    "generation-config": lambda path: bx.GenerationConfig(top_p=2),
    "generation-input": lambda path: bx.generate_tokens(
        *bx.from_hf(TINY_LLAMA), [[1]], max_new_tokens=10**6
    ),
    "generation-model": lambda path: bx.generate_tokens(MODEL, PARAMS, [[1]]),
    "import-code": lambda path: bx.from_jax(lambda x: x if x.sum() > 0 else -x, VECTOR),
    "import-derivative": own_derivative,
    "import-model": lambda path: bx.from_jax(3, VECTOR),
    "import-numbers": lambda path: bx.from_jax(
        lambda x: x * np.random.default_rng().random(), VECTOR
    ),
    "import-origin": in_turn(save, bx.load_origin),
    "import-part": lambda path: bx.from_jax(jnp.abs, VECTOR, partial="no_function"),
    "import-primitive": lambda path: bx.from_jax(
        lambda x: jax.pure_callback(abs, x, x), VECTOR
    ),
    "import-size": lambda path: bx.from_jax(
        lambda x: sum(x[i] for i in range(x.shape[0])), VECTOR
    ),
    "op-register": lambda path: bx.register(Op, abs),
    "op-source": typed_in,
    "entry": lambda path: bx.build(MODEL, "other"),
    "part": lambda path: MODEL.extract("h[99]"),
    "edit": lambda path: bx.edit(MODEL).lora("*.quary"),
    "inputs": lambda path: bx.build(MODEL)(PARAMS, X, X),
    "dims": lambda path: bx.build(
        Graph.parse(spec({"n": LINEAR}, dims={"batch": {"min": 4}}))
    )(PARAMS, X),
    "params": lambda path: bx.build(MODEL)({}, X),
    "dtype": lambda path: bx.build(MODEL, dtype="int32"),
    "trace": lambda path: bx.build(
        Graph.parse(spec({"n": {"op": "reshape", "x": "x", "shape": [7]}}))
    )({}, X),
    "freeze": lambda path: bx.split(MODEL, PARAMS, freeze=["head.*"]),
    "op": no_function,
    "generate": lambda path: check("import os", ALLOWED),
    "mapping-rule": lambda path: bx.Rule("up.kernel", "{a}{b}.weight"),
    "shape-undecided": lambda path: graph(undecided()),
    "shape-skipped": no_work,
    "call-depth": lambda path: graph(chain(65)),
    "more": lambda path: graph(spec({f"n{i}": {"op": "rellu"} for i in range(200)})),
    "builder": built(twice),
    "builder-attributes": lambda path: bx.check_attributes(halved, width=8),
    "builder-closure": built(closure),
    "builder-function": built(many),
    "builder-shape": built(choice, "batch"),
    "builder-size": built(scalar),
    "builder-value": built(choice),
}
