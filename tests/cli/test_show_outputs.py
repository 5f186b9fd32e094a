"""`bx.summary` says what a file says of its outputs, fit for a terminal."""

from __future__ import annotations

from sample_specs import spec

import blox as bx
from blox.schema import Graph


def test_what_is_said_of_outputs() -> None:
    inputs = {
        "x": {"shape": ["batch", 8], "dtype": "float"},
        "k": {"shape": ["batch", 8], "dtype": "float", "optional": True},
        "rng": {"shape": [], "dtype": "key", "optional": True},
    }
    outputs = {
        "y": {"value": "n", "shape": ["batch", "_"], "doc": "Two\nlines \x1b[2J."},
        "z": "n",
        "s": {"value": "n", "dtype": "float", "next": "k"},
    }
    graph = Graph.parse(spec({"n": {"op": "relu", "x": "x"}}, outputs, inputs))
    lines = str(bx.summary(graph)).split("\n")
    assert lines[1:3] == [
        "main(x float[batch, 8], k? float[batch, 8], rng? key) -> y [batch, _], z, "
        "s float next of k",
        r"  y: Two\nlines \x1b[2J.",
    ]
