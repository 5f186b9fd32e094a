"""The equations that outputs need; of loops and branches only what is used of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from .flatten import Flat, flatten
from .internals import Atom, JaxprEqn, Var, scan_counts
from .marks import mark_p


def live(flat: Flat) -> tuple[list[JaxprEqn], set[Var]]:
    """The equations that outputs need and the marks, and the variables that are used."""
    needed = variables(flat.outputs)
    kept = []
    for equation in reversed(flat.equations):
        if equation.primitive is mark_p:
            kept.append(equation)
        elif equation.effects or any(v in needed for v in equation.outvars):
            kept.append(equation)
            needed |= variables(inputs_of(equation, needed))
    return kept[::-1], needed


def variables(atoms: Collection[Atom]) -> set[Var]:
    return {v for v in atoms if isinstance(v, Var)}


def inputs_of(equation: JaxprEqn, needed: Collection[Var]) -> list[Atom]:
    """What an equation uses to give the variables that are needed."""
    find = _INPUTS.get(equation.primitive.name)
    if find is None:
        return list(equation.invars)
    wanted = {i for i, v in enumerate(equation.outvars) if v in needed}
    return [equation.invars[i] for i in sorted(find(equation.params, wanted))]


def is_lone(flat: Flat, variable: Var) -> bool:
    """True of a variable that nothing uses but one output."""
    users = (e for e in flat.equations if e.primitive is not mark_p)
    inner = any(variable in e.invars for e in users)
    return not inner and sum(v is variable for v in flat.outputs) == 1


def body_of(closed: Any) -> Flat:
    """The equations of a function that an equation runs."""
    return flatten(closed.jaxpr, closed.consts)


def only(flat: Flat, places: Collection[int]) -> Flat:
    """With these of its outputs alone."""
    outputs = [v for i, v in enumerate(flat.outputs) if i in places]
    return Flat(flat.equations, outputs, flat.known, flat.custom)


def uses(closed: Any, flat: Flat, places: Collection[int]) -> set[int]:
    """The places of the inputs that these outputs need."""
    _, needed = live(only(flat, places))
    return {i for i, v in enumerate(closed.jaxpr.invars) if v in needed}


def scanned(params: Mapping[str, Any], wanted: set[int]) -> tuple[set[int], set[int]]:
    """The outputs of a scan that are to be computed, and the inputs that these use: what
    a wanted one needs of the step before is wanted too."""
    closed, flat = params["jaxpr"], body_of(params["jaxpr"])
    first, count = scan_counts(params)
    outputs = set(wanted)
    while True:
        found = uses(closed, flat, outputs)
        carried = {i - first for i in found if first <= i < first + count}
        if carried <= outputs:
            return outputs, found | {i + first for i in outputs if i < count}
        outputs |= carried


def looped(params: Mapping[str, Any], wanted: set[int]) -> tuple[set[int], set[int]]:
    """The same of a while: its condition wants, too."""
    body, condition = params["body_jaxpr"], params["cond_jaxpr"]
    before, own = params["cond_nconsts"], params["body_nconsts"]
    flat = body_of(body)
    asked = uses(condition, body_of(condition), {0})
    outputs = set(wanted) | {i - before for i in asked if i >= before}
    while True:
        found = uses(body, flat, outputs)
        carried = {i - own for i in found if i >= own}
        if carried <= outputs:
            break
        outputs |= carried
    used = {i for i in asked if i < before} | {before + i for i in found if i < own}
    return outputs, used | {before + own + i for i in outputs}


def _scan(params: Mapping[str, Any], wanted: set[int]) -> set[int]:
    return scanned(params, wanted)[1]


def _while(params: Mapping[str, Any], wanted: set[int]) -> set[int]:
    return looped(params, wanted)[1]


def branched(params: Mapping[str, Any], wanted: set[int]) -> set[int]:
    """The inputs of a cond that wanted outputs need."""
    branches: Sequence[Any] = params["branches"]
    used = (uses(branch, body_of(branch), wanted) for branch in branches)
    return {0} | {i + 1 for found in used for i in found}


_INPUTS: Mapping[str, Callable[[Mapping[str, Any], set[int]], set[int]]] = {
    "scan": _scan,
    "while": _while,
    "cond": branched,
}
