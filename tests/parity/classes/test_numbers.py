"""Classes of Equinox and Flax NNX against the loaded model: numbers, paths, state."""

from __future__ import annotations

from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import jax
import pytest
from class_files import (
    TARGETS,
    arguments_of,
    assert_close,
    flat_params,
    model_class,
    module_of,
    params_of,
    tagger,
)
from class_specs import WRITTEN, graph, two_entries
from generated_files import ways
from parity.classes.calls import called, copied, flat_arrays
from random_programs import program

import blox as bx
from blox.schema import Graph, from_bytes

pytestmark = pytest.mark.parity

MODELS = Path(__file__).parents[2] / "models"
NAMES = [
    *sorted({p.stem for p in MODELS.glob("*.json")} - {"minilm"}),
    "tagger",
    *WRITTEN,
    *("0", "2", "5"),
    "block",
    *("sequential_lora", "mamba_int8", "control_flow_int8"),
]
"""Models of the tests, small specs, seeds of random programs, one with two entries, some
that `bx.edit` changes.

minilm is held to its real weights, in `test_minilm.py`.
"""


@cache
def graph_of(name: str) -> Graph:
    if name == "tagger":
        return tagger()
    if name.isdigit():
        return program(int(name))()
    if name in ("block", "normed"):
        return two_entries(name)
    model, _, operation = name.rpartition("_")
    if operation in ("lora", "int8"):
        edit = bx.edit(graph_of(model))
        return (edit.lora() if operation == "lora" else edit.quantize()).graph
    if name in WRITTEN:
        return graph(WRITTEN[name])
    return from_bytes((MODELS / f"{name}.json").read_bytes())


@cache
def file_of(name: str, target: Any) -> Any:
    return module_of(bx.generate(graph_of(name), target=target), f"{name}_{target}")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The folder and the parameters of a model, by its name."""

    @cache
    def folder(name: str) -> tuple[Path, Any]:
        path = tmp_path_factory.mktemp("saved") / "model"
        bx.save(path, graph_of(name), params_of(graph_of(name)))
        return path, bx.load(path)[1]

    return folder


@cache
def expected_of(name: str, entry: str, train: bool, optional: bool, saved: Any) -> Any:
    """What the loaded model gives, once for all targets."""
    args = arguments_of(graph_of(name), entry, optional=optional)
    function = bx.build(graph_of(name), entry, train=train)
    return jax.jit(function)(saved(name)[1], *args)


@pytest.mark.parametrize(
    ("name", "target"), [*product(NAMES, TARGETS), ("normed", "nnx")]
)
def test_numbers_paths_and_state(name: str, target: str, saved: Any) -> None:
    own = graph_of(name)
    path, params = saved(name)
    loaded = file_of(name, target).load(path)
    assert flat_arrays(target, loaded).keys() == dict(flat_params(params)).keys()
    for entry, train, optional in ways(own):
        args = arguments_of(own, entry, optional=optional)
        outputs, state = expected_of(name, entry, train, optional, saved)
        found, model = called(own, target, copied(target, loaded), entry, args, train)
        ours, theirs = jax.tree.leaves(outputs), jax.tree.leaves(found)
        for a, b in zip(ours, theirs, strict=True):
            assert_close(a, b, f"{entry} {train=} {optional=}")
        expected = {**dict(flat_params(params)), **dict(flat_params(state))}
        for at, array in flat_arrays(target, model).items():
            assert_close(expected[at], array, f"{at} after {entry} {train=}")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ["weight_norm", "tiny_gpt", "tagger"])
def test_new_arrays_are_drawn_alike(name: str, target: str) -> None:
    """Shapes and dtypes are those of `bx.init`, the distribution by its deviation."""
    made = model_class(file_of(name, target))
    if target == "equinox":
        import equinox as eqx

        model = eqx.filter_jit(made)(key=jax.random.key(0))
    else:
        from flax import nnx

        model = made(rngs=nnx.Rngs(0))
    ours = dict(flat_params(bx.init(graph_of(name), jax.random.key(1))))
    for path, array in flat_arrays(target, model).items():
        assert (array.shape, array.dtype) == (ours[path].shape, ours[path].dtype), path
        spread = float(ours[path].std())
        if spread == 0:
            assert (array == ours[path]).all(), path
        elif array.size > 500:
            assert abs(float(array.std()) - spread) < 0.2 * spread, path
