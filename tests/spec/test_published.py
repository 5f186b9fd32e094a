"""What is committed for others: the JSON Schema, the lock of the ops; and their use."""
# ruff: noqa: E501 (rows of tables)

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from sample_specs import CONTROL, GPT, RELU, TINY, Data, spec

from blox.schema import Graph, op_class, op_names
from blox.schema.release import json_schema, lock

jsonschema = pytest.importorskip("jsonschema")
STALE = "is stale; run python -m blox.dev.regenerate"


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = json.loads(json_schema.PATH.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_json_schema_is_fresh() -> None:
    committed = json_schema.PATH.read_text(encoding="utf-8")
    assert committed == json_schema.text(), STALE


@pytest.mark.parametrize("data", [TINY, GPT, CONTROL])
def test_specs_are_valid(validator: Any, data: Data) -> None:
    assert [e.message for e in validator.iter_errors(data)] == []
    canonical = Graph.parse(data).plain()
    assert [e.message for e in validator.iter_errors(canonical)] == []


WRONG: list[tuple[str, Data]] = [
    ("field of a graph", {**TINY, "evil": 1}),
    ("version", {**TINY, "format": "blox/2"}),
    ("no format", {k: v for k, v in TINY.items() if k != "format"}),
    ("field of a node", spec({"n": {**RELU, "evil": 1}})),
    ("op", spec({"n": {"op": "evil", "x": "x"}})),
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


def test_a_faulty_node_is_told_of_its_own_op(validator: Any) -> None:
    data = spec({"n": {**RELU, "evil": 1}})
    (error,) = validator.iter_errors(data)
    assert "'evil' was unexpected" in error.message


def test_editors_see_every_op_and_its_text() -> None:
    schema = json_schema.json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$defs"]["node"]["properties"]["op"]["enum"] == list(op_names())
    for name in op_names():
        cls = op_class(name)
        assert cls is not None
        branch = schema["$defs"][f"op_{name}"]
        assert branch["description"]
        assert set(branch["properties"]) == {
            info.alias or field for field, info in cls.model_fields.items()
        }


def test_no_meaning_changes_under_the_same_name() -> None:
    committed = lock.PATH.read_text(encoding="utf-8")
    assert lock.changes(committed, lock.text()) == []
    assert committed == lock.text(), STALE


def test_the_lock_sees_changes() -> None:
    old = lock.text()
    data = json.loads(old)

    def changed(op: str, **fields: Any) -> list[str]:
        new = copy.deepcopy(data)
        new["ops"][op].update(fields)
        return lock.changes(old, json.dumps(new))

    assert changed("layer_norm", eps="float = 1e-06") == [
        "layer_norm.eps: expected float = 1e-05, found float = 1e-06"
    ]
    assert changed("relu", extra="int = 0") == [
        "relu.extra: expected None, found int = 0"
    ]
    new = copy.deepcopy(data)
    del new["ops"]["relu"]
    assert lock.changes(old, json.dumps(new)) == [
        "relu: expected it to stay, found none"
    ]
    new = copy.deepcopy(data)
    new["ops"]["new"] = {}
    assert lock.changes(old, json.dumps(new)) == []
