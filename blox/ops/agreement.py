"""The names that a spec class and a function of our own have in common."""

from __future__ import annotations

import inspect
from inspect import Parameter
from typing import Any

from blox.schema.op import Op

from .symbolic import sizing, symbolic


def disagreements(cls: type[Op], function: Any) -> list[str]:
    """Where a function does not take what its class says, a line each.

    It takes the operands in the order of the class, the slots by name and, as keywords,
    the attributes, less those that are only the sizes of its parameters.
    """
    fields = cls.fields()
    taken = inspect.signature(function).parameters
    positional = [n for n, p in taken.items() if p.kind is not Parameter.KEYWORD_ONLY]
    keywords = [n for n, p in taken.items() if p.kind is Parameter.KEYWORD_ONLY]
    leaf = ["value"] if "" in symbolic(cls).parameters() else []
    wanted = [*fields.operands, *fields.slots, *leaf]
    faults = []
    if positional != wanted:
        faults.append(
            f"the class has operands and slots {wanted}, of the types in "
            f"blox.schema.fields; the function takes {positional} by position"
        )
    given = {*fields.attributes, "train", "axis_name", *_state(cls)}
    if unknown := [n for n in keywords if n not in given]:
        faults.append(f"the class has no attributes {unknown}")
    idle = sizing(cls) | fields.timing
    if unused := [a for a in fields.attributes if a not in keywords and a not in idle]:
        faults.append(f"the function takes no {unused}")
    if cls.TRAIN and "train" not in keywords:
        faults.append("the function takes no train")
    return faults + default_faults(cls, {n: taken[n] for n in keywords})


def default_faults(cls: type[Op], taken: dict[str, Parameter]) -> list[str]:
    """Defaults that differ: attributes equal to the default are left out in code."""
    faults = []
    for name in cls.fields().attributes:
        if name not in taken or taken[name].default is Parameter.empty:
            continue
        field, found = cls.model_fields[name], taken[name].default
        wanted = field.get_default(call_default_factory=True)
        if not field.is_required() and not _same(wanted, found):
            faults.append(
                f"{name} is {wanted!r} in the class, {found!r} in the function"
            )
    return faults


_UNSAID = (False, "backward")
"""What None means to functions of JAX: `keepdims` of `jnp.argmax`, `norm` of `jnp.fft`."""


def _same(wanted: Any, found: Any) -> bool:
    wanted = tuple(wanted) if isinstance(wanted, list) else wanted
    if found is None and wanted in _UNSAID:
        return True
    return type(wanted == found) is bool and bool(wanted == found)


def _state(cls: type[Op]) -> set[str]:
    if not cls.STATEFUL:
        return set()
    return set(symbolic(cls).parameters())
