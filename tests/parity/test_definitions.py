"""The two definitions of each model in `benchmarks/definitions` compute the same."""

from __future__ import annotations

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from benchmark_files import benchmark
from flax import nnx

import blox as bx

pytestmark = pytest.mark.parity

DEPTHS = (2, 1)
STAGES = [f"stage{i + 1}_{j}" for i, depth in enumerate(DEPTHS) for j in range(depth)]
CLASSES = {
    "crepe": "Crepe",
    "tiny_gpt": "TinyGPT",
    "resnet50": "ResNet50",
    "lstm": "LSTM",
    "bert": "Bert",
}
SIZES: dict[str, dict[str, Any]] = {
    "crepe": {},
    "tiny_gpt": {"vocab": 31, "width": 12, "depth": 2, "heads": 3, "context": 9},
    "resnet50": {"depths": DEPTHS, "width": 4, "classes": 5},
    "lstm": {"mels": 5, "hidden": 6},
    "bert": {
        "vocab": 31,
        "width": 12,
        "depth": 2,
        "heads": 3,
        "hidden": 20,
        "context": 9,
    },
}


def renamed(path: str) -> str:
    """Where an array of NNX lies in blox: layers of a list have names there."""
    path = re.sub(r"^blocks\.layers\.(\d+)", lambda m: STAGES[int(m[1])], path)
    path = re.sub(r"^layers\.layers\.(\d+)", lambda m: f"layer{int(m[1]) + 1}", path)
    path = path.replace("cell.dense_i", "input")
    return path.replace("cell.dense_h", "recurrent")


def inputs(rng: np.random.Generator) -> dict[str, list[Any]]:
    """Model -> arguments of a call, the same for both."""
    ids = rng.integers(0, 31, (2, 9), dtype=np.int32)
    present = (np.arange(9) < [[9], [4]]).astype(np.int32)
    types = rng.integers(0, 2, (2, 9), dtype=np.int32)
    return {
        "crepe": [rng.normal(size=(2, 1024)).astype(np.float32)],
        "tiny_gpt": [ids],
        "resnet50": [rng.normal(size=(2, 33, 40, 3)).astype(np.float32)],
        "lstm": [rng.normal(size=(2, 7, 5)).astype(np.float32)],
        "bert": [ids, present, types],
    }


def at_random(module: Any, rng: np.random.Generator) -> Any:
    """Parameters and state of a module, random numbers in every array of it."""
    state = nnx.to_flat_state(nnx.state(module, (nnx.Param, nnx.BatchStat)))
    for path, variable in state:
        value = rng.normal(size=variable.shape).astype(np.float32)
        around = {"var": np.abs(value) + 0.5, "scale": 1 + 0.1 * value}
        variable.set_value(jnp.asarray(around.get(str(path[-1]), 0.3 * value)))
    return nnx.from_flat_state(state)


def params_of(graph: bx.Graph, state: Any) -> Any:
    """The same numbers as Params; heads of attention lie in one axis there."""
    leaves = graph.program().leaves()
    arrays = {
        renamed(".".join(map(str, path))): variable.get_value()
        for path, variable in nnx.to_flat_state(state)
    }
    assert set(arrays) == set(leaves)
    tree: dict[str, Any] = {}
    for path, leaf in leaves.items():
        *folders, name = path.split(".")
        at = tree
        for folder in folders:
            at = at.setdefault(folder, {})
        at[name] = arrays[path].reshape(leaf.full_shape)
    return tree


@pytest.mark.parametrize("model", CLASSES)
def test_both_definitions_compute_the_same(model: str) -> None:
    rng = np.random.default_rng(0)
    kind = getattr(benchmark(f"definitions/{model}_nnx"), CLASSES[model])
    graph = getattr(benchmark(f"definitions/{model}_blox"), model)(**SIZES[model])

    def made() -> Any:
        return kind(**SIZES[model], rngs=nnx.Rngs(0))

    @jax.jit
    def reference(state: Any, args: list[Any]) -> Any:
        module = made()
        nnx.update(module, state)
        module.eval()
        return module(*args)

    state = at_random(nnx.eval_shape(made), rng)
    args = inputs(rng)[model]
    found, _ = jax.jit(bx.build(graph))(params_of(graph, state), *args)
    jax.tree.map(agree, found, reference(state, args))


def agree(found: Any, expected: Any) -> None:
    assert found.shape == expected.shape
    assert np.std(expected) > 1e-3
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)
