"""The files committed for others: the JSON Schema, the lock of the ops; and their use."""
# ruff: noqa: E501 (rows of tables)

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sample_specs import CONTROL, GPT, RELU, TINY, Data, spec

from blox.dev.regenerate import GENERATED
from blox.schema import Graph, op_names
from blox.schema.ops.index import FAMILIES
from blox.schema.registry import definition
from blox.schema.release import json_schema, lock

jsonschema = pytest.importorskip("jsonschema")
referencing = pytest.importorskip("referencing")
ROOT = Path(__file__).parents[2]
STALE = "is stale; run python -m blox.dev.regenerate"
LOCKS = {name: lock.text(name) for name in lock.names()}


@pytest.fixture(scope="module")
def validator() -> Any:
    """As an editor reads the files: from `graph.schema.json` on, by relative `$ref`."""

    def retrieve(uri: str) -> Any:
        text = Path(uri.removeprefix("file://")).read_text(encoding="utf-8")
        return referencing.Resource.from_contents(json.loads(text))

    path = ROOT / json_schema.GRAPH
    schema = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    schema = {"$id": path.as_uri(), **schema}
    registry = referencing.Registry(retrieve=retrieve)
    return jsonschema.Draft202012Validator(schema, registry=registry)


@pytest.mark.parametrize("path", [p for p, _ in GENERATED if p.endswith(".json")])
def test_the_files_are_fresh(path: str) -> None:
    committed = (ROOT / path).read_text(encoding="utf-8")
    assert committed == dict(GENERATED)[path](), STALE


def test_no_file_is_left_over() -> None:
    """A family that is gone takes its files along."""
    known = {path for path, _ in GENERATED} | {"blox/builder/op_methods/base.py"}
    folders = {path.rpartition("/")[0] for path in known}
    for folder in folders - {"schema", "schema/ops", "tests/golden", "docs"}:
        found = {f"{folder}/{p.name}" for p in (ROOT / folder).iterdir() if p.is_file()}
        assert found <= known, folder


@pytest.mark.parametrize("data", [TINY, GPT, CONTROL])
def test_specs_are_valid(validator: Any, data: Data) -> None:
    assert [e.message for e in validator.iter_errors(data)] == []
    canonical = Graph.parse(data).plain()
    assert [e.message for e in validator.iter_errors(canonical)] == []


def test_ops_that_are_no_core_ops_are_valid(validator: Any) -> None:
    node = {"op": "acme:rope", "x": "x", "dims": [1, 2], "mode": "fast"}
    data = {**spec({"n": node}), "ops": {"acme:rope@2": "main"}}
    assert [e.message for e in validator.iter_errors(data)] == []


WRONG: list[tuple[str, Data]] = [
    ("field of a graph", {**TINY, "evil": 1}),
    ("version", {**TINY, "format": "blox/2"}),
    ("no format", {k: v for k, v in TINY.items() if k != "format"}),
    ("field of a node", spec({"n": {**RELU, "evil": 1}})),
    ("op", spec({"n": {"op": "evil", "x": "x"}})),
    ("op without a maker", spec({"n": {"op": ":rope", "x": "x"}})),
    ("body of a core op", {**TINY, "ops": {"relu": "main"}}),
    ("no op", spec({"n": {"x": "x"}})),
    ("no operand", spec({"n": {"op": "relu"}})),
    ("name of a node", spec({"n n": RELU})),
    ("name that is reserved", {**TINY, "attributes": {"print": 1}}),
    ("true for an integer", spec({"n": {"op": "one_hot", "x": "x", "num_classes": True}})),
    ("size 0", spec({"n": {"op": "one_hot", "x": "x", "num_classes": 0}})),
    ("reference", spec({"n": {"op": "relu", "x": "a b"}})),
    ("initializer", spec({"n": {"op": "linear", "x": "x", "init": {"bias": {"name": "eval"}}}})),
    ("dtype", spec({"n": {"op": "astype", "x": "x", "dtype": "object"}})),
    ("metadata", {**TINY, "metadata": {"evil": 1}}),
]  # fmt: skip


@pytest.mark.parametrize("data", [w[1] for w in WRONG], ids=[w[0] for w in WRONG])
def test_faults_of_form_are_seen(validator: Any, data: Data) -> None:
    assert list(validator.iter_errors(data))


def test_a_faulty_node_is_reported_by_its_own_op(validator: Any) -> None:
    data = spec({"n": {**RELU, "evil": 1}})
    (error,) = validator.iter_errors(data)
    assert "'evil' was unexpected" in error.message


def test_editors_see_every_op_and_its_text() -> None:
    files = json_schema.paths()
    found = []
    for family in FAMILIES:
        defs = files[f"{json_schema.FOLDER}/{family}.json"]()["$defs"]
        found += defs["names"]["enum"]
        for name in defs["names"]["enum"]:
            row = definition(name)
            assert row is not None
            branch = defs[row.python_name]
            assert branch["description"]
            assert set(branch["properties"]) == {
                info.alias or field for field, info in row.op_class.model_fields.items()
            }
    assert found == list(op_names())


@pytest.mark.parametrize("name", LOCKS)
def test_no_meaning_changes_under_the_same_name(name: str) -> None:
    committed = (lock.FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert lock.changes(committed, LOCKS[name]) == []
    assert committed == LOCKS[name], STALE


def test_the_lock_sees_changes() -> None:
    def changed(family: str, op: str, **fields: Any) -> list[str]:
        new = json.loads(LOCKS[family])
        new[op].update(fields)
        return lock.changes(LOCKS[family], json.dumps(new))

    assert changed("norm", "layer_norm", eps="float = 1e-06") == [
        "layer_norm.eps: expected float = 1e-05, found float = 1e-06"
    ]
    assert changed("activations", "relu", extra="int = 0") == [
        "relu.extra: expected None, found int = 0"
    ]
    new = json.loads(LOCKS["activations"])
    del new["relu"]
    assert lock.changes(LOCKS["activations"], json.dumps(new)) == [
        "relu: expected it to stay, found none"
    ]
    new = json.loads(LOCKS["activations"])
    new["new"] = {}
    assert lock.changes(LOCKS["activations"], json.dumps(new)) == []
