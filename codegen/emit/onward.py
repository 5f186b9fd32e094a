"""What the outputs of a step continue, and names that say what they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from ...schema.content import Function
from ...schema.op import Op, ParamOp, ScopeOp
from ...schema.resolve.program import Arg, Step
from .notes import PLAIN, Edge, Facts, Kind, Note

LocalOf = Callable[[Arg], str | None]


def step_notes(
    step: Step, names: Mapping[str, str], facts: Mapping[str, Facts], local_of: LocalOf
) -> list[Note]:
    """A note for each output of a step.

    Args:
        step: the step.
        names: the name of each output as the Graph has it.
        facts: of the functions written so far, by their names in the Graph.
        local_of: the local that an operand is.
    """
    if isinstance(step.op, ScopeOp):
        return _control_notes(step, names, facts, local_of)
    alone = len(step.outputs) == 1
    plain = step.op.OUTPUT_KIND == "tensor"
    edges = [*_op_edges(step, local_of)] if alone and plain else []
    kind = step.op.op.rpartition(":")[2].partition("@")[0]
    numbered = re.fullmatch(rf"{re.escape(kind)}_\d+", step.name) is not None
    notes = []
    for o in step.outputs:
        own = [] if numbered and plain and alone else [names[o]]
        if step.op.ASSIGNS:
            own.append(step.operand(step.op.ASSIGNS).source or "")
        notes.append(Note([*edges], own if plain else [*own, "key"], plain))
    return notes


def _op_edges(step: Step, local_of: LocalOf) -> Iterator[Edge]:
    op: type[Op] = type(step.op)
    kind = Kind.PARAM if issubclass(op, ParamOp) else Kind.OP
    for i, operand in enumerate(op.CONTINUES):
        arg = step.args.get(operand)
        if isinstance(arg, Arg) and (local := local_of(arg)) is not None:
            joins = Kind.JOIN if op.REJOINS else kind
            yield Edge(local, joins, operand, direct=i > 0)


def _control_notes(
    step: Step, names: Mapping[str, str], facts: Mapping[str, Facts], local_of: LocalOf
) -> list[Note]:
    callee = step.callees[-1].instance
    carry = step.group("carry")
    given = {**step.group("inputs"), **step.group("xs")}
    # What never runs is not written.
    known = [facts.get(c.instance.name, Facts({}, {})) for c in step.callees]
    alone = len(step.outputs) == 1
    notes = []
    for i, o in enumerate(step.outputs):
        note = Note(plain=i not in step.copies)
        notes.append(note)
        if i not in step.used:
            continue
        onward = {f.onward.get(o) for f in known}
        if o in carry:
            if (local := local_of(carry[o])) is not None:
                note.edges.append(Edge(local, Kind.LOOP, o))
        elif (
            len(onward) == 1
            and (formal := onward.pop()) is not None
            and formal in given
            and (local := local_of(given[formal])) is not None
        ):
            note.edges.append(Edge(local, Kind.CALL, formal))
        inputs = callee.function.inputs
        if alone or (i == 0 and o not in carry and o in {*inputs, "out"}):
            note.names.append(step.name)
        if not alone:
            inner = known[-1].returned.get(o)
            if inner and inner not in inputs and inner not in PLAIN:
                note.names.append(inner)
            if o in carry or o not in inputs:
                note.names.append(o)
            note.names.append(names[o])
    return notes


def formals(steps: Sequence[Step]) -> dict[tuple[str, int], str]:
    """What a function calls the output of a step that it gets: `mask`."""
    found: dict[tuple[str, int], str] = {}
    for step in steps:
        for formal, arg in {**step.group("inputs"), **step.group("xs")}.items():
            if arg.source is not None and formal not in PLAIN:
                found.setdefault((arg.source, arg.output), formal)
    return found


def titles_of(step: Step, function: Function) -> dict[str, str]:
    """A name for each output: the node's where it is one, else one with the output's."""
    if len(step.outputs) == 1:
        return dict.fromkeys(step.outputs, step.name)
    others = {*function.nodes, *function.inputs}
    plain = not isinstance(step.op, ScopeOp) and not others & set(step.outputs)
    return {o: o if plain else f"{step.name}_{o}" for o in step.outputs}
