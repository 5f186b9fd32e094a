"""Where a part of a model is: `encoder.layer`, one copy `h[3]`, a branch `pick.then`."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import NoReturn

from ..diagnostics import SpecError, listing, quote
from ..names import NAME
from .program import Called, Instance, Step

_PART = re.compile(rf"({NAME})(?:\[([0-9]{{1,6}})\])?")


Route = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A function as one call runs it, or a node as a whole.

    Args:
        instance: the function; where there is a `step`, that which the node is in.
        step: a node that is meant as a whole: all copies, all branches.
        prefix: where its arrays lie, numbers for copies in a list.
        index: the copies on leading axes of these arrays.
        route: the nodes that lead there, each with the number of its function and the
            copy.
    """

    instance: Instance
    step: Step | None
    prefix: tuple[str | int, ...]
    index: tuple[int, ...]
    route: Route = ()

    @property
    def path(self) -> str:
        return ".".join(map(str, self.prefix))


def place_of(entry: Instance, path: str, copy: int | None = None) -> Place:
    """The place that a path of nodes names.

    Args:
        entry: where the path begins.
        path: of nodes that run functions.
        copy: which copy is meant on the way where the path says none.

    Raises:
        SpecError: it names none.
    """
    parts = path.split(".") if path and isinstance(path, str) else []
    if not parts:
        _fault(path, "expected a path of nodes that run functions, such as h[0].attn")
    place = Place(entry, None, (), ())
    while parts:
        found = _PART.fullmatch(parts[0])
        if found is None:
            _fault(path, f"expected a node such as h or h[3], found {quote(parts[0])}")
        before = path[: len(path) - len(".".join(parts))]
        step = _step(path, before, place.instance, found[1])
        said = None if found[2] is None else int(found[2])
        parts = parts[1:]
        many = len(step.callees) > 1
        if not parts and (many or (said is None and _has_copies(step.callees[0]))):
            return Place(place.instance, step, place.prefix, place.index, place.route)
        called = step.callees[0]
        if many:
            called, parts = _branch(path, step, parts[0]), parts[1:]
        said = copy if said is None and _has_copies(called) else said
        place = _inside(path, place, step, called, said)
    return place


def _step(path: str, before: str, instance: Instance, name: str) -> Step:
    running = {step.name: step for step in instance.steps if step.callees}
    if name in running:
        return running[name]
    every = {step.name: step for step in instance.steps}
    near = difflib.get_close_matches(name, running, 1, 0.5)
    below = "" if name in every else _below(instance, name)
    meant = f"{before}{below}" if below else near[0] if near else ""
    what = f"{name}, which runs none" if name in every else quote(name)
    _fault(
        path,
        f"expected a node of {instance.name} that runs a function "
        f"({listing(running)}), found {what}",
        f"did you mean {meant}?" if meant and name not in every else "",
    )


def _below(instance: Instance, name: str) -> str:
    """The path of a node that runs functions, further down than it was looked for."""
    todo = [("", instance)]
    seen = {instance}
    for before, inside in todo:
        for step in inside.steps:
            if step.callees and step.name == name and before:
                return before + name
            for called in step.callees:
                copy = "[0]" if _has_copies(called) else ""
                role = f".{called.declared.role}" if len(step.callees) > 1 else ""
                if called.cycle and called.instance not in seen:
                    seen.add(called.instance)
                    path = f"{before}{step.name}{copy}{role}."
                    todo.append((path, called.instance))
    return ""


def _has_copies(called: Called) -> bool:
    return called.declared.layout != "one"


def _branch(path: str, step: Step, role: str) -> Called:
    roles = {str(called.declared.role): called for called in step.callees}
    if role not in roles:
        _fault(path, f"expected {listing(roles)} of {step.name}, found {quote(role)}")
    return roles[role]


def _inside(
    path: str, at: Place, step: Step, called: Called, copy: int | None
) -> Place:
    declared = called.declared
    role = () if declared.role is None else (declared.role,)
    prefix: tuple[str | int, ...] = (*at.prefix, *step.scope, *role)
    number = next(i for i, c in enumerate(step.callees) if c is called)
    route = (*at.route, (step.name, number, copy or 0))
    if not _has_copies(called):
        if copy is not None:
            _fault(
                path,
                f"expected no copy of {step.name}, found {copy}",
                "all of its runs share their arrays",
            )
        return Place(called.instance, None, prefix, at.index, route)
    count, name = declared.copies, step.name
    most = count if isinstance(count, int) else None
    if copy is None or (most is not None and copy >= most):
        found = name if copy is None else f"{name}[{copy}]"
        wanted = (
            f"such as {name}[0]" if most is None else f"{name}[0] to {name}[{most - 1}]"
        )
        text = f"expected a copy, {wanted}, found {found}"
        _fault(
            path, text if most != 0 else f"expected a copy of {name}, which has none"
        )
    if declared.layout == "listed":
        return Place(called.copy(copy), None, (*prefix, copy), at.index, route)
    if declared.layout == "shared":
        return Place(called.copy(copy), None, prefix, at.index, route)
    return Place(called.instance, None, prefix, (*at.index, copy), route)


def _fault(path: str, message: str, hint: str = "") -> NoReturn:
    raise SpecError.one("part", quote(path), message, hint)


def entry_of(entries: dict[str, Instance], name: str | None) -> Instance:
    """An entry by name, by default the first.

    Raises:
        SpecError: there is none of that name.
    """
    if name is None:
        return next(iter(entries.values()))
    if name not in entries:
        raise SpecError.one(
            "entry",
            quote(name),
            f"expected an entry ({listing(entries)}), found {quote(name)}",
        )
    return entries[name]
