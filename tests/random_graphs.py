"""Random valid Graphs: small, and with everything that is hard to write out as code.

Values are of three kinds: `x`, arrays (..., 4) of one shape per function; `s`, scalars;
`v`, what broadcasts to an x. So all that is drawn fits together in any function, under
scan and vmap too. Nodes refer to any earlier value, in any order, once or often.
"""

from __future__ import annotations

from random_calls import Body
from random_nodes import ROWS, WIDTH, Writer

from blox.schema import Graph


class Entry(Body):
    top = True


def random_graph(seed: int) -> Graph:
    """A Graph of one or two entries and the functions that they call."""
    writer = Writer(seed, Body)
    entries = ["main", "second"] if writer.chance(4) else ["main"]
    for entry in entries:
        inputs = {"x": "x"} | ({"y": "x"} if writer.chance(2) else {})
        inputs |= {"bias": "v?"} if writer.chance(3) else {}
        key = writer.random.randrange(3)
        inputs |= {"key": "key"} if key == 2 else {}
        body = Entry(writer, inputs, [], 2, False)
        body.second = entry == "second"
        if key == 1:
            body.node({"op": "rng"}, "key")
        outputs = writer.pick([{"y": "x"}, {"x": "x"}, {"out": "x", "sum": "s"}])
        writer.functions[entry] = body.write(outputs)
        for name, given in writer.functions[entry]["inputs"].items():
            if name in ("x", "y"):
                given |= {"shape": [ROWS, WIDTH], "dtype": "float"}
            elif name == "bias":
                given |= {"shape": ["$width"], "dtype": "float"}
            else:
                given |= {"shape": []}
    return Graph.parse(
        {
            "format": "blox/1",
            "name": "model",
            "attributes": {"width": WIDTH},
            "entries": entries,
            "functions": writer.functions,
        }
    )
