"""Linear maps behind a flattened image: their inputs come in another order elsewhere.

Channels are last here, and first in PyTorch and Equinox. The shape of the kernel doesn't
tell which order it has.
"""

from __future__ import annotations

from blox.schema.resolve.program import Arg, Instance, Program, Step

from .patterns import is_number

_RESHAPES = frozenset({"reshape", "flatten"})
_MAX_STEPS = 10_000
Names = tuple[str, ...]
_Frame = tuple[Instance, Step | None]
"""A function that runs, and the node that runs it."""


def flattened(program: Program) -> dict[Names, int]:
    """The channels of the image that a linear map gets flattened.

    Returns:
        By the path of the map, as parts without numbers of copies.
    """
    found: dict[Names, int] = {}
    seen: set[tuple[int, Names]] = set()
    todo: list[tuple[Names, tuple[_Frame, ...]]] = [
        ((), ((instance, None),)) for instance in program.entries.values()
    ]
    while todo:
        at, frames = todo.pop()
        instance = frames[-1][0]
        if (id(instance), at) in seen:
            continue
        seen.add((id(instance), at))
        for step in instance.steps:
            scope = (*at, *(part for part in step.scope if not is_number(part)))
            todo += [(scope, (*frames, (inner, step))) for inner in step.instances]
            if step.op.op == "linear":
                channels = _channels(step, frames)
                if channels is not None:
                    found[scope] = channels
    return found


def _channels(step: Step, frames: tuple[_Frame, ...]) -> int | None:
    """The channels that a linear map gets side by side with places; None for others."""
    features, joined = _behind(_first(step), frames)
    wanted = _size(step, "in_features")
    if not joined or features is None or wanted is None or features < 2:
        return None
    return features if wanted > features and wanted % features == 0 else None


def _behind(arg: Arg | None, frames: tuple[_Frame, ...]) -> tuple[int | None, bool]:
    """(features of the last layer before a value, True if axes were joined since)."""
    joined = False
    for _ in range(_MAX_STEPS):
        if arg is None or arg.source is None:
            break
        instance, caller = frames[-1]
        step = next((s for s in instance.steps if s.name == arg.source), None)
        if step is None:  # an input
            if caller is None:
                shape = instance.function.inputs[arg.source].shape or [None]
                last = shape[-1]
                return (last if isinstance(last, int) else None), joined
            given = (group.get(arg.source) for group in caller.groups.values())
            arg, frames = next((a for a in given if a is not None), None), frames[:-1]
        elif step.callees:
            inner = step.callees[0].instance
            name = step.outputs[arg.output] if arg.output < len(step.outputs) else ""
            arg, frames = inner.outputs.get(name), (*frames, (inner, step))
        else:
            features = _size(step, "out_features") or _size(step, "features")
            if features is not None:
                return features, joined
            joined = joined or step.op.op in _RESHAPES
            arg = _first(step)
    return None, joined


def _first(step: Step) -> Arg | None:
    """The first operand that is a value of the function."""
    return next((arg for arg in step.arguments() if arg.is_reference), None)


def _size(step: Step, name: str) -> int | None:
    value = getattr(step.op, name, None)
    return value if type(value) is int else None
