"""Where the user's code wrote an equation, and the name that it assigns there."""

from __future__ import annotations

import ast
import re
import sysconfig
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

import jax

from ..trace import Line
from .internals import JaxprEqn, user_frames

_ACTIVATIONS = str(Path(jax.__file__).parent / "_src" / "nn")
_HERE = str(Path(__file__).parents[1])
_LIBRARIES = tuple({sysconfig.get_paths()[k] for k in ("purelib", "platlib", "stdlib")})


def line_of(equation: JaxprEqn, codes: Collection[tuple[str, str]] = ()) -> Line | None:
    """The innermost statement of the user's own files that an equation comes from.

    Args:
        codes: functions of libraries that count as the user's, by file and name.
    """
    for file, number, function in user_frames(equation):
        place = file, function.rpartition(".")[2]
        if is_library(file) and place not in codes:
            continue
        start, target = _statements(file).get(number, (number, ""))
        return Line(file, start, target)
    return None


def call_of(equation: JaxprEqn, name: str) -> Line | None:
    """The statement of the user's own files that calls a function.

    Args:
        equation: a mark where the function begins.
        name: of the function; `Block` of a method `__call__`.
    """
    own = [f for f in user_frames(equation) if not is_library(f[0])]
    if own and own[0][2].rpartition(".")[2].strip("_") in (name, "call"):
        own = own[1:]
    if not own:
        return None
    file, number, _ = own[0]
    return Line(file, *_statements(file).get(number, (number, "")))


def is_library(file: str) -> bool:
    """True for a file that is not the user's own."""
    return file.startswith((_HERE, *_LIBRARIES)) or "site-packages" in file


def parsed(file: str) -> ast.Module | None:
    """The syntax tree of a file; None where there is none."""
    try:
        return ast.parse(Path(file).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return None


@lru_cache(maxsize=256)
def _statements(file: str) -> dict[int, tuple[int, str]]:
    """By line: the line on which its statement begins, and the name that it assigns."""
    tree = parsed(file)
    found: dict[int, tuple[int, str]] = {}
    for node in ast.walk(tree) if tree else ():
        target = ""
        match node:
            case ast.Assign(value=ast.Lambda()):
                pass
            case ast.Assign(targets=[ast.Name(id=name)]):
                target = name
            case ast.Assign(targets=[ast.Tuple(elts=parts)]):
                names = [part.id for part in parts if isinstance(part, ast.Name)]
                target = ", ".join(names) if len(names) == len(parts) else ""
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
                target = name
            case ast.AugAssign(target=ast.Name(id=name)):
                target = name
            case ast.Assign() | ast.Return():
                pass
            case _:
                continue
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
            found[line] = node.lineno, target
    return found


def is_activation(place: str) -> bool:
    """True of `relu at .../jax/_src/nn/functions.py:71`: a function of `jax.nn`."""
    return f" at {_ACTIVATIONS}" in place


def without_folder(place: str) -> str:
    """`relu at nets.py:71` of one with its folders, which are a machine's own."""
    name, at, file = place.partition(" at ")
    return name + at + re.split(r"[/\\]", file)[-1]
