"""The JSON Schema of graph.json, for editors: it completes ops, fields and their docs.

It describes the fields of a file; what references, expressions and sizes mean is
checked by `blox validate`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from ..graph import Graph
from ..names import RESERVED
from ..nodes import PARAMETER_OPTIONS
from ..op import Op, ParamOp, ScopeOp
from ..op_fields import MODIFIERS
from ..ops.index import FAMILIES
from ..registry import CUSTOM, definition

DRAFT = "https://json-schema.org/draft/2020-12/schema"
GRAPH = "schema/graph.schema.json"
FOLDER = "schema/release/nodes"
PARAMETERS = "parameters"
"""The file of what all ops with parameters share; the others are named by family."""

_NOTES = {
    "op": "The operation.",
    "params": "Where the parameters lie: a path of the function's scope, or `.`, the "
    "scope itself. The node's own name where this is not given.",
    "init": "How parameters start, by name, where that differs from the op's default.",
    "axes": "Logical axes of parameters, by name.",
    "frozen": "Parameters that are not trained.",
    "names": "The names of the outputs.",
}


def paths() -> dict[str, Callable[[], dict[str, Any]]]:
    """The files by path in the checkout, and what makes them; they refer to each other."""
    names = [PARAMETERS, *FAMILIES]
    return {GRAPH: graph_schema} | {
        f"{FOLDER}/{name}.json": partial(family_schema, name) for name in names
    }


def graph_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a Graph; its nodes stand in files by family."""
    schema = Graph.model_json_schema()
    defs: dict[str, Any] = schema.pop("$defs")
    nodes = defs["Function"]["properties"]["nodes"]
    for pattern in nodes["patternProperties"]:
        nodes["patternProperties"][pattern] = {"$ref": "#/$defs/node"}
    files = [f"release/nodes/{family}.json" for family in FAMILIES]
    names = [{"$ref": f"{file}#/$defs/names"} for file in files]
    # What the fields of an op are that is no core op, its body or its class says.
    names.append({"type": "string", "pattern": f"^{CUSTOM.pattern}$"})
    defs["node"] = {
        "type": "object",
        "properties": {"op": {"description": _NOTES["op"], "anyOf": names}},
        "required": ["op"],
        "allOf": [{"$ref": file} for file in files],
    }
    defs["reserved"] = {"enum": sorted(RESERVED)}
    for owner, field in (
        (schema, "functions"),
        (schema, "attributes"),
        (schema, "dims"),
        (defs["Function"], "inputs"),
    ):
        part = owner["properties"][field].setdefault("propertyNames", {})
        part["not"] = {"$ref": "#/$defs/reserved"}
    schema["required"] = ["format", *schema["required"]]
    schema.pop("title", None)
    head = {"$schema": DRAFT, "title": "blox graph"}
    ordered: Any = _cleaned({**head, **schema, "$defs": dict(sorted(defs.items()))})
    return dict(ordered)


def family_schema(name: str) -> dict[str, Any]:
    """The nodes of a family, or what those with parameters share."""
    common: dict[str, Any] = {}
    for cls in (ParamOp, ScopeOp):
        _node(cls, common)
    if name == PARAMETERS:
        return dict(_cleaned({"$schema": DRAFT, "$defs": dict(sorted(common.items()))}))
    others: dict[str, Any] = {}
    defs: dict[str, Any] = {"names": {"enum": list(FAMILIES[name])}}
    branches = []
    for key in FAMILIES[name]:
        found = definition(key)
        assert found is not None
        defs[found.python_name] = _node(found.op_class, others)
        test = {"properties": {"op": {"const": key}}, "required": ["op"]}
        target = {"$ref": f"#/$defs/{found.python_name}"}
        branches.append({"if": test, "then": target})
    defs |= {k: v for k, v in others.items() if k not in common}
    # `if` and `then` instead of `oneOf`: a fault is one of the fields of the node's own op.
    return dict(_cleaned({"$schema": DRAFT, "allOf": branches, "$defs": defs}))


def _node(cls: type[Op], shared: dict[str, Any]) -> dict[str, Any]:
    """The node of an op; what all ops with parameters have alike goes to `shared`."""
    schema = cls.model_json_schema(ref_template="#/$defs/{model}")
    shared.update(schema.pop("$defs", {}))
    schema["description"] = inspect.getdoc(cls) or ""
    fields = cls.fields()
    for field, info in cls.model_fields.items():
        part = schema["properties"][info.alias or field]
        if field in PARAMETER_OPTIONS:
            # The same in every op, so written once.
            shared[field] = {**part, "description": _NOTES[field]}
            schema["properties"][field] = {"$ref": f"{PARAMETERS}.json#/$defs/{field}"}
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
