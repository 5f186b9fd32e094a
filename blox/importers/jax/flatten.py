"""A jaxpr as one list of equations: what only wraps others is taken apart, what nothing
uses is dropped, and what is known is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jax.extend.core import primitives

from .internals import (
    Atom,
    Jaxpr,
    JaxprEqn,
    Literal,
    Var,
    dtype_of,
    new_equation,
    new_variable,
    shaped_array,
    source_of,
    user_frames,
)
from .marks import mark_p
from .wholes import whole

INNER: Mapping[str, str] = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "call": "call_jaxpr",
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


POLICIES = (
    "nothing_saveable",
    "everything_saveable",
    "dots_saveable",
    "dots_with_no_batch_dims_saveable",
)
"""The policies of `jax.checkpoint` that a Graph has names for."""


@dataclass(eq=False)
class Flat:
    """Equations in order; each variable is given once.

    Args:
        known: arrays by variable, of what is captured.
        custom: the functions with derivatives of their own, as "name at file:line", by
            what they give.
        passed: those of them that give what they are given.
    """

    equations: list[JaxprEqn]
    outputs: list[Atom]
    known: dict[Var, Any] = field(default_factory=dict)
    custom: dict[Var, str] = field(default_factory=dict)
    passed: list[str] = field(default_factory=list)


def flatten(jaxpr: Jaxpr, constants: Sequence[Any] = ()) -> Flat:
    """The equations of a jaxpr, and of all that it calls, as one list."""
    flattening = _Flattening()
    for variable, constant in zip(jaxpr.constvars, constants, strict=True):
        flattening.known[variable] = constant
    equations = list(flattening.run(jaxpr, lambda v: v))
    outputs = [flattening.resolved(v) for v in jaxpr.outvars]
    known, custom, passed = flattening.known, flattening.custom, flattening.passed
    return Flat(equations, outputs, known, custom, passed)


class _Flattening:
    def __init__(self) -> None:
        self.same: dict[Var, Atom] = {}
        self.known: dict[Var, Any] = {}
        self.custom: dict[Var, str] = {}
        self.passed: list[str] = []

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
                yield from turned_first(equation.replace(invars=given, outvars=made))
                continue
            if (op := whole(equation, given, self.known)) is not None:
                yield op.replace(outvars=made, source_info=equation.source_info)
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
                yield _mark("enter", "remat", _policy(equation.params["policy"]))
            for part in self.run(inner, fresh):
                yield _where(part, equation)
            if remat:
                yield _mark("exit", "")
            for variable, atom in zip(made, inner.outvars, strict=True):
                found = self.resolved(fresh(atom))
                self.same[variable] = found
                if name in CUSTOM and isinstance(found, Var):
                    self._customised(found, given, source_of(inner))

    def _customised(self, made: Var, given: Sequence[Atom], name: str) -> None:
        if any(made is atom for atom in given):
            self.passed.append(name)
        else:
            self.custom.setdefault(made, name)


def _where(inner: JaxprEqn, call: JaxprEqn) -> JaxprEqn:
    """An equation of a function under `jax.jit` with the line that called the function,
    where that is no function of the user's: JAX keeps its trace, and the line of an
    earlier call."""
    name = call.params.get("name")
    if any(function == name for _, _, function in user_frames(inner)):
        return inner
    moved: JaxprEqn = inner.replace(source_info=call.source_info)
    return moved


def turned_first(equation: JaxprEqn) -> list[JaxprEqn]:
    """A reshape that takes axes in another order as a transpose and a plain reshape;
    any other equation as it is."""
    order = equation.params.get("dimensions")
    if equation.primitive.name != "reshape" or order is None:
        return [equation]
    (x,) = equation.invars
    aval: Any = x.aval
    permutation = tuple(int(i) for i in order)
    shape = tuple(aval.shape[i] for i in permutation)
    turned = new_variable(shaped_array(shape, aval.dtype))
    params = {"permutation": permutation}
    first = new_equation([x], [turned], primitives.transpose_p, params)
    plain = {**equation.params, "dimensions": None}
    return [first, equation.replace(invars=[turned], params=plain)]


def _mark(kind: str, name: str, remat: str = "") -> JaxprEqn:
    params = {"mark": kind, "name": name, "paths": (), "arguments": (), "remat": remat}
    return new_equation([], [], mark_p, params)


def _policy(policy: Any) -> str:
    """The name of a policy; plain checkpointing for one that a Graph can't name: it says
    what is kept in memory, not what is computed."""
    found = (n for n in POLICIES if getattr(jax.checkpoint_policies, n) == policy)
    return next(found, "nothing_saveable")


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


def value_of(literal: Literal) -> Any:
    return np.asarray(literal.val, dtype=dtype_of(literal))
