"""Mutations of one field: a number, a text, a list, an op, a bound, a flag."""

from __future__ import annotations

import random
from typing import Any

from mutants.finding import (
    Data,
    a_node,
    at,
    known_fields,
    operands_of,
    parts,
    put,
    some,
    values_of,
)

from blox.schema import op_class, op_names

NUMBERS = [0, 1, -1, 2, 3, 7, 2**31, 2**62, -(2**62), 0.0, -0.5, 1.5, 1e-30, 1e30]
TEXTS = [
    "",
    "x",
    "float",
    "...",
    "$width",
    "$-1",
    "$inf",
    "$nan",
    "$0 // 0",
    "$1 % 0",
    "$batch",
    "_",
    "main",
]
DTYPES = ["float", "float16", "bfloat16", "float32", "float64", "int8", "int32",
          "int64", "uint8", "uint32", "bool", "key"]  # fmt: skip
BOUNDS = ["min", "max", "multiple_of"]


def a_number(data: Data, draw: random.Random) -> None:
    place = some(data, draw, lambda _, v: type(v) in (int, float))
    if place is not None:
        old = at(data, place)
        near = [old + 1, old - 1, 2 * old, -old, old / 2, float(old), int(old)]
        put(data, place, draw.choice(near if draw.random() < 0.7 else NUMBERS))


def a_text(data: Data, draw: random.Random) -> None:
    place = some(data, draw, lambda _, v: isinstance(v, str))
    if place is not None:
        old = at(data, place)
        others = sorted(
            {v for p, v in parts(data) if isinstance(v, str) and p[-1] == place[-1]}
        )
        near = [*others, *TEXTS]
        if old.startswith("$"):
            rest = old[1:]
            near = [f"$({rest}) * 2", f"$({rest}) + 1", f"$-({rest})", f"$({rest}) - 1",
                    f"$({rest}) // 2", f"$({rest}) % 3", f"$({rest}) ** 2",
                    f"$min({rest}, 8)", f"$max({rest}, 1, 2)", *others]  # fmt: skip
        put(data, place, draw.choice(near))


def a_list(data: Data, draw: random.Random) -> None:
    place = some(data, draw, lambda _, v: isinstance(v, list))
    if place is not None:
        old: list[Any] = at(data, place)
        ways: list[list[Any]] = [
            [],
            old[1:],
            old[:-1],
            old[::-1],
            old + old[:1],
            old * 2,
            [old],
        ]
        put(data, place, draw.choice([*ways, old[:1] or [1], [*old, 1]]))


def an_op(data: Data, draw: random.Random) -> None:
    """Another op of the same operands, or any."""
    function, name = a_node(data, draw)
    node = function["nodes"][name]
    cls = op_class(node["op"])
    names = sorted(op_names())
    if cls is not None and draw.random() < 0.8:
        operands = set(cls.fields().operands)
        alike = [n for n in names if set(operands_of(n)) == operands]
        names = alike or names
    other = draw.choice(names)
    fields = set(known_fields(other))
    kept = {k: v for k, v in node.items() if k in fields and k != "op"}
    node.clear()
    node.update({"op": other} | kept)


def a_dropped_field(data: Data, draw: random.Random) -> None:
    place = some(data, draw, lambda place, _: len(place) > 2)
    if place is not None:
        del at(data, place[:-1])[place[-1]]


def a_field(data: Data, draw: random.Random) -> None:
    """A field that a node doesn't have, or another value of one."""
    function, name = a_node(data, draw)
    node = function["nodes"][name]
    if op_class(str(node.get("op"))) is None:
        return
    fields = known_fields(node["op"])
    field = draw.choice([f for f in fields if f != "op"])
    choices: list[Any] = [None, True, False, 1, 2, "$width"]
    if isinstance(fields[field], (int, float, str, list)):
        choices.append(fields[field])
    choices += [*values_of(function, data)]
    if field in ("init", "axes", "frozen", "params"):
        options: dict[str, list[Any]] = {
            "init": [{"kernel": {"name": n}} for n in ("zeros", "orthogonal", "normal")]
            + [{"bias": {"name": "ones"}}, {"value": {"name": "zeros"}}],
            "axes": [{"kernel": ["embed", None]}, {"scale": [None]}, {"bias": ["x"]}],
            "frozen": [["kernel"], ["scale"], ["bias"], ["value"]],
            "params": [".", "a.b", "other", name, *function["nodes"]],
        }
        choices = options[field]
    node[field] = draw.choice(choices)


