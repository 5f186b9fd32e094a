"""Where arrays came from, in memory and as a file beside the model: both ways, bit for bit."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import blox as bx
from blox.importers.report import Report, Row

Change = Callable[[dict[str, Any]], Any]
FREQUENCIES = np.arange(96, dtype="float32").reshape(8, 12)
TOKENS = {"tokens": bx.Input(["batch", "seq"], "int32")}
IDS = jnp.array([[1, 2, 3, 6, 0]])


def forward(params: Mapping[str, Any], tokens: jax.Array) -> Any:
    x = params["table"][tokens] + jnp.sin(FREQUENCIES[0, :8])
    for block in params["blocks"]:
        x = x + jnp.tanh(x @ block["w/in"].T) @ FREQUENCIES.T
    return x @ params["table"].T


def tree() -> dict[str, Any]:
    rng = np.random.default_rng(0)

    def drawn(*shape: int) -> Any:
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    return {
        "blocks": [{"w/in": drawn(12, 8)}, {"w/in": drawn(12, 8)}],
        "steps": jnp.int32(7),
        "table": drawn(11, 8),
    }


@pytest.fixture(scope="module")
def imported() -> Any:
    return bx.from_jax(forward, TOKENS, tree(), name="small")


def equal(one: Any, other: Any) -> None:
    rows, structure = jax.tree.flatten(one)
    others, same = jax.tree.flatten(other)
    assert str(structure) == str(same)
    for a, b in zip(rows, others, strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_was_trained_returns_to_the_code(imported: Any, tmp_path: Path) -> None:
    graph, params, origin = imported
    bx.save(tmp_path, graph, params, origin=origin)
    loaded, stored = bx.load(tmp_path)
    read = bx.load_origin(tmp_path)
    floating, rest = bx.split(loaded, stored)
    trained = bx.merge(jax.tree.map(lambda a: a * 1.5 + 1, floating), rest)
    wanted = origin.export(trained)
    equal(read.export(trained, like=tree()), wanted)
    equal(origin.export(trained, like=tree()), wanted)
    assert wanted["steps"] == 7  # in no Graph
    assert isinstance(wanted["table"], jax.Array)
    found = bx.build(graph)(trained, IDS)[0]
    np.testing.assert_allclose(found, forward(wanted, IDS), rtol=1e-5, atol=1e-5)
    flat = read.export(trained)
    assert set(flat) == {"blocks.0.w.in", "blocks.1.w.in", "table"}
    np.testing.assert_array_equal(flat["blocks.1.w.in"], wanted["blocks"][1]["w/in"])


def test_the_report_is_kept_beside_the_model(imported: Any, tmp_path: Path) -> None:
    graph, params, origin = imported
    report = origin.report
    assert {row.name for row in report.rows} == {"out", "gradient"}
    assert report.rows[0].sizes == {"batch": 2, "seq": 3}
    whole = replace(
        origin,
        report=Report(
            [*report.rows, Row("out", {}, "bfloat16", math.inf)],
            ["said of it"],
            ["Linear"],
            ["Norm"],
            ["sign at nets.py:3"],
        ),
    )
    bx.save(tmp_path, graph, params, origin=whole)
    read = bx.load_origin(tmp_path).report
    assert read == whole.report
    text = str(read)
    assert "Norm: taken apart" in text
    assert "sign at nets.py:3: its own derivative" in text
    assert "bfloat16  inf" in text
    assert text.splitlines()[-1] == "said of it"
    data = json.loads((tmp_path / "source" / "origin.json").read_bytes())
    del data["report"]  # it may have none
    (tmp_path / "source" / "origin.json").write_text(json.dumps(data))
    assert str(bx.load_origin(tmp_path).report).endswith("not compared")


def test_other_arrays_of_the_source_go_the_same_way(
    imported: Any, tmp_path: Path
) -> None:
    graph, params, origin = imported
    assert origin.constants
    bx.save(tmp_path, graph, params, origin=origin)
    read = bx.load_origin(tmp_path)
    arrays = {**read.export(params), "steps": jnp.int32(7)}
    equal(read.params(arrays), params)
    equal(origin.params(), params)
    with pytest.raises(
        bx.WeightsError, match=r"table: expected float\[11, 8\], found no"
    ):
        read.params()


def test_arrays_that_the_source_has_stacked_are_one_there(tmp_path: Path) -> None:
    def scanned(params: Any, x: jax.Array) -> jax.Array:
        return jax.lax.scan(lambda x, w: (jnp.tanh(x @ w), None), x, params["w"])[0]

    params = {"w": jnp.asarray(np.random.default_rng(0).normal(size=(3, 4, 4)))}
    graph, arrays, origin = bx.from_jax(
        scanned, {"x": bx.Input(["batch", 4])}, params, check=False
    )
    bx.save(tmp_path, graph, arrays, origin=origin)
    read = bx.load_origin(tmp_path)
    assert any("{" in rule.ours[0] for rule in read.rules if isinstance(rule, bx.Rule))
    equal(read.export(arrays, like=params), params)


def test_a_save_without_an_origin_keeps_the_one_that_is_there(
    imported: Any, tmp_path: Path
) -> None:
    graph, params, origin = imported
    bx.save(tmp_path, graph, params, origin=origin)
    first = (tmp_path / "source" / "origin.json").read_bytes()
    bx.save(tmp_path, graph, params)
    bx.save(tmp_path / "other", graph, params, origin=bx.load_origin(tmp_path))
    assert (tmp_path / "other" / "source" / "origin.json").read_bytes() == first
    b = bx.GraphBuilder("other")

    @b.entry(x=bx.Input(["batch", 3]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.linear("table", x, 2)

    bx.save(tmp_path, b.graph(), bx.init(b.graph(), jax.random.key(0)))
    with pytest.raises(bx.WeightsError, match="table"):
        bx.load_origin(tmp_path)
    with pytest.raises(bx.WeightsError, match="table"):
        bx.save(tmp_path / "more", b.graph(), {}, origin=origin)
    assert not (tmp_path / "more").exists()
    with pytest.raises(bx.WeightsError, match="expected no origin for a single file"):
        bx.save(tmp_path / "one.safetensors", graph, params, origin=origin)


def with_other_table(params: dict[str, Any]) -> None:
    params["table"] = params["table"][:, :4]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda p: p.pop("table"),
            r"table: expected float32\[11, 8\], found no tensor",
        ),
        (lambda p: p.update(more=jnp.ones(2)), "more: expected no tensor here"),
        (with_other_table, r"table: expected shape \[11, 8\], found \[11, 4\]"),
    ],
)
def test_a_tree_with_other_arrays_is_refused(
    imported: Any, change: Change, message: str
) -> None:
    _, params, origin = imported
    like = tree()
    change(like)
    with pytest.raises(bx.WeightsError, match=message):
        origin.export(params, like=like)


def test_paths_that_make_one_name_are_refused() -> None:
    params = {"a": {"b": jnp.ones(3)}, "a.b": 2 * jnp.ones(3)}
    with pytest.raises(bx.SpecError, match=r"'a\.b': expected one array of this name"):
        bx.from_jax(
            lambda p, x: x * p["a"]["b"] + p["a.b"], {"x": bx.Input([3])}, params
        )


# --- Hostile files -------------------------------------------------------------------


def at(name: str, value: Any) -> Change:
    return lambda data: data["arrays"]["table"].update({name: value})


def reported(name: str, value: Any) -> Change:
    return lambda data: data["report"].update({name: value})


def row(name: str, value: Any) -> Change:
    return lambda data: data["report"]["rows"][0].update({name: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("rules"), "expected an object of origin, arrays, constants"),
        (lambda d: d.update(code="os:system"), "expected an object of origin, arrays"),
        (lambda d: d.update(origin=2), "origin: expected 1, found 2"),
        (lambda d: d.update(origin=True), "origin: expected 1, found True"),
        (lambda d: d.update(arrays=[]), "arrays: expected an object"),
        (lambda d: d.update(constants="table"), "constants: expected a list of names"),
        (lambda d: d["constants"].append("table"), "names that no array has"),
        (lambda d: d["constants"].append("nothing"), "expected names of rules"),
        (lambda d: d.update(rules={}), "expected a list of at most"),
        (
            lambda d: d["rules"].append({"ours": "a", "theirs": "b", "code": "c"}),
            r"rules\[6\]: expected ours",
        ),
        (
            lambda d: d["rules"][0].update(layouts=[{"name": "exec"}]),
            "name of a layout",
        ),
        (lambda d: d["rules"].pop(0), "found no"),
        (
            lambda d: d["rules"].append({"ignored": ["x{i}"]}),
            r"rules\[6\]: expected one",
        ),
        (lambda d: d["rules"].append({"new": ["table"]}), r"rules\[6\]: expected one"),
        (
            lambda d: d["rules"].append({"ours": "{i}", "theirs": "{i}"}),
            r"rules\[6\]: expected one of ours",
        ),
        (
            lambda d: d["rules"].append(
                {"ours": ["a", "b"], "theirs": "table", "when": {}}
            ),
            r"rules\[6\]: expected one of ours",
        ),
        (
            lambda d: d["rules"].extend(
                {"ours": f"x{i}{{n}}", "theirs": "table"} for i in range(100)
            ),
            "expected at most 64 holes",
        ),
        (lambda d: d.update(report=[]), "report: expected an object of rows, notes"),
        (reported("code", ["os"]), "report: expected an object of rows, notes"),
        (reported("notes", "all"), "report.notes: expected a list"),
        (
            reported("notes", ["\x1b[2J"]),
            r"report.notes\[0\]: expected a text that can",
        ),
        (reported("layers", [3]), r"report.layers\[0\]: expected a text that can"),
        (reported("rows", [{}]), r"rows\[0\]: expected name, sizes, dtype, difference"),
        (row("name", "a\u202eb"), "name: expected a text that can be printed"),
        (row("sizes", {"n": -1}), "sizes: expected sizes by name"),
        (row("sizes", {"\n": 1}), "sizes: expected a text that can be printed"),
        (row("dtype", "object"), "dtype: expected a dtype"),
        (row("difference", -1.0), "difference: expected a number or null"),
        (row("difference", True), "difference: expected a number or null"),
        (row("difference", 10**400), "integer"),
        (at("shape", [11, -8]), "arrays.'table': expected sizes"),
        (at("shape", [1.5]), "arrays.'table': expected sizes"),
        (at("shape", [2**60]), "arrays.'table': expected sizes"),
        (at("shape", [1] * 40), "arrays.'table': expected a list of sizes"),
        (at("shape", [11, 9]), r"table: expected shape \[11, 8\], found \[11, 9\]"),
        (at("dtype", "object"), "arrays.'table': expected a dtype"),
        (at("place", 3), "arrays.'table': expected a name as place"),
        (at("place", "steps"), "expected a place for each"),
        (at("module", "os"), "arrays.'table': expected shape, dtype and place"),
    ],
)
def test_a_file_that_is_not_sound_is_refused(
    imported: Any, tmp_path: Path, change: Change, message: str
) -> None:
    graph, params, origin = imported
    bx.save(tmp_path, graph, params, origin=origin)
    file = tmp_path / "source" / "origin.json"
    data = json.loads(file.read_bytes())
    change(data)
    file.write_text(json.dumps(data))
    with pytest.raises((bx.SpecError, bx.WeightsError), match=message):
        bx.load_origin(tmp_path)


def test_what_is_no_file_of_the_folder_is_refused(
    imported: Any, tmp_path: Path
) -> None:
    graph, params, origin = imported
    with pytest.raises(bx.SpecError, match="found nothing there"):
        bx.load_origin(tmp_path / "absent")
    bx.save(tmp_path, graph, params)
    with pytest.raises(bx.SpecError, match=r"origin\.json in the folder, found none"):
        bx.load_origin(tmp_path)
    outside = tmp_path / "outside.json"
    outside.write_bytes(origin.sidecar(graph))
    (tmp_path / "model").mkdir()
    bx.save(tmp_path / "model", graph, params, origin=origin)
    (tmp_path / "model" / "source" / "origin.json").unlink()
    (tmp_path / "model" / "source" / "origin.json").symlink_to(outside)
    with pytest.raises(bx.BloxError, match=r"origin\.json"):
        bx.load_origin(tmp_path / "model")
