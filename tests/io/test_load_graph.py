"""A Graph read by itself, and copies of it with other fields."""

from __future__ import annotations

from pathlib import Path

import jax
import pytest
from sample_specs import TINY, spec

import blox as bx
from blox.schema import Graph, Metadata, to_json, to_msgpack

LINEAR = Graph.parse(
    spec(
        {"up": {"op": "linear", "x": "x", "in_features": 8, "out_features": "$n"}},
        attributes={"n": 4},
        metadata={"license": "MIT", "tags": ["a"]},
    )
)


def test_a_graph_is_read_from_every_place_that_has_one(tmp_path: Path) -> None:
    params = bx.init(LINEAR, jax.random.key(0))
    bx.save(tmp_path / "model", LINEAR, params)
    bx.save(tmp_path / "one.safetensors", LINEAR, params)
    (tmp_path / "a.json").write_text(to_json(LINEAR))
    (tmp_path / "a.msgpack").write_bytes(to_msgpack(LINEAR))
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "graph.json").write_text(to_json(LINEAR))
    for name in ("model", "one.safetensors", "a.json", "a.msgpack", "alone"):
        assert bx.load_graph(tmp_path / name) == LINEAR, name
        assert bx.load_graph(str(tmp_path / name)) == LINEAR, name


def test_its_meaning_is_checked(tmp_path: Path) -> None:
    wrong = Graph.parse(spec({"r": {"op": "relu", "x": "y"}}))
    (tmp_path / "wrong.json").write_text(to_json(wrong))
    with pytest.raises(bx.SpecError, match=r"main\.r\.x"):
        bx.load_graph(tmp_path / "wrong.json")
    with pytest.raises(bx.SpecError, match="found nothing there"):
        bx.load_graph(tmp_path / "none")


def test_who_loads_a_graph_alone_is_sent_there(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(to_json(LINEAR))
    with pytest.raises(bx.SpecError, match=r"bx.load_graph\(path\) reads it alone"):
        bx.load(tmp_path / "a.json")


def test_fields_are_replaced() -> None:
    other = LINEAR.replace(name="other", metadata={"license": "BSD"})
    assert other.name == "other"
    assert other.metadata == Metadata(license="BSD")
    assert other.functions == LINEAR.functions
    assert LINEAR.name == "model"
    assert LINEAR.metadata.license == "MIT"
    kept = LINEAR.replace(metadata={**dict(LINEAR.metadata), "license": "BSD"})
    assert kept.metadata == Metadata(license="BSD", tags=["a"])
    bounded = LINEAR.replace(dims={"batch": {"max": 3}})
    assert bounded.plain()["dims"] == {"batch": {"max": 3}}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"naem": "x"}, "naem"),
        ({"name": "a b"}, "name: expected a name of ASCII"),
        ({"name": "main"}, "name"),
        ({"metadata": {"licence": "MIT"}}, "metadata.licence"),
        ({"dims": {"seq": {"max": 3}}}, "dims.seq: expected a dim"),
        ({"entries": ["other"]}, "entries"),
        ({"functions": TINY["functions"], "attributes": {"n": "a"}}, "attributes.n"),
    ],
)
def test_what_is_replaced_is_checked(fields: dict[str, object], text: str) -> None:
    with pytest.raises(bx.SpecError) as caught:
        LINEAR.replace(**fields)
    assert text in str(caught.value)


def test_shapes_are_checked_where_they_may_have_changed() -> None:
    functions = LINEAR.plain()["functions"]
    functions["main"]["nodes"]["up"]["in_features"] = 9
    with pytest.raises(bx.SpecError, match=r"main\.up"):
        LINEAR.replace(functions=functions)
