"""Mutations of what runs functions, of bodies of ops, of signatures; extreme values."""

from __future__ import annotations

import copy
import random
from typing import Any

from mutants.finding import (
    Data,
    a_function,
    a_node,
    at,
    known_fields,
    put,
    reordered,
    some,
    values_of,
)

LOOPS = ("call", "repeat", "scan", "associative_scan", "map", "cond", "switch",
         "while_loop")  # fmt: skip
EXTREMES: list[Any] = [
    2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 10**40, 1e308, -1e308, 5e-324, -0.0,
    0, True, False, None, "", "$", "1", "$2 ** 62", "$1 / 0", "é", "x" * 300,
    "$2 ** 10 ** 9", "$min(1, 2.5)", "$min(batch, 2)",
    [], {}, [[]], [[[1]]], [None], [True], ["$width"], [1, [2]], {"a": 1},
]  # fmt: skip
STATEFUL: list[Data] = [
    {"op": "batch_norm", "x": "x", "features": 8},
    {"op": "rng"},
    {"op": "dropout", "x": "x", "rate": 0.5, "key": "rng"},
    {"op": "buffer", "shape": [8], "dtype": "float"},
    {"op": "param", "shape": [8]},
    {"op": "state", "shape": [8]},
    {"op": "assign", "to": "state", "x": "x"},
]


def an_extreme(data: Data, draw: random.Random) -> None:
    """An attribute, or any other field, that is huge, negative, or of another type."""
    function, name = a_node(data, draw)
    node = function["nodes"][name]
    fields = [f for f in node if f != "op"]
    if fields:
        node[draw.choice(fields)] = copy.deepcopy(draw.choice(EXTREMES))


def an_extreme_anywhere(data: Data, draw: random.Random) -> None:
    place = some(data, draw, lambda place, _: len(place) > 1)
    if place is not None:
        put(data, place, copy.deepcopy(draw.choice(EXTREMES)))


def a_nested_list(data: Data, draw: random.Random) -> None:
    """An item of a list that becomes a list, or of a constant, or one more level."""
    place = some(data, draw, lambda _, v: isinstance(v, list) and v != [])
    if place is not None:
        found = at(data, place)
        i = draw.randrange(len(found))
        found[i] = draw.choice([[found[i]], [found[i]] * 2, [], [[found[i]]]])


def a_slice(data: Data, draw: random.Random) -> None:
    """Start, size and axis of slices at computed places."""
    nodes = [
        (function, node)
        for function in data["functions"].values()
        for node in function["nodes"].values()
        if str(node.get("op")).startswith("dynamic_")
    ]
    if not nodes:
        return
    function, node = draw.choice(nodes)
    field = draw.choice(["start", "size", "axis", "update"])
    items = list(node[field]) if isinstance(node.get(field), list) else []
    values: list[Any] = [0, 1, -1, 2, 8, "$width", "$seq", *values_of(function, data)]
    match draw.randrange(4):
        case 0:
            items.append(draw.choice(values))
        case 1 if items:
            items.pop(draw.randrange(len(items)))
        case 2 if items:
            items[draw.randrange(len(items))] = draw.choice(values)
        case _:
            items = items[::-1] if draw.random() < 0.5 else []
    node[field] = items if field != "update" else draw.choice(values)


def a_switch(data: Data, draw: random.Random) -> None:
    """The branches of a `switch`, or a `cond` that becomes one, and back."""
    nodes = [
        (function, node)
        for function in data["functions"].values()
        for node in function["nodes"].values()
        if node.get("op") in ("switch", "cond")
    ]
    if not nodes:
        return
    function, node = draw.choice(nodes)
    names = list(data["functions"])
    if node["op"] == "cond":
        branches = [node.pop("else", names[0]), node.pop("then", names[0])]
        node["op"] = "switch"
        node["index"] = draw.choice([node.pop("predicate", 0), 0, 1, 7, "$1"])
        node["branches"] = branches * draw.choice([1, 1, 2])
        return
    branches = node["branches"]
    match draw.randrange(6):
        case 0:
            branches.append(draw.choice([*branches, *names]))
        case 1 if branches:
            branches.pop(draw.randrange(len(branches)))
        case 2 if branches:
            branches[:] = [branches[0]] * draw.choice([1, 2, 5])
        case 3:
            branches.reverse()
        case 4:
            node["index"] = draw.choice([0, -1, 99, 1.0, *values_of(function, data)])
        case _:
            node["op"] = "cond"
            node["predicate"] = node.pop("index")
            node["then"], node["else"] = (node.pop("branches") * 2)[:2]


def a_loop_of_another_kind(data: Data, draw: random.Random) -> None:
    """What runs a function runs it in another way, with the fields that both have."""
    nodes = [
        node
        for function in data["functions"].values()
        for node in function["nodes"].values()
        if node.get("op") in LOOPS and "function" in node
    ]
    if not nodes:
        return
    node = draw.choice(nodes)
    groups: Data = {}
    for group in ("inputs", "xs", "carry"):
        found = node.get(group)
        groups |= found if isinstance(found, dict) else {}
    node["op"] = draw.choice(["call", "repeat", "repeat", "scan", "map"])
    kept = {k: v for k, v in node.items() if k in known_fields(node["op"])}
    node.clear()
    node.update(kept)
    for group in ("inputs", "xs", "carry"):
        node.pop(group, None)
    has = {"call": ["inputs"], "map": ["inputs", "xs"]}
    for name, value in groups.items():
        group = draw.choice(has.get(node["op"], ["inputs", "xs", "carry", "carry"]))
        node.setdefault(group, {})[name] = value
    if node["op"] == "repeat":
        node.setdefault("count", draw.choice([0, 1, 2, 3]))
        node["scan"] = draw.random() < 0.5
    elif node["op"] == "scan":
        node["length"] = draw.choice([0, 1, 2])
    elif node["op"] == "map" and not node.get("xs"):
        node["count"] = 2


