"""Mutations of what refers to what: nodes, inputs, outputs, functions, names."""

from __future__ import annotations

import copy
import random

from mutants.finding import (
    Data,
    a_function,
    a_node,
    parts,
    put,
    reordered,
    values_of,
)

COLLIDING = ["relu", "linear", "layer", "x", "h_step", "step", "body", "nest", "shapes",
             "dtype", "axis", "i", "carry", "xs", "copy", "norm", "kernel", "main2",
             "array", "total", "first", "scan", "add", "inputs", "out"]  # fmt: skip
"""Names that a generated file may have another use for."""
UNARY: list[Data] = [
    {"op": "relu"}, {"op": "tanh"}, {"op": "stop_gradient"}, {"op": "abs"},
    {"op": "softmax", "axis": -1}, {"op": "dropout", "rate": 0.5},
    {"op": "buffer", "shape": [], "dtype": "float"},
    {"op": "scale", "features": 1},
]  # fmt: skip
"""Nodes that may stand between a value and its users, where they are valid at all."""


def a_reference(data: Data, draw: random.Random) -> None:
    function, name = a_node(data, draw)
    values = values_of(function, data)
    targets = [function["outputs"], function["nodes"][name]]
    places = [
        (target, place)
        for target in targets
        for place, value in parts(target)
        if isinstance(value, str) and value in values
    ]
    if places:
        target, place = draw.choice(places)
        put(target, place, draw.choice(values))


def a_swap(data: Data, draw: random.Random) -> None:
    """Two nodes, inputs, outputs or functions change places."""
    function = a_function(data, draw)
    section = draw.choice([function["nodes"], function["inputs"], function["outputs"]])
    names = list(section)
    if len(names) > 1:
        i, j = draw.sample(range(len(names)), 2)
        names[i], names[j] = names[j], names[i]
        reordered(section, names)


def a_copy(data: Data, draw: random.Random) -> None:
    """A node, an input, an output or a function twice; the copy sometimes used."""
    function = a_function(data, draw)
    choices = [function["nodes"], function["inputs"], function["outputs"]]
    section = draw.choice([*choices, data["functions"]])
    if not section:
        return
    name = draw.choice(list(section))
    new = draw.choice([f"{name}2", f"{name}_", name.upper(), "z"])
    names = list(section)
    names.insert(names.index(name) + 1, new)
    section[new] = copy.deepcopy(section[name])
    reordered(section, list(dict.fromkeys(names)))
    if section is function["nodes"] and draw.random() < 0.5:
        function["outputs"][draw.choice(list(function["outputs"]))] = new


def a_node_gone(data: Data, draw: random.Random) -> None:
    """A node whose users take another value."""
    function, name = a_node(data, draw)
    del function["nodes"][name]
    values = values_of(function, data)
    for target in (function["nodes"], function["outputs"]):
        for place, value in list(parts(target)):
            if isinstance(value, str) and value.split(".")[0] == name and values:
                put(target, place, draw.choice(values))


def an_optional_input(data: Data, draw: random.Random) -> None:
    function = a_function(data, draw)
    if function["inputs"]:
        name = draw.choice(list(function["inputs"]))
        given = function["inputs"][name]
        given["optional"] = not given.get("optional", False)
        if draw.random() < 0.7:  # optional inputs come last
            reordered(
                function["inputs"],
                [n for n in function["inputs"] if n != name] + [name],
            )


def a_rename(data: Data, draw: random.Random) -> None:
    """Another name for a node or an input, everywhere in its function."""
    function = a_function(data, draw)
    old = draw.choice([*function["inputs"], *function["nodes"], *function["outputs"]])
    new = draw.choice([*COLLIDING, *function["nodes"], *data["functions"]])
    if new in function["inputs"] or new in function["nodes"]:
        return
    for section in (function["inputs"], function["nodes"]):
        reordered(
            section, [new if name == old else name for name in section], {new: old}
        )
    for target in (function["nodes"], function["outputs"]):
        for place, value in list(parts(target)):
            if isinstance(value, str) and value.partition(".")[0] == old:
                put(target, place, new + value[len(old) :])


def a_function_name(data: Data, draw: random.Random) -> None:
    """Another name for a function, wherever it is called."""
    functions = data["functions"]
    old = draw.choice(list(functions))
    new = draw.choice(COLLIDING)
    if old in data.get("entries", ["main"]) or new in functions:
        return
    reordered(functions, [new if n == old else n for n in functions], {new: old})
    for function in functions.values():
        for node in function["nodes"].values():
            for role in ("function", "then", "else", "cond", "body"):
                if node.get(role) == old:
                    node[role] = new


def a_shared_parameter(data: Data, draw: random.Random) -> None:
    """A node takes the parameters of another one."""
    function, name = a_node(data, draw)
    node = function["nodes"][name]
    alike = [n for n, o in function["nodes"].items() if o.get("op") == node.get("op")]
    node["params"] = draw.choice([*alike, *alike, f"{name}.sub", "deep.er"])


def a_node_between(data: Data, draw: random.Random) -> None:
    """A node whose users take what another one makes of it; often the same again."""
    function, name = a_node(data, draw)
    new = "between" if draw.random() < 0.5 else draw.choice(COLLIDING)
    if new in function["nodes"] or new in function["inputs"]:
        return
    node = copy.deepcopy(function["nodes"][name])
    if draw.random() < 0.5 or "x" not in node:
        node = draw.choice(UNARY)
    node = {"op": node.get("op"), "x": name} | {
        k: v for k, v in node.items() if k != "x"
    }
    names = list(function["nodes"])
    later = names[names.index(name) + 1 :]
    for target in ({n: function["nodes"][n] for n in later}, function["outputs"]):
        for place, value in list(parts(target)):
            if value == name:
                put(target, place, new)
    function["nodes"][new] = node
    names.insert(names.index(name) + 1, new)
    reordered(function["nodes"], names)


def an_output(data: Data, draw: random.Random) -> None:
    """One output more: an input, a value that is used already, the same again."""
    function = a_function(data, draw)
    values = values_of(function, data)
    if values:
        function["outputs"][draw.choice([*COLLIDING, "more"])] = draw.choice(values)


def an_output_object(data: Data, draw: random.Random) -> None:
    """An output of which more is said, true or not."""
    function = a_function(data, draw)
    name = draw.choice(list(function["outputs"]))
    dims = [d for i in function["inputs"].values() for d in i.get("shape", [])]
    sizes = [*dims, "_", "...", "$width", "$batch % 2", "rows", 8, 2**62, -1, 1.5]
    said = {
        "value": [function["outputs"][name], *values_of(function, data), 3],
        "shape": [draw.choices(sizes, k=draw.randrange(4)), ["..."], [], None, "batch"],
        "dtype": ["float", "float32", "bfloat16", "int32", "key", None],
        "next": [*function["inputs"], name, "more", None],
        "doc": ['Ends """ here \\', "\x1b[2J", "", 3],
    }
    output = {"value": function["outputs"][name]}
    for field in draw.sample(list(said), draw.randrange(1, 4)):
        output[field] = draw.choice(said[field])
    function["outputs"][name] = output
