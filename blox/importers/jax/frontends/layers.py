"""Known layers of any library: an op of blox in place of a call, with the layer's arrays."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from blox.ops.library import argument, op_function
from blox.schema import op_class

from ...trace import Path
from ..marks import enter, layer, leave

Convert: TypeAlias = Callable[..., Any]
"""Writes a layer as ops: it is given what the layer's call is, `(module, x, ...)`, and gives
what that gives; `NotImplemented` where no op says the same."""

_CLASSES: list[str] = []
"""The layers that are being converted, the innermost last."""


def op(
    name: str,
    attributes: Mapping[str, Any],
    operands: Mapping[str, Any],
    slots: Mapping[str, Any] | None = None,
) -> Any:
    """An op in the trace; its first output, or a tuple of them.

    Args:
        name: of the op.
        attributes: as a Graph has them; `use_bias` and the like are found here.
        operands: arrays by field; None is left out.
        slots: parameters by name, as blox lays them out; None is one that is not used.
    """
    kept = {slot: array for slot, array in (slots or {}).items() if array is not None}
    cls = op_class(name)
    assert cls is not None
    chosen = [f.removeprefix("use_") for f in cls.model_fields if f.startswith("use_")]
    uses = {f"use_{slot}": slot in kept for slot in chosen}
    given = {**uses, **attributes}
    function = op_function(name)
    defaults = {
        n: field.get_default(call_default_factory=True)
        for n, field in cls.model_fields.items()
        if not field.is_required()
    }
    taken = {n: argument({**defaults, **given}[n]) for n in function.attributes}
    if cls.TRAIN or cls.STATEFUL:
        taken["train"] = False

    def run(**arrays: Any) -> Any:
        found = function.call(**arrays, **taken)
        return found[0] if cls.STATEFUL else found

    of = _CLASSES[-1] if _CLASSES else ""
    return layer(name, run, given, operands, kept, of=of)


def assigned(to: Any, x: Any) -> Any:
    """`x` as the next value of an array of the model, in training; what it is, else."""

    def run(to: Any, x: Any) -> Any:
        if to.shape != x.shape:
            raise ValueError(f"expected the shape of the state, {to.shape}")
        return to

    of = _CLASSES[-1] if _CLASSES else ""
    operands = {"to": to, "x": x.astype(to.dtype)}
    return layer("assign", run, {"training": True}, operands, {}, of=of)


@contextmanager
def region(
    name: str,
    leaves: Sequence[tuple[Path, Any]],
    arguments: Mapping[str, Any],
    within: Sequence[Callable[..., Any]] = (),
) -> Iterator[None]:
    """What is traced inside is a function of the Graph.

    Args:
        leaves: the arrays of the module, by path in it.
        arguments: what it is given, by name.
        within: functions of libraries whose statements name what they assign.
    """
    codes = [inspect.unwrap(function).__code__ for function in within]
    places = tuple((code.co_filename, code.co_name) for code in codes)
    arrays = enter(name, leaves, arguments, codes=places)
    try:
        yield
    finally:
        leave(arrays)


@contextmanager
def replaced(
    table: Mapping[type | tuple[type, str], Convert],
    without: frozenset[str] = frozenset(),
) -> Iterator[None]:
    """Calls of layers are ops, while it lasts.

    Args:
        table: what converts a layer, by its class, or that and another method.
        without: names of classes that are left as they are.
    """
    saved: list[tuple[type, str, Any]] = []
    try:
        for key, convert in table.items():
            cls, method = (key, "__call__") if isinstance(key, type) else key
            if cls.__name__ in without:
                continue
            saved.append((cls, method, cls.__dict__.get(method)))
            type.__setattr__(cls, method, _converted(getattr(cls, method), convert))
        yield
    finally:
        for cls, method, before in reversed(saved):
            if before is None:
                type.__delattr__(cls, method)
            else:
                type.__setattr__(cls, method, before)


def _converted(before: Callable[..., Any], convert: Convert) -> Callable[..., Any]:
    @functools.wraps(before)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        found = converted(convert, *by_place(before, self, *args, **kwargs))
        return before(self, *args, **kwargs) if found is NotImplemented else found

    return call


def converted(
    convert: Convert, placed: tuple[Any, ...], named: Mapping[str, Any]
) -> Any:
    """A layer, the first of the arguments, as ops that know its class."""
    _CLASSES.append(type(placed[0]).__name__)
    try:
        return convert(*placed, **named)
    finally:
        _CLASSES.pop()


def by_place(
    function: Callable[..., Any], *args: Any, **kwargs: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments as a function takes them: by place what it takes so, others by name."""
    if not kwargs:
        return args, kwargs
    bound = inspect.signature(function).bind(*args, **kwargs)
    return bound.args, bound.kwargs
