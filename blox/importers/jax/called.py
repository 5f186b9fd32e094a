"""The functions of a model that its equations tell of, and where each begins and ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import blox as bx
from blox.schema.diagnostics import quote

from ..array_names import name_of as dotted
from ..regions import is_under, snake
from ..trace import Path
from .internals import JaxprEqn, Var
from .marks import mark_p

SHOWN = 12
"""Names that an error lists."""


@dataclass(frozen=True)
class _Marked:
    """A function of the source in a list of equations.

    Args:
        scope: the path of its module.
        start: the place of the mark where it begins.
        end: the place where it ends.
        outer: the places of the marks around it.
    """

    name: str
    scope: Path | None
    start: int
    end: int
    outer: tuple[int, ...]


def range_of(
    equations: Sequence[JaxprEqn],
    arrays: Mapping[Var, Path],
    wanted: str,
) -> tuple[int, int, Path]:
    """The places of the first and the last equation of a part, and the path of its module.

    Args:
        equations: those that outputs need, with all marks.
        arrays: the paths of the source's arrays.

    Raises:
        SpecError: there is no such function or module.
    """
    marked = list(_marked(equations, arrays))
    named = [m for m in marked if wanted in (m.name, snake(m.name))]
    own = [m for m in marked if m.scope and dotted(m.scope) == wanted]
    below = [m for m in marked if m.scope and is_under(m.scope, _path(m.scope, wanted))]
    for found in (own, below):
        if found:
            outer = min((m.outer for m in found), key=len)
            every = [m for m in found if m.outer == outer]
            every = every if found is below else every[:1]
            scope = every[0].scope if found is own else None
            return every[0].start, every[-1].end, scope or ()
    if named:
        return named[0].start, named[0].end, named[0].scope or ()
    names = [*dict.fromkeys(snake(m.name) for m in marked)]
    names += [*dict.fromkeys(dotted(m.scope) for m in marked if m.scope)]
    if wanted in _inner(equations):
        raise fault(
            wanted, "is called in a loop or branch", "name a function around it"
        )
    near = get_close_matches(wanted, names, 1)
    listed = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
    raise fault(
        wanted,
        "is none" if names else "is none: the model calls no function of its own",
        f"did you mean {near[0]}?" if near else f"it has {listed}" if names else "",
    )


def _path(scope: Path, wanted: str) -> Path:
    """The beginning of a path that has this name; a path that nothing is under otherwise."""
    for count in range(1, len(scope)):
        if dotted(scope[:count]) == wanted:
            return scope[:count]
    return (*scope, "")


def fault(wanted: str, found: str, hint: str) -> bx.SpecError:
    """The error of a part that is none."""
    return bx.SpecError.one(
        "import-part",
        quote(wanted),
        f"expected a function or the path of a module in the model, found that it {found}",
        hint,
    )


def _marked(
    equations: Sequence[JaxprEqn], arrays: Mapping[Var, Path]
) -> Iterator[_Marked]:
    """The functions that marks tell of, in the order in which they begin."""
    ends: dict[int, int] = {}
    outer: dict[int, tuple[int, ...]] = {}
    open_: list[int] = []
    for place, equation in enumerate(equations):
        if equation.primitive is not mark_p:
            continue
        if equation.params["mark"] == "enter":
            outer[place] = tuple(open_)
            open_.append(place)
        else:
            ends[open_.pop()] = place
    for place in outer:
        name = equations[place].params["name"]
        inside = equations[place : ends[place]]
        if name != "remat" and any(e.primitive is not mark_p for e in inside):
            scope = _scope(equations[place], arrays)
            yield _Marked(name, scope, place, ends[place], outer[place])


def _scope(mark: JaxprEqn, arrays: Mapping[Var, Path]) -> Path | None:
    for own, atom in zip(mark.params["paths"], mark.invars, strict=False):
        path = arrays.get(atom) if isinstance(atom, Var) else None
        if path is not None and path[len(path) - len(own) :] == tuple(own):
            return path[: len(path) - len(own)]
    return None


def _inner(equations: Sequence[JaxprEqn]) -> set[str]:
    """The names of functions in loops and branches."""
    found: set[str] = set()
    for equation in equations:
        for value in equation.params.values():
            several = value if isinstance(value, (tuple, list)) else (value,)
            for jaxpr in (getattr(v, "jaxpr", None) for v in several):
                for inner in getattr(jaxpr, "eqns", ()):
                    if inner.primitive is mark_p:
                        found |= {inner.params["name"], snake(inner.params["name"])}
                    found |= _inner([inner])
    return found
