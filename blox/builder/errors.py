"""Errors of the builder at the user's own lines."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, TypeVar

from blox.schema import SpecError
from blox.schema.diagnostics import BloxError, Diagnostic

from .function import FunctionBuilder
from .trace import Trace
from .values import Value

P = ParamSpec("P")
R = TypeVar("R")
B = TypeVar("B", bound=BloxError)
_HERE = str(Path(__file__).parents[1])
_FOREIGN = f"{Value.__module__}.{Value.__qualname__}"
_ELSEWHERE: Mapping[str, str] = {
    "bias": "use_bias", "channels": "out_features", "dim": "axis", "end": "stop",
    "epsilon": "eps", "features": "out_features", "filters": "out_features",
    "keepdim": "keepdims", "p": "rate",
}  # fmt: skip
"""What arguments that other libraries have are called here."""
_CALL = re.compile(r"\w+Methods\.(?P<name>\w+)\(\) (?P<fault>.*)")
"""What Python says of a wrong call of a method."""


def at_users_line(function: Callable[P, R]) -> Callable[P, R]:
    """A public function of the builder, whose errors show the user's own frames only.

    A bare `raise` adds no frame to a traceback, so not even this one stands in it. What
    is no error of the builder passes as it is.
    """

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (BloxError, TypeError, AttributeError) as error:
            if isinstance(error, TypeError) and _of_arrays(error):
                raise _no_array().with_traceback(_users(error)) from None
            if isinstance(error, BloxError) or _is_of_name(error) or _explained(error):
                error.__traceback__ = _users(error)
                error.__suppress_context__ = True
            raise

    return called


def _frames(error: Exception) -> Iterator[TracebackType]:
    """The frames of a traceback, the outermost first."""
    at = error.__traceback__
    while at is not None:
        yield at
        at = at.tb_next


def _is_ours(at: TracebackType) -> bool:
    return at.tb_frame.f_code.co_filename.startswith(_HERE)


def _users(error: Exception) -> TracebackType | None:
    """The traceback of an error without the frames of blox."""
    made: TracebackType | None = None
    for at in reversed([at for at in _frames(error) if not _is_ours(at)]):
        made = TracebackType(made, at.tb_frame, at.tb_lasti, at.tb_lineno)
    return made


def _is_of_name(error: Exception) -> bool:
    """True where the builder says that nothing has this name."""
    *_, last = _frames(error)
    return _is_ours(last) and last.tb_frame.f_code.co_name == "__getattr__"


def _of_arrays(error: TypeError) -> bool:
    """True where NumPy, or a function of JAX with rules of its own, has met a Value."""
    text = str(error)
    return _FOREIGN in text or text.startswith(
        "operand 'Value' does not support ufuncs"
    )


def _no_array() -> SpecError:
    return SpecError.one(
        "builder-value",
        "",
        "expected an op, found a function of arrays on a value, which has no numbers yet",
        "use the op of that name: f.relu(x) for jax.nn.relu(x), f.exp(x) for np.exp(x)",
    )


def _explained(error: Exception) -> bool:
    """Lets the error of a wrong call of a method of `f` say how that is called.

    False for any other.
    """
    found = _CALL.match(str(error)) if isinstance(error, TypeError) else None
    method = getattr(FunctionBuilder, found["name"], None) if found else None
    if found is None or method is None:
        return False
    signature = inspect.signature(method)
    _, *parameters = signature.parameters.values()
    plain = [p.replace(annotation=p.empty) for p in parameters]
    call = signature.replace(parameters=plain, return_annotation=signature.empty)
    last = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD][-1:]
    hint = ""
    if strange := re.search(r"unexpected keyword argument '(\w+)'", found["fault"]):
        names = [p.name for p in parameters]
        near = [n for n in names if n == _ELSEWHERE.get(strange[1])]
        near = near or difflib.get_close_matches(strange[1], names, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
    elif "positional arguments but" in found["fault"] and last:
        hint = f"; what stands behind {last[0]} goes by keyword"
    error.args = (f"f.{found['name']}{call}: {found['fault']}{hint}",)
    return True


def with_lines(error: B, entries: Sequence[Trace]) -> B:
    """The error with the line at which each node was written, where it names one."""
    found = [
        replace(d, message=f"{d.message} (written at {line})") if line else d
        for d in error.diagnostics
        for line in [_line(d, entries)]
    ]
    return type(error)(found) if found != list(error.diagnostics) else error


def _line(found: Diagnostic, entries: Sequence[Trace]) -> str:
    names = found.path.split(".")
    trace = next((t for t in entries if t.name == names[0]), None)
    line = ""
    for name in names[1:]:
        node = trace.nodes.get(name) if trace is not None else None
        if node is None:
            continue
        line = node.line
        callees = [t for traces in node.callees.values() for t in traces]
        trace = callees[-1] if callees else None
    return line