def a_repeat(data: Data, draw: random.Random) -> None:
    """A scanned repeat is listed and the other way round, or has no copies at all."""
    nodes = [
        node
        for function in data["functions"].values()
        for node in function["nodes"].values()
        if node.get("op") == "repeat"
    ]
    if nodes:
        node = draw.choice(nodes)
        if draw.random() < 0.6:
            node["count"] = draw.choice([0, 0, 1])
            if draw.random() < 0.8:
                node.pop("xs", None)
        if draw.random() < 0.6:
            node["scan"] = not node.get("scan", True)


def a_body(data: Data, draw: random.Random) -> None:
    """Another body of an op, none, one more op, a call written as an op."""
    functions = data["functions"]
    ops = data.setdefault("ops", {})
    custom = [
        node
        for function in functions.values()
        for node in function["nodes"].values()
        if ":" in str(node.get("op"))
    ]
    calls = [
        node
        for function in functions.values()
        for node in function["nodes"].values()
        if node.get("op") == "call"
    ]
    match draw.randrange(6):
        case 0 if ops:
            ops[draw.choice(list(ops))] = draw.choice([*functions, "nothing"])
        case 1 if ops:
            del ops[draw.choice(list(ops))]
        case 2 if custom:
            node = draw.choice(custom)
            node[draw.choice(["x", "k", "more", "params", "init", "a"])] = draw.choice(
                [1, "x", [1], "a.b", ".", {"scale": {"name": "zeros"}}, "$width"]
            )
        case 3 if custom:
            node = draw.choice(custom)
            node["op"] = draw.choice([*ops, "acme:other", "acme:gate@3"])
        case 4:
            ops[draw.choice(["acme:other", "b:c", "acme:mix@3"])] = draw.choice(
                list(functions)
            )
        case _ if calls:
            node = draw.choice(calls)
            name = node.get("function")
            inputs: Data = node.get("inputs", {})
            attributes: Data = node.get("attributes", {})
            if isinstance(inputs, list) and name in functions:
                inputs = dict(zip(functions[name]["inputs"], inputs, strict=False))
            params = {"params": node["params"]} if "params" in node else {}
            node.clear()
            node.update({"op": f"own:{name}", **inputs, **attributes, **params})
            ops[f"own:{name}"] = name


def a_state(data: Data, draw: random.Random) -> None:
    """A node with state, keys or parameters, in front of a function's values."""
    function = a_function(data, draw)
    node = copy.deepcopy(draw.choice(STATEFUL))
    values = values_of(function, data)
    for field in ("x", "key"):
        if field in node and values:
            node[field] = draw.choice(values)
    new = draw.choice(["fresh", "state", "rng_2"])
    if new in function["nodes"] or new in function["inputs"]:
        return
    names = list(function["nodes"])
    names.insert(draw.randrange(len(names) + 1), new)
    function["nodes"][new] = node
    reordered(function["nodes"], names)
    if draw.random() < 0.7 and function["outputs"]:
        function["outputs"][draw.choice(list(function["outputs"]))] = new


def a_signature(data: Data, draw: random.Random) -> None:
    """The shape or the dtype of an input, declared or not, of any function."""
    function = a_function(data, draw)
    if not function["inputs"]:
        return
    given = function["inputs"][draw.choice(list(function["inputs"]))]
    dims = ["batch", "seq", "cached", "_", "...", "$width", "$seq * 2", "$batch", 0, 8]
    if draw.random() < 0.7:
        shape = given.get("shape")
        shape = list(shape) if isinstance(shape, list) else []
        match draw.randrange(4):
            case 0:
                shape.insert(draw.randrange(len(shape) + 1), draw.choice(dims))
            case 1 if shape:
                shape[draw.randrange(len(shape))] = draw.choice(dims)
            case 2:
                shape = draw.choice([[], ["..."], ["...", "$width"], ["batch", "..."]])
            case _:
                given.pop("shape", None)
                return
        given["shape"] = shape
    else:
        given["dtype"] = draw.choice(["key", "float", "int32", "bool", "float16", None])


def an_attribute_of_a_function(data: Data, draw: random.Random) -> None:
    function = a_function(data, draw)
    names = function.setdefault("attributes", [])
    if names and draw.random() < 0.5:
        names.remove(draw.choice(names))
    else:
        names.append(draw.choice(["width", "added", "k", *names]))


def an_entry(data: Data, draw: random.Random) -> None:
    entries = data.setdefault("entries", ["main"])
    if draw.random() < 0.6:
        entries.append(draw.choice(list(data["functions"])))
    else:
        entries.pop(draw.randrange(len(entries)))


def a_constraint(data: Data, draw: random.Random) -> None:
    """Relations between dims, attributes and expressions of both."""
    constraints = data.setdefault("constraints", [])
    terms = ["batch", "seq", "cached", "width", "4", "0", "batch * seq", "seq + 1",
             "seq // 2", "-seq", "2 ** 40", "height", "width * 2", "nothing"]  # fmt: skip
    if constraints and draw.random() < 0.3:
        constraints.pop()
    sign = draw.choice(["<", "<=", "==", ">=", ">"])
    constraints.append(f"{draw.choice(terms)} {sign} {draw.choice(terms)}")


KINDS = [
    an_extreme, an_extreme, an_extreme, an_extreme_anywhere, a_nested_list, a_slice,
    a_switch, a_switch, a_loop_of_another_kind, a_loop_of_another_kind, a_repeat,
    a_repeat, a_body, a_body, a_state, a_state, a_signature, a_signature,
    an_attribute_of_a_function, an_entry, a_constraint,
]  # fmt: skip
