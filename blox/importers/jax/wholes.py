"""Functions of JAX that are an op as a whole: they are one equation in a trace, and the op's
own trace is that equation.

That keeps what a formula of small ops would lose: derivatives of their own, as those of
`jnp.linalg.solve` and `xlogy`, and the name. The name only says where to look: what counts
is that all equations are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax

from blox.ops.library import op_function
from blox.schema.registry import definition

from .alike import Alike
from .internals import Atom, JaxprEqn, Literal, Var, new_equation, written_at
from .marks import Layer, layer_p
from .spelling import ELEMENTWISE, LAYOUT

FAMILIES = (
    "arithmetic",
    "bins",
    "elementary",
    "gamma",
    "linalg",
    "sequences",
    "special",
    "statistics",
)
"""Those of ops that JAX has as functions."""
_CALLS = ("jit", "pjit", "custom_jvp_call")


def whole(
    equation: JaxprEqn, given: Sequence[Atom], known: Mapping[Var, Any]
) -> JaxprEqn | None:
    """The equation as an op, None where it is none.

    Args:
        equation: of a function that is jitted, or has derivatives of its own.
        given: what flows into it.

    What goes element by element is left to `patterns/elements.py`: a longer formula may
    have it, such as `jnp.var` a `jnp.where`.
    """
    if all(map(_by_elements, equation.params.values())):
        return None
    for name in _names(equation):
        found = definition(name)
        if found is None or found.home not in FAMILIES:
            continue
        fields = found.op_class.fields()
        options = found.op_class.model_fields
        if any(options[a].is_required() for a in fields.attributes):
            continue
        if any(o.kind != "tensor" for o in fields.operands.values()):
            continue
        names = tuple(n for n, o in fields.operands.items() if not o.optional)
        attributes = {a: options[a].default for a in fields.attributes}
        if (
            made := _proved(equation, given, known, name, names, attributes)
        ) is not None:
            return made
    return None


def _proved(
    equation: JaxprEqn,
    given: Sequence[Atom],
    known: Mapping[Var, Any],
    name: str,
    names: tuple[str, ...],
    attributes: Mapping[str, Any],
) -> JaxprEqn | None:
    """The equation as this op, if the op's own trace is that equation."""
    flowing = [*range(len(given))]
    if len(given) != len(names):  # captured constants may flow in before the operands
        flowing = [i for i in flowing if _constant(given[i], known) is None]
    if len(flowing) != len(names):
        return None
    function = op_function(name)
    options = {a: v for a, v in attributes.items() if a in function.attributes}

    def run(*arrays: Any) -> Any:
        return function.call(*arrays, **options)

    avals: list[Any] = [equation.invars[i].aval for i in flowing]
    shapes = [
        jax.ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type) for a in avals
    ]
    try:
        closed = jax.make_jaxpr(run)(*shapes)
    except Exception:  # whatever an op says of arrays that it doesn't take
        return None
    own = closed.jaxpr.eqns
    if len(own) != 1 or closed.jaxpr.outvars != own[0].outvars:
        return None
    constants = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
    alike = Alike()
    places: dict[Var, int] = {}
    for i, (ours, theirs) in enumerate(
        zip(own[0].invars, equation.invars, strict=False)
    ):
        if isinstance(ours, Literal):
            continue
        if ours not in constants:
            places[ours] = i
        elif not alike.values(constants[ours], _constant(given[i], known)):
            return None
        alike.same[ours] = theirs
    if not alike.equations(own[0], equation):
        return None
    operands = [given[places[v]] for v in closed.jaxpr.invars]
    cls = definition(name).op_class  # type: ignore[union-attr]
    said = {a: v for a, v in attributes.items() if v != cls.model_fields[a].default}
    static = Layer(name, said, names, (), run)
    return new_equation(operands, list(equation.outvars), layer_p, {"layer": static})


def _by_elements(value: Any) -> bool:
    """True for a function of equations that go element by element, and for what is none."""
    inner = getattr(value, "jaxpr", value)
    return all(
        e.primitive.name in ELEMENTWISE | LAYOUT
        or (e.primitive.name in _CALLS and all(map(_by_elements, e.params.values())))
        for e in getattr(inner, "eqns", ())
    )


def _constant(atom: Atom, known: Mapping[Var, Any]) -> Any:
    """A captured constant, None for what is none."""
    return None if isinstance(atom, Literal) else known.get(atom)


def _names(equation: JaxprEqn) -> list[str]:
    """What the function is called, as an equation and in its code."""
    names = [equation.params.get("name")]
    for value in equation.params.values():
        inner = getattr(value, "jaxpr", value)
        if hasattr(inner, "eqns"):
            names.append(written_at(inner).split(" ")[0].strip("_"))
    return [n for n in dict.fromkeys(names) if isinstance(n, str) and n]
