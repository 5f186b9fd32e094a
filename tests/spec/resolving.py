"""What tests of resolving ask: a Program, its one fault, a step."""

from __future__ import annotations

import pytest
from sample_specs import Data, function

from blox.schema import Graph, SpecError
from blox.schema.resolve.program import Instance, Program, Step


def program(data: Data) -> Program:
    return Graph.parse(data).program()


def fault(data: Data) -> str:
    with pytest.raises(SpecError) as caught:
        program(data)
    (found,) = caught.value.diagnostics
    return f"{found.code} {found}"


def step(of: Program | Instance, name: str) -> Step:
    instance = of.entries["main"] if isinstance(of, Program) else of
    return next(s for s in instance.steps if s.name == name)


STAGE = function(
    {"up": {"op": "linear", "x": "x", "in_features": 8, "out_features": "$features"}},
    "up",
    attributes=["features"],
)
