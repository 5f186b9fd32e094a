"""Imported checkpoints are written back bit for bit; what is no BERT is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from hf.checkpoints import TINY, copy, imported
from safetensors.numpy import load_file

import blox as bx
from blox.importers.hf import from_hf, to_hf


@pytest.fixture
def tiny() -> tuple[bx.Graph, dict[str, Any]]:
    return imported()


def changed(graph: bx.Graph, change: Any) -> bx.Graph:
    data = json.loads(json.dumps(graph.plain()))
    change(data)
    return bx.Graph.parse(data)


def test_every_array_comes_back_bit_for_bit(
    tmp_path: Path, tiny: tuple[bx.Graph, dict[str, Any]]
) -> None:
    to_hf(tmp_path, *tiny)
    found = load_file(tmp_path / "model.safetensors")
    wanted = load_file(TINY / "model.safetensors")
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name].dtype == value.dtype
        assert found[name].tobytes() == value.tobytes(), name


def test_every_setting_comes_back(
    tmp_path: Path, tiny: tuple[bx.Graph, dict[str, Any]]
) -> None:
    to_hf(tmp_path, *tiny)
    found = json.loads((tmp_path / "config.json").read_text())
    wanted = json.loads((TINY / "config.json").read_text())
    assert found == wanted
    graph, params = from_hf(tmp_path, name="tiny")
    assert graph == tiny[0]
    jax.tree.map(np.testing.assert_array_equal, params, tiny[1])


def test_equal_models_give_equal_bytes(
    tmp_path: Path, tiny: tuple[bx.Graph, dict[str, Any]]
) -> None:
    for name in ("a", "b"):
        to_hf(tmp_path / name, *tiny)
    files = sorted(p for p in (tmp_path / "a").rglob("*") if p.is_file())
    names = [str(p.relative_to(tmp_path / "a")) for p in files]
    assert names == [
        "1_Pooling/config.json",
        "config.json",
        "model.safetensors",
        "modules.json",
        "sentence_bert_config.json",
    ]
    for path, name in zip(files, names, strict=True):
        assert path.read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("act", ["gelu_new", "gelu_pytorch_tanh", "swish", "relu"])
def test_activations_keep_their_spelling(act: str, tmp_path: Path) -> None:
    folder = copy(tmp_path / "in", config=lambda c: c.update(hidden_act=act))
    to_hf(tmp_path / "out", *from_hf(folder))
    assert json.loads((tmp_path / "out/config.json").read_text())["hidden_act"] == act


def test_another_size_can_be_exported(
    tmp_path: Path, tiny: tuple[bx.Graph, dict[str, Any]]
) -> None:
    graph = tiny[0].replace_attributes(depth=2, hidden=20)
    params = jax.jit(lambda: bx.init(graph, jax.random.key(0)))()
    to_hf(tmp_path, graph, params)
    again, loaded = from_hf(tmp_path, name="tiny")
    assert again.attributes == graph.attributes
    assert again.functions == graph.functions
    jax.tree.map(np.testing.assert_array_equal, params, loaded)


def test_unrolled_layers_can_be_exported(
    tmp_path: Path, tiny: tuple[bx.Graph, dict[str, Any]]
) -> None:
    def unroll(data: Any) -> None:
        data["functions"]["main"]["nodes"]["encoder"]["scan"] = False

    graph, params = changed(tiny[0], unroll), dict(tiny[1])
    params["encoder"] = [
        jax.tree.map(lambda a, i=i: a[i], params["encoder"]) for i in range(3)
    ]
    to_hf(tmp_path, graph, params)
    found = load_file(tmp_path / "model.safetensors")
    for name, value in load_file(TINY / "model.safetensors").items():
        np.testing.assert_array_equal(found[name], value)


def test_parameter_options_are_no_difference(
    tmp_path: Path, tiny: tuple[bx.Graph, dict[str, Any]]
) -> None:
    def option(data: Any) -> None:
        data["functions"]["main"]["nodes"]["encoder"]["remat"] = "dots_saveable"
        data["functions"]["layer"]["nodes"]["up"]["frozen"] = ["bias"]
        data["functions"]["layer"]["doc"] = "Two linear maps."

    to_hf(tmp_path, changed(tiny[0], option), tiny[1])


def test_a_graph_that_computes_something_else_is_refused(
    tmp_path: Path, tiny: tuple[bx.Graph, dict[str, Any]]
) -> None:
    def edit(data: Any) -> None:
        layer = data["functions"]["layer"]
        layer["nodes"]["add_1"]["b"] = "x"
        layer["nodes"]["output_norm"]["eps"] = 1e-3
        data["functions"]["pool"]["nodes"]["count"]["b"] = 2

    with pytest.raises(bx.SpecError) as caught:
        to_hf(tmp_path / "out", changed(tiny[0], edit), tiny[1])
    paths = [d.path for d in caught.value.diagnostics]
    assert paths == ["layer.add_1", "layer.output_norm", "pool.count"]
    assert "only a Graph that computes what from_hf makes" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_params_that_do_not_fit_are_refused(
    tmp_path: Path, tiny: tuple[bx.Graph, dict[str, Any]]
) -> None:
    graph, params = tiny
    wrong = {**params, "pooler": {"kernel": np.zeros((16, 3), np.float32)}}
    with pytest.raises(bx.WeightsError) as caught:
        to_hf(tmp_path / "out", graph, wrong)
    assert [str(d) for d in caught.value.diagnostics] == [
        "pooler.kernel: expected shape [16, 16], found [16, 3]",
        "pooler.bias: expected float[16], found no tensor",
    ]
    with pytest.raises(bx.WeightsError, match=r"encoder\.up\.kernel: expected"):
        to_hf(tmp_path / "out", graph.replace_attributes(depth=4), params)
    assert not (tmp_path / "out").exists()


def test_hostile_metadata_stays_inert(
    tmp_path: Path, tiny: tuple[bx.Graph, dict[str, Any]]
) -> None:
    def edit(data: Any) -> None:
        config = data["metadata"]["extra"]["transformers"]["config"]
        config |= {"hidden_size": "x", "hidden_dropout_prob": "x", "more": 1}

    with pytest.raises(bx.SpecError) as caught:
        to_hf(tmp_path / "out", changed(tiny[0], edit), tiny[1])
    assert [d.path for d in caught.value.diagnostics] == [
        f"metadata.extra.transformers.config.{name}"
        for name in ("'more'", "hidden_size", "hidden_dropout_prob")
    ]


def test_what_is_no_bert_at_all(tmp_path: Path) -> None:
    node = {"op": "relu", "x": "x"}
    data = {"format": "blox/1", "name": "m", "attributes": {"width": 8}, "functions": {
        "main": {"inputs": {"x": {}}, "nodes": {"n": node}, "outputs": {"y": "n"}}
    }}  # fmt: skip
    with pytest.raises(bx.SpecError) as caught:
        to_hf(tmp_path / "out", bx.Graph.parse(data), {})
    assert str(caught.value) == (
        "metadata.extra.transformers: expected what from_hf keeps there, found None; "
        "only a Graph that computes what from_hf makes can be exported"
    )
    assert not (tmp_path / "out").exists()
