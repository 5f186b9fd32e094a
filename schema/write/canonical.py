"""The one text and the one msgpack of a Graph, and its digest."""

from __future__ import annotations

import json
from typing import Any

from ..content import Content, Function, dump_output
from ..nodes import dump_node
from ..plain_data import copied

WIDTH = 120
_ALWAYS = {"format", "name", "functions", "inputs", "nodes", "outputs"}


def plain(graph: Content) -> dict[str, Any]:
    """The Graph as plain data in canonical order, defaults of no meaning left out."""
    data: dict[str, Any] = {}
    for name in type(graph).model_fields:
        value = getattr(graph, name)
        if name == "functions":
            data[name] = {k: _function(f) for k, f in value.items()}
        elif name == "dims":
            data[name] = {
                k: _given(b.model_dump(mode="json")) for k, b in value.items()
            }
        elif name == "metadata":
            data[name] = _given(value.model_dump(mode="json"))
        else:
            data[name] = copied(value)
    if data["entries"] == ["main"]:
        del data["entries"]
    return _given(data)


def _function(function: Function) -> dict[str, Any]:
    data: dict[str, Any] = {
        "doc": function.doc,
        "attributes": list(function.attributes),
        "inputs": {
            k: _given(i.model_dump(mode="json")) for k, i in function.inputs.items()
        },
        "nodes": {k: dump_node(n) for k, n in function.nodes.items()},
        "outputs": {k: dump_output(o) for k, o in function.outputs.items()},
    }
    return _given(data)


def _given(data: dict[str, Any]) -> dict[str, Any]:
    """Less the empty and the false; a scalar's shape [] is not empty but a shape."""
    return {
        k: v
        for k, v in data.items()
        if k in _ALWAYS
        or (k == "shape" and v == [])
        or not (v is None or v is False or v in ("", [], {}))
    }


def to_json(graph: Content) -> str:
    """The canonical JSON: a value on one line where that has at most 120 columns."""
    return text_of_value(plain(graph)) + "\n"


def to_msgpack(graph: Content) -> bytes:
    """The same data, compact."""
    import msgpack

    packed = msgpack.packb(plain(graph))
    assert isinstance(packed, bytes)
    return packed


def digest(graph: Content) -> str:
    """`sha256:` and the hash of the canonical msgpack."""
    import hashlib  # here, as it is slow to load and few need it

    return "sha256:" + hashlib.sha256(to_msgpack(graph)).hexdigest()


def text_of_value(value: Any, indent: int = 0, lead: int = 0) -> str:
    """A value as it stands in the canonical JSON.

    Args:
        value: plain data.
        indent: of the line that it begins on.
        lead: characters before it on that line, behind the indent.
    """
    line = json.dumps(value, ensure_ascii=True)
    if not isinstance(value, (dict, list)) or not value:
        return line
    if indent + lead + len(line) < WIDTH and (
        indent > 2 or not isinstance(value, dict)
    ):
        return line
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        parts = []
        for key, part in value.items():
            label = f"{json.dumps(key)}: "
            parts.append(f"{inner}{label}{text_of_value(part, indent + 2, len(label))}")
        return "{\n" + ",\n".join(parts) + "\n" + " " * indent + "}"
    items = ",\n".join(inner + text_of_value(part, indent + 2, 0) for part in value)
    return "[\n" + items + "\n" + " " * indent + "]"
