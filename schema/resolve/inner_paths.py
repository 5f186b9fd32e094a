"""What a path of inner values names: `h.attn.scores`, `h[3].attn.scores`, `h.split.left`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import NoReturn

from ..diagnostics import SpecError, listing, quote
from .program import Called, Instance, Step
from .rewiring import Data, callees_of


def step_at(path: str, instance: Instance, name: str) -> Step:
    """The node of a name.

    Raises:
        SpecError: there is none; with where one of that name is, or of one like it.
    """
    every = {step.name: step for step in instance.steps}
    if name in every:
        return every[name]
    near = difflib.get_close_matches(name, every, 1, 0.5)
    below = next(_below(instance, name), "")
    meant = below or (near[0] if near else "")
    fault(
        path,
        f"expected a node of {instance.name} ({listing(every)}), found {quote(name)}",
        f"did you mean {meant}?" if meant else "",
    )


def ends(step: Step, rest: list[str]) -> bool:
    """True where what is left names an output of the node, and no node in it."""
    if len(rest) > 1 or rest[0] not in step.outputs:
        return False
    inside = (i for called in step.callees for i in called.instances)
    return not any(rest[0] in i.function.nodes for i in inside)


def value_of(path: str, step: Step, rest: list[str]) -> str:
    """The reference of an output of a node, which has to be an array or a list."""
    if not rest and len(step.outputs) != 1:
        fault(
            path,
            f"expected one of the outputs of {step.name} ({listing(step.outputs)}), "
            f"found {step.name} alone",
            f"write {path}.{step.outputs[0]}" if step.outputs else "",
        )
    if step.op.OUTPUT_KIND == "key":
        fault(
            path,
            f"expected a node that gives an array, found {step.name}, which gives a "
            "key",
        )
    return f"{step.name}.{rest[0]}" if rest else step.name


def last(step: Step) -> str:
    """The last node of what a node runs, as an example."""
    if not step.callees or not step.callees[-1].cycle:
        return "node"
    return next(reversed(step.callees[-1].instance.function.nodes), "node")


def entered(path: str, step: Step, node: Data) -> Called:
    """The function that a node runs, where its values can be led out.

    Raises:
        SpecError: they exist in some runs alone, or not at all.
    """
    name, kind = step.name, node["op"]
    if not callees_of(node):
        fault(
            path,
            f"expected {name} to run a function of the Graph, found the op {kind}",
            f"ask for {name} itself",
        )
    if kind in ("cond", "switch"):
        fault(
            path,
            f"{name} is a {kind}: a value in it is there only where its branch runs",
            f"ask for what {name} gives, or for what decides it",
        )
    if kind == "while_loop":
        fault(
            path,
            f"{name} is a while_loop: it keeps no value of its steps, of which there "
            "may be any number",
            f"ask for what {name} gives; a loop with a known number of steps is a "
            "`scan` with a `length`",
        )
    if kind == "associative_scan":
        fault(
            path,
            f"{name} is an associative_scan: it combines elements in an order that "
            "is not said, so that a value in it is that of no element",
            f"ask for what {name} gives",
        )
    (called,) = step.callees
    if called.declared.empty:
        fault(path, f"expected a copy of {name}, which has none")
    return called


def copy_of(path: str, step: Step, called: Called, copy: str | None) -> int | None:
    """The copy that a path names, None for all of them.

    Raises:
        SpecError: there is no such copy.
    """
    if copy is None:
        return None
    if called.declared.layout == "one":
        fault(
            path,
            f"expected no copy of {step.name}, found {copy}",
            "it runs one function, or is a loop whose steps share their arrays",
        )
    most = called.declared.copies
    if isinstance(most, int) and int(copy) >= most:
        fault(
            path,
            f"expected a copy, {step.name}[0] to {step.name}[{most - 1}], found "
            f"{step.name}[{copy}]",
        )
    return int(copy)


def _below(instance: Instance, name: str) -> Iterator[str]:
    """Paths of nodes of a name, further down than it was looked for."""
    todo, seen = [("", instance)], {instance}
    for before, inside in todo:
        for step in inside.steps:
            if step.name == name and before:
                yield before + name
            for called in step.callees if len(step.callees) == 1 else ():
                if called.cycle and called.instance not in seen:
                    seen.add(called.instance)
                    todo.append((f"{before}{step.name}.", called.instance))


def fault(path: object, message: str, hint: str = "") -> NoReturn:
    """Refuses a path."""
    raise SpecError.one("part", quote(path), message, hint)
