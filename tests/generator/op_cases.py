"""The rows of the ops as nodes of a Graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ops.row import Row
from ops.rows import FAMILIES, ROWS

import blox as bx
from blox.schema import Graph, op_class
from blox.schema.registry import definition

Case = tuple[str, dict[str, Any], tuple[Any, ...]]


def add_node(
    functions_main: dict[str, Any],
    title: str,
    case: Case,
    optional: frozenset[str] = frozenset(),
    lead: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """A node of the entry, whose operands are inputs of the entry or numbers.

    `optional` names operands whose inputs may be left out; `lead` has the dims that
    stand before the shape of an operand.
    """
    name, attributes, operands = case
    cls = op_class(name)
    assert cls is not None
    node: dict[str, Any] = {"op": name, **attributes}
    inputs, outputs = functions_main["inputs"], functions_main["outputs"]

    def reference(field: str, value: Any, name: str | None = None) -> Any:
        if isinstance(value, (int, float)):
            return value
        dtype = jnp.result_type(value)
        key = jnp.issubdtype(dtype, jax.dtypes.prng_key)
        kind = "key" if key else "float" if dtype == "float32" else dtype.name
        shape = [*(lead or {}).get(field, ()), *np.shape(value)]
        spec: dict[str, Any] = {"shape": shape, "dtype": kind}
        if field in optional:
            spec["optional"] = True
        inputs[f"{title}_{name or field}"] = spec
        return f"{title}_{name or field}"

    fields = cls.fields().operands
    for (field, mark), value in zip(fields.items(), operands, strict=False):
        if mark.many:
            node[field] = [
                reference(field, v, f"{field[:-1]}{i}") for i, v in enumerate(value)
            ]
        elif field == cls.ASSIGNS:
            about = {
                "shape": [*np.shape(value)],
                "dtype": jnp.result_type(value).name,
            }
            functions_main["nodes"][f"{title}_state"] = {"op": "state", **about}
            node[field] = f"{title}_state"
        elif value is not None:
            node[field] = reference(field, value)
    functions_main["nodes"][title] = node
    if name == "rng":
        drop = {"op": "dropout", "x": f"{title}_x", "key": title, "rate": 0.5}
        functions_main["nodes"][f"{title}_drop"] = drop
        inputs[f"{title}_x"] = {"shape": [3], "dtype": "float"}
        outputs[f"{title}_y"] = f"{title}_drop"
        return
    several = cls.OUTPUTS if len(cls.OUTPUTS) > 1 else [""]
    parts = node.get("names") or several
    outputs |= {f"{title}_{p or 'y'}": f"{title}.{p}".rstrip(".") for p in parts}


def python_name(key: str) -> str:
    """The name of an op where it has to be one of Python: `relu_v2`."""
    found = definition(key)
    assert found is not None
    return found.python_name


def new_main() -> dict[str, Any]:
    return {"inputs": {}, "nodes": {}, "outputs": {}}


def parsed(main: dict[str, Any], name: str) -> Graph:
    """A Graph of one entry; inputs that may be left out come last."""
    items = sorted(main["inputs"].items(), key=lambda item: "optional" in item[1])
    main["inputs"] = dict(items)
    return Graph.parse({"format": "blox/1", "name": name, "functions": {"main": main}})


def graph_of(name: str, row: Row, lead: Sequence[str] = ()) -> Graph:
    """A Graph of one node, with `lead` before the shapes of the operands that take it."""
    main = new_main()
    cls = op_class(name)
    assert cls is not None
    leading = {
        field: lead
        for i, field in enumerate(cls.fields().operands)
        if row.lead is True or (row.lead and i in row.lead)
    }
    add_node(main, "node", case(name, row), lead=leading)
    return parsed(main, f"one_{python_name(name)}")


def case(name: str, row: Row) -> Case:
    return name, dict(row.attributes), row.operands


CASES = [case(name, row) for name, rows in ROWS.items() for row in rows]


def family(name: str) -> Graph:
    """A Graph with every row of the ops of a family."""
    main = new_main()
    for op in FAMILIES[name]:
        for i, row in enumerate(ROWS[op]):
            add_node(main, f"{python_name(op)}_{i}", case(op, row))
    return parsed(main, f"all_{name}")


def files() -> dict[str, str]:
    """Those that `test_clean` checks."""
    return {name: bx.generate(family(name)) for name in FAMILIES}


def slow_files() -> dict[str, str]:
    """Those that it checks where time is no matter: each row alone."""
    return {
        f"{python_name(name)}_{i}": bx.generate(graph_of(name, row))
        for name, rows in ROWS.items()
        for i, row in enumerate(rows)
    }