def bounds(data: Data, draw: random.Random) -> None:
    dims = {
        dim
        for function in data["functions"].values()
        for given in function["inputs"].values()
        for dim in given.get("shape", [])
        if isinstance(dim, str) and dim.isidentifier()
    }
    if not dims:
        return
    dim = draw.choice(sorted(dims))
    values = [
        0,
        1,
        2,
        4,
        -1,
        -8,
        10**6,
        2**62,
        "$-1",
        *map("${}".format, data["attributes"]),
    ]
    bound = data.setdefault("dims", {}).setdefault(dim, {})
    bound[draw.choice(BOUNDS)] = draw.choice(values)
    if draw.random() < 0.3:
        sign = draw.choice(["<", "<=", "==", ">=", ">"])
        other = draw.choice([*sorted(dims), "4", *data["attributes"], f"{dim} * {dim}"])
        data.setdefault("constraints", []).append(f"{dim} {sign} {other}")


def a_flag(data: Data, draw: random.Random) -> None:
    place = some(data, draw, lambda _, v: isinstance(v, bool))
    if place is not None:
        put(data, place, not at(data, place))


def an_optional_parameter(data: Data, draw: random.Random) -> None:
    """`use_scale` or `use_bias` of one node, so that it differs from the others."""
    place = some(data, draw, lambda place, _: str(place[-1]).startswith("use_"))
    if place is not None:
        put(data, place, not at(data, place))


def a_dtype(data: Data, draw: random.Random) -> None:
    place = some(data, draw, lambda place, _: place[-1] == "dtype")
    if place is not None:
        put(data, place, draw.choice(DTYPES))


def a_loop(data: Data, draw: random.Random) -> None:
    """Count, `scan`, `reverse`, `remat`, index or length of what calls functions."""
    loops = [
        node
        for function in data["functions"].values()
        for node in function["nodes"].values()
        if node.get("op") in ("repeat", "scan", "map", "while_loop", "call")
    ]
    if not loops:
        return
    node = draw.choice(loops)
    fields: dict[str, list[Any]] = {
        "scan": [not node.get("scan", True)], "count": [0, 1, 2, 5, -1, "$width", None],
        "length": [0, 1, 3, None], "reverse": [True], "axis": [0, 1, -1, 5],
        "remat": ["nothing_saveable", "everything_saveable", None],
        "index": ["i", "x", None], "max_steps": [0, 1, 3, None, -1],
    }  # fmt: skip
    known = [f for f in fields if f in known_fields(node["op"])]
    field = draw.choice(known)
    node[field] = draw.choice(fields[field])


def an_attribute(data: Data, draw: random.Random) -> None:
    """A number of a node becomes an attribute of the Graph or of its function."""
    function, name = a_node(data, draw)
    node = function["nodes"][name]
    numbers = [k for k, v in node.items() if type(v) in (int, float)]
    if not numbers:
        return
    field = draw.choice(numbers)
    data.setdefault("attributes", {})["added"] = node[field]
    node[field] = draw.choice(["$added", "$added + 0", "$added * 1"])


def a_literal(data: Data, draw: random.Random) -> None:
    """A number, or an expression, in place of a reference."""
    function, name = a_node(data, draw)
    node = function["nodes"][name]
    fields = [f for f in operands_of(str(node.get("op"))) if f in node]
    if fields:
        node[draw.choice(fields)] = draw.choice(
            [0, 1, 2, 0.5, -1.0, "$width", "$1 / 3"]
        )
