"""A jaxpr as one list of equations: what only wraps others is taken apart, what nothing
uses is dropped, and what is known is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .internals import (
    Atom,
    Jaxpr,
    JaxprEqn,
    Literal,
    Var,
    dtype_of,
    new_equation,
    new_variable,
    user_frames,
)
from .marks import mark_p

INNER: Mapping[str, str] = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "composite": "jaxpr",
    "core_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr",
    "custom_lin": "call_jaxpr",
    "remat": "jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
}
"""Equations that are others, and the parameter that has them."""
REMAT = ("remat", "remat2", "checkpoint")
CUSTOM = ("custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr")


@dataclass(eq=False)
class Flat:
    """Equations in order; each variable is given once.

    Args:
        known: arrays by variable, of what is captured.
        custom: names of the functions with derivatives of their own, by the equation
            that gives their outputs first.
    """

    equations: list[JaxprEqn]
    outputs: list[Atom]
    known: dict[Var, Any] = field(default_factory=dict)
    custom: dict[Var, str] = field(default_factory=dict)


def flatten(jaxpr: Jaxpr, constants: Sequence[Any] = ()) -> Flat:
    """The equations of a jaxpr, and of all that it calls, as one list."""
    flattening = _Flattening()
    for variable, constant in zip(jaxpr.constvars, constants, strict=True):
        flattening.known[variable] = constant
    equations = list(flattening.run(jaxpr, lambda v: v))
    outputs = [flattening.resolved(v) for v in jaxpr.outvars]
    return Flat(equations, outputs, flattening.known, flattening.custom)


class _Flattening:
    def __init__(self) -> None:
        self.same: dict[Var, Atom] = {}
        self.known: dict[Var, Any] = {}
        self.custom: dict[Var, str] = {}

    def resolved(self, atom: Atom) -> Atom:
        while not isinstance(atom, Literal) and atom in self.same:
            atom = self.same[atom]
        return atom

    def run(self, jaxpr: Jaxpr, own: Callable[[Atom], Atom]) -> Iterator[JaxprEqn]:
        for equation in jaxpr.eqns:
            given = [self.resolved(own(v)) for v in equation.invars]
            made: list[Any] = [own(v) for v in equation.outvars]
            name = equation.primitive.name
            if name not in INNER:
                yield equation.replace(invars=given, outvars=made)
                continue
            inner = equation.params[INNER[name]]
            constants = getattr(inner, "consts", ())
            inner = getattr(inner, "jaxpr", inner)
            fresh = _fresh()
            for variable, atom in zip(inner.invars, given, strict=True):
                self.same[fresh(variable)] = atom
            for variable, constant in zip(inner.constvars, constants, strict=True):
                self.known[fresh(variable)] = constant
            remat = name in REMAT
            if remat:
                yield _mark("enter", "remat")
            for part in self.run(inner, fresh):
                yield _where(part, equation)
            if remat:
                yield _mark("exit", "")
            for variable, atom in zip(made, inner.outvars, strict=True):
                found = self.resolved(fresh(atom))
                self.same[variable] = found
                if name in CUSTOM and isinstance(found, Var):
                    self.custom.setdefault(found, _custom_name(equation))


def _where(inner: JaxprEqn, call: JaxprEqn) -> JaxprEqn:
    """An equation of a function under `jax.jit` with the line that called the function,
    where that is no function of the user's: JAX keeps its trace, and the line of an
    earlier call."""
    name = call.params.get("name")
    if any(function == name for _, _, function in user_frames(inner)):
        return inner
    moved: JaxprEqn = inner.replace(source_info=call.source_info)
    return moved


def _mark(kind: str, name: str) -> JaxprEqn:
    params = {"mark": kind, "name": name, "paths": (), "arguments": ()}
    return new_equation([], [], mark_p, params)


def _custom_name(equation: JaxprEqn) -> str:
    name = equation.params.get("name")
    if isinstance(name, str):
        return name
    inner = equation.params[INNER[equation.primitive.name]]
    first = getattr(inner, "jaxpr", inner).eqns[:1]
    return str(first[0].params.get("name", "?")) if first else "?"


def _fresh() -> Callable[[Any], Any]:
    """Variables of a jaxpr that may be run more than once, by new ones."""
    made: dict[Var, Var] = {}

    def own(atom: Any) -> Any:
        if isinstance(atom, Literal):
            return atom
        if atom not in made:
            made[atom] = new_variable(atom.aval)
        return made[atom]

    return own


def live(flat: Flat) -> list[JaxprEqn]:
    """The equations that outputs need, and the marks."""
    needed = {v for v in flat.outputs if isinstance(v, Var)}
    kept = []
    for equation in reversed(flat.equations):
        if equation.primitive is mark_p:
            kept.append(equation)
        elif equation.effects or any(v in needed for v in equation.outvars):
            kept.append(equation)
            needed |= {v for v in equation.invars if isinstance(v, Var)}
    return kept[::-1]


def value_of(literal: Literal) -> Any:
    return np.asarray(literal.val, dtype=dtype_of(literal))
