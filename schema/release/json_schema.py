"""The JSON Schema of graph.json, for editors: it completes ops, fields and their docs.

It says no more than the form of a file; what references, expressions and sizes mean is
checked by `blox validate`. The committed `graph.schema.json` is `text()`.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

from ..graph import WISHES, Graph
from ..names import RESERVED
from ..op import Op
from ..op_fields import MODIFIERS
from ..registry import op_class, op_names

PATH = Path(__file__).parents[1] / "graph.schema.json"
_NOTES = {
    "op": "The operation.",
    "params": "Where the parameters lie: a path of the function's scope, or `.`, the "
    "scope itself. The node's own name where this is not given.",
    "init": "How parameters start, by name, where that differs from the op's default.",
    "axes": "Logical axes of parameters, by name.",
    "frozen": "Parameters that are not trained.",
    "names": "The names of the outputs.",
}


def text() -> str:
    """The text of `graph.schema.json`."""
    return json.dumps(json_schema(), indent=1) + "\n"


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a Graph; every op is a branch of `node`."""
    schema = Graph.model_json_schema()
    defs: dict[str, Any] = schema.pop("$defs")
    nodes = defs["Function"]["properties"]["nodes"]
    for pattern in nodes["patternProperties"]:
        nodes["patternProperties"][pattern] = {"$ref": "#/$defs/node"}
    branches = []
    for name in op_names():
        cls = op_class(name)
        assert cls is not None
        branch = _op(cls, defs)
        defs[f"op_{name}"] = branch
        test = {"properties": {"op": {"const": name}}, "required": ["op"]}
        branches.append({"if": test, "then": {"$ref": f"#/$defs/op_{name}"}})
    # `if` and `then` instead of `oneOf`: a faulty node is told of its own op's fields.
    defs["node"] = {
        "type": "object",
        "properties": {"op": {"enum": list(op_names()), "description": _NOTES["op"]}},
        "required": ["op"],
        "allOf": branches,
    }
    defs["reserved"] = {"enum": sorted(RESERVED)}
    for owner, field in (
        (schema, "functions"),
        (schema, "attributes"),
        (schema, "dims"),
        (defs["Function"], "inputs"),
    ):
        names = owner["properties"][field].setdefault("propertyNames", {})
        names["not"] = {"$ref": "#/$defs/reserved"}
    schema["required"] = ["format", *schema["required"]]
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "blox graph",
    }
    schema.pop("title", None)
    ordered: Any = _cleaned({**head, **schema, "$defs": dict(sorted(defs.items()))})
    return dict(ordered)


def _op(cls: type[Op], defs: dict[str, Any]) -> dict[str, Any]:
    schema = cls.model_json_schema(ref_template="#/$defs/{model}")
    defs.update(schema.pop("$defs", {}))
    schema["description"] = inspect.getdoc(cls) or ""
    fields = cls.fields()
    for field, info in cls.model_fields.items():
        part = schema["properties"][info.alias or field]
        if field in WISHES and field != "names":
            # The same in every op, so written once.
            defs[field] = {**part, "description": _NOTES[field]}
            schema["properties"][field] = {"$ref": f"#/$defs/{field}"}
        elif field in MODIFIERS:
            part["description"] = _NOTES[field]
        elif field in fields.operands:
            part["description"] = "An operand: a reference or a number."
        elif field in fields.slots:
            part["description"] = "A reference that stands in for the parameter."
        low = fields.minima.get(field)
        if low is not None:
            _bound(part, low)
    required = [*schema.get("required", [])]
    skipped = {"op", *fields.filled}
    schema["required"] = ["op", *(r for r in required if r not in skipped)]
    return schema


def _bound(schema: Any, low: int) -> None:
    """The least value of all integers in a field."""
    if isinstance(schema, list):
        for part in schema:
            _bound(part, low)
    elif isinstance(schema, dict):
        if schema.get("type") == "integer":
            schema["minimum"] = low
        for part in schema.values():
            _bound(part, low)


def _cleaned(schema: Any, *, names: bool = False) -> Any:
    """Without the titles that Pydantic makes of names; `names`: keys are fields."""
    if isinstance(schema, list):
        return [_cleaned(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "patternProperties" in schema:
        schema = {**schema, "additionalProperties": False}
    return {
        key: _cleaned(part, names=key in ("properties", "$defs", "patternProperties"))
        for key, part in schema.items()
        if names or key != "title" or part == "blox graph"
    }
