"""A function of the Graph as it is written, and whether a later trace is the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from blox.schema import SpecError

from .signatures import fault


@dataclass(slots=True)
class Record:
    """A function of the Graph, as far as it is written."""

    name: str
    doc: str
    attributes: list[str]
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    callees: list[str] = field(default_factory=list)
    """The functions that its nodes run, in the order of first use."""
    bare: bool = False
    """It returns one value without a name, which a loop may name as it needs."""


def compare(before: Record, now: Record) -> None:
    """Both traces of a function must write one text; inputs may become optional.

    Raises:
        SpecError: naming the first node that differs, and how.
    """
    for name in before.inputs.keys() | now.inputs.keys():
        old, new = before.inputs.get(name), now.inputs.get(name)
        if old is None or new is None:
            raise _differs(before.name, f"input {name} in one of them only")
        optional = old.get("optional") or new.get("optional")
        before.inputs[name] = {**old, **new, **({"optional": True} if optional else {})}
    if any(i.get("optional") for i in before.inputs.values()):
        last = sorted(before.inputs, key=lambda n: "optional" in before.inputs[n])
        before.inputs = {n: before.inputs[n] for n in last}
    for name in [*before.nodes, *now.nodes]:
        a, b = before.nodes.get(name), now.nodes.get(name)
        if a is None or b is None:
            raise _differs(before.name, f"node {name} in one of them only")
        for key in [*a, *b]:
            if a.get(key) != b.get(key):
                raise _differs(
                    before.name, f"{name}.{key} {a.get(key)!r} and {b.get(key)!r}"
                )
    if before.outputs.values() and list(before.outputs.values()) != list(
        now.outputs.values()
    ):
        raise _differs(before.name, "other outputs")
    if list(before.nodes) != list(now.nodes) or before.attributes != now.attributes:
        raise _differs(before.name, "other attributes or another order of nodes")


def _differs(name: str, what: str) -> SpecError:
    return fault(
        name,
        f"expected the same nodes at every call, found {what}",
        "give what differs as an attribute of the function, a keyword-only parameter: "
        f"def {name}(f, x, *, features); or write two functions of different names",
    )
