"""Functions of the user's code while they are traced: each call is marked where it begins
and ends, methods of modules among them."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any, TypeAlias

import jax

from ...trace import Path
from ..decided import flags, placed
from ..files import is_own
from ..internals import is_tracer
from ..marks import enter, leave
from ..unpacked import part_names
from .paths import path_of

Leaves: TypeAlias = Callable[[Any], Sequence[tuple[Path, Any]]]
"""The arrays in an object, by path."""

_SHORT = 80
"""The most letters that a library may say of a function, which its own page has."""
_SKIPPED = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def leaves_of(tree: Any) -> list[tuple[Path, Any]]:
    """The arrays of a pytree that are being traced, by path."""
    try:
        leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    except (TypeError, ValueError):
        return []
    return [(path_of(keys), leaf) for keys, leaf in leaves if is_tracer(leaf)]


@contextmanager
def marked_functions(
    root: CodeType | None = None,
    leaves: Leaves = leaves_of,
    also: frozenset[CodeType] = frozenset(),
) -> Iterator[None]:
    """Marks calls of functions of the model's own files, while it lasts.

    A function without arrays among its arguments is not marked, nor is `root`, the model
    itself.

    Args:
        leaves: the arrays of an argument, modules among them, by path.
        also: functions of libraries that are marked too.
    """
    open_frames: dict[FrameType, Sequence[Any]] = {}

    def hook(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            code = frame.f_code
            wanted = code in also or (is_own(code.co_filename) and code is not root)
            arrays = _enter(frame, leaves) if wanted and _is_function(code) else ()
            if arrays:
                open_frames[frame] = arrays
        elif event == "return" and frame in open_frames:
            leave(open_frames.pop(frame))

    before = sys.getprofile()
    sys.setprofile(hook)
    try:
        yield
    finally:
        sys.setprofile(before if callable(before) else None)


def _is_function(code: CodeType) -> bool:
    return not (code.co_name.startswith("<") or code.co_flags & _SKIPPED)


def _enter(frame: FrameType, leaves: Leaves) -> Sequence[Any]:
    """Marks that a call begins; what flows in, as far as it is traced."""
    code, given = frame.f_code, frame.f_locals
    count = code.co_argcount + code.co_kwonlyargcount
    names = [n for n in code.co_varnames[:count] if n in given]
    if code.co_name.startswith("__") and code.co_name != "__call__":
        return ()
    owner = given[names[0]] if names and _is_method(code, given[names[0]]) else None
    inside: list[tuple[Path, Any]] = []
    arguments: dict[str, Any] = {}
    said = part_names(code.co_name, code.co_filename, code.co_firstlineno)
    for name in names:
        value = given[name]
        if is_tracer(value):
            arguments[name] = value
            continue
        found = leaves(value)
        inside += found
        if value is not owner:
            for path, part in found:
                own = said.get(name + "".join(f"[{p!r}]" for p in path), "")
                free = own and own not in arguments and own not in names
                whole = "_".join(map(str, (name, *path)))
                arguments[own if free else whole] = part
    if not inside and not arguments:
        return ()
    name = code.co_name
    if name == "__call__":
        name = type(owner).__name__
    where = placed(code.co_filename, code.co_firstlineno)
    flags(name, {n: given[n] for n in names}, where)
    if owner is not None:
        flags(type(owner).__name__, getattr(owner, "__dict__", {}))
    name = name.strip("_") or "function"
    doc = _said(code) or (_said_of(type(owner)) if code.co_name == "__call__" else "")
    if is_own(code.co_filename):
        return enter(name, inside, arguments, doc)
    place = code.co_filename, code.co_name
    short = doc if len(doc) <= _SHORT else ""
    return enter(name, inside, arguments, short, codes=(place,))


@lru_cache(maxsize=4096)
def _said(code: CodeType) -> str:
    """The first paragraph of a function's docstring, on one line."""
    has = getattr(inspect, "CO_HAS_DOCSTRING", 0)  # from Python 3.13 on
    first = code.co_consts[0] if code.co_consts else None
    if not isinstance(first, str) or (has and not code.co_flags & has):
        return ""
    return _line(first)


def _said_of(cls: type) -> str:
    """The same of a class; a dataclass that says nothing has its signature there."""
    doc = cls.__dict__.get("__doc__") or ""
    return "" if doc.startswith(f"{cls.__name__}(") else _line(doc)


def _line(doc: str) -> str:
    """The first paragraph, without marks of reST around names."""
    text = " ".join(inspect.cleandoc(doc).partition("\n\n")[0].split())
    if text.startswith("**"):  # a title: what follows is not of the function as a whole
        return ""
    return re.sub(r":\w+:`~?([^`<>]+)`|``([^`]+)``", r"\1\2", text)[:400]


def _is_method(code: CodeType, first: Any) -> bool:
    """True for the function of a class of which the first argument is an instance."""
    owner = code.co_qualname.rpartition(".")[0].rpartition(".")[2]
    return owner in {cls.__name__ for cls in type(first).__mro__}
