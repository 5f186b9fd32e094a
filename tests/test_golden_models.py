"""The models that stand for all have every feature that one of all has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from golden_models import FEW, NAMES, graph_of

from blox.schema import op_class
from blox.schema.op import ScopeOp


def features(data: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """The fields of a model, its functions, inputs and nodes that run functions, with
    what kind of value they have; its ops of state; the dtypes of its values."""
    yield from fields("model", data)
    for function in data["functions"].values():
        yield from fields("function", function)
        for given in function["inputs"].values():
            yield from fields("input", given)
        for node in function["nodes"].values():
            yield from of_node(node)


def of_node(node: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    cls = op_class(node["op"])
    assert cls is not None
    if issubclass(cls, ScopeOp):
        yield from fields(node["op"], node)
    if cls.STATEFUL or cls.ASSIGNS or cls.OUTPUT_KIND != "tensor":
        yield "op", node["op"]
    for field in ("params", "init", "dtype"):
        if field in node:
            yield "node", field, str(node[field]) if field == "dtype" else ""


def fields(what: str, data: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for field, value in data.items():
        yes = value if isinstance(value, bool) else value not in (None, [], {})
        formula = isinstance(value, str) and value.startswith("$")
        name = "formula" if formula else str(value) if field == "dtype" else ""
        yield what, field, str(yes), name


def test_few_stand_for_all() -> None:
    found = {name: {*features(graph_of(name).plain())} for name in NAMES}
    covered = set[Any]().union(*(found[name] for name in FEW))
    missing = {name: found[name] - covered for name in NAMES}
    assert {name: of for name, of in missing.items() if of} == {}, "put one into FEW"
