"""A Graph of few nodes, written by the builder as a user writes it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import blox as bx
from blox.schema import Graph, op_class
from blox.schema.registry import split_key

NAMED = inspect.Parameter.POSITIONAL_OR_KEYWORD


def built(graph: Graph) -> Graph:
    """The nodes of the one entry of `graph`, each by the method of its op."""
    main = graph.plain()["functions"]["main"]
    names = [*main["inputs"]]

    def entry(f: Any, *given: Any) -> Any:
        values = dict(zip(names, given, strict=True))
        for title, data in main["nodes"].items():
            values[title] = found = _node(f, title, data, values)
            parts = _outputs(data)
            if isinstance(found, tuple | list):
                values |= {f"{title}.{n}": v for n, v in zip(parts, found, strict=True)}
        return {name: values[value] for name, value in main["outputs"].items()}

    entry.__name__ = "main"
    parameters = [inspect.Parameter(name, NAMED) for name in ("f", *names)]
    vars(entry)["__signature__"] = inspect.Signature(parameters)
    b = bx.GraphBuilder(graph.name)
    b.entry(entry, **{n: bx.Input(**given) for n, given in main["inputs"].items()})
    return b.graph()


def _node(
    f: Any, title: str, data: Mapping[str, Any], values: Mapping[str, Any]
) -> Any:
    """The call of the method: values for references, absent operands as None."""
    cls = op_class(data["op"])
    assert cls is not None
    operands = cls.fields().operands

    def value(x: Any) -> Any:
        if isinstance(x, list):
            return [value(y) for y in x]
        return values[x] if isinstance(x, str) and x in values else x

    fields = {n: value(x) if n in operands else x for n, x in data.items() if n != "op"}
    method = getattr(f, split_key(data["op"])[0])
    return method(name=title, **dict.fromkeys(operands) | fields)


def _outputs(data: Mapping[str, Any]) -> list[str]:
    """The names of the outputs of a node."""
    cls = op_class(data["op"])
    assert cls is not None
    return list(data.get("names") or cls.OUTPUTS)
