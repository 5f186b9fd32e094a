"""A part of a model: what one of its functions or modules computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import blox as bx
from blox.schema import op_class
from blox.schema.names import name_of

from ..naming import argument_name
from ..regions import fresh, identifier, snake
from ..trace import Value
from .called import fault, range_of
from .flatten import Flat, flatten
from .internals import Atom, JaxprEqn, Literal, Var, evaluated, plain_size
from .lines import line_of
from .liveness import inputs_of, live, variables
from .marks import layer_p, mark_p
from .trace import Traced


def part_of(traced: Traced, wanted: str) -> Traced:
    """What one function or module of a model computes, with what it is called with as
    inputs.

    Args:
        wanted: the name of a function, of which the first call is meant, or the path of a
            module, or one below which modules lie: `encoder.blocks`.

    Raises:
        SpecError: the model has no such function, or calls it in a loop or branch alone.
    """
    closed = traced.closed
    flat = flatten(closed.jaxpr, closed.consts)
    equations, _ = live(flat)
    arrays = dict(zip(closed.jaxpr.invars, traced.arrays, strict=False))
    start, end, scope = range_of(equations, arrays, wanted)
    inside = equations[start : end + 1]
    after = [e for e in equations[end + 1 :] if e.primitive is not mark_p]
    used = variables([*flat.outputs, *(a for e in after for a in e.invars)])
    outputs = [v for e in inside for v in e.outvars if v in used]
    if not outputs:
        raise fault(wanted, "computes what nothing uses", "name the function around it")
    cut = Flat(inside, list(outputs), flat.known, flat.custom)
    whole = _with_constants(cut, equations[:start], [*arrays], flat)
    inputs = _inputs(whole, [*arrays], equations[start])
    values = _values(inputs)
    names = {"out": outputs[0]} if len(outputs) == 1 else _output_names(inside, outputs)
    changed = dict(
        zip(flat.outputs[len(traced.outputs) :], traced.updates, strict=True)
    )
    updates = {v: p for v, p in changed.items() if isinstance(v, Var) and v in outputs}
    names = {n: v for n, v in names.items() if v not in updates} or names
    updates = {v: p for v, p in updates.items() if v not in names.values()}
    flat = replace(whole, outputs=[*names.values(), *updates])
    return replace(
        traced,
        flat=flat,
        scope=scope,
        variables=(*arrays, *inputs.values()),
        inputs=values,
        outputs=list(names),
        updates=list(updates.values()),
    )


def declared(traced: Traced) -> dict[str, bx.Input]:
    """The inputs of a part as an entry declares them: a size that is calculated is a dim of
    its own."""
    found = {}
    for value in traced.inputs:
        shape = [
            size if isinstance(size, int) else str(size)
            for size in map(plain_size, value.shape)
        ]
        named = [
            s if isinstance(s, int) or s.isidentifier() else f"{value.hint}_{axis}"
            for axis, s in enumerate(shape)
        ]
        dtype = "float" if value.dtype == "float32" else value.dtype
        found[value.hint] = bx.Input(named, dtype)
    return found


def graph_name(wanted: str) -> str:
    """The name of the Graph of a part."""
    name = name_of(snake(wanted.replace(".", "_")))
    return name if op_class(name) is None else f"{name}_part"


def run(part: Traced, arrays: Sequence[Any], given: Sequence[Any]) -> dict[str, Any]:
    """What a part gives, by its own equations."""
    assert part.flat is not None
    known = {
        **part.flat.known,
        **dict(zip(part.variables, [*arrays, *given], strict=True)),
    }

    def read(atom: Atom) -> Any:
        return atom.val if isinstance(atom, Literal) else known[atom]

    for equation in part.flat.equations:
        if equation.primitive is mark_p:
            continue
        flowing = [read(a) for a in equation.invars]
        if equation.primitive is layer_p:
            made: Any = equation.params["layer"].function(*flowing)
            made = made if isinstance(made, (list, tuple)) else [made]
        else:
            made = evaluated(equation, flowing)
        known |= dict(zip(equation.outvars, made, strict=True))
    return dict(zip(part.outputs, map(read, part.flat.outputs), strict=False))


# What flows in and out ---------------------------------------------------------------------


def _free(equations: Sequence[JaxprEqn], outputs: Sequence[Atom]) -> dict[Var, None]:
    """The variables that the outputs need and these equations do not give, in the order in
    which they are used."""
    needed, kept = variables(outputs), list[JaxprEqn]()
    for equation in reversed(equations):
        if any(v in needed for v in equation.outvars):
            kept.append(equation)
            needed |= variables(inputs_of(equation, needed))
    made = {v for e in kept for v in e.outvars}
    return {
        a: None
        for e in reversed(kept)
        for a in e.invars
        if isinstance(a, Var) and a not in made and a in needed
    }


def _with_constants(
    cut: Flat, before: Sequence[JaxprEqn], arrays: Sequence[Var], flat: Flat
) -> Flat:
    """With what is made outside of arrays and constants alone, that is of the part."""
    fixed = {*arrays, *flat.known}
    own = []
    for equation in before:
        if equation.primitive is not mark_p and all(
            isinstance(a, Literal) or a in fixed for a in equation.invars
        ):
            own.append(equation)
            fixed.update(equation.outvars)
    needed, kept = {*_free(cut.equations, cut.outputs)}, list[JaxprEqn]()
    for equation in reversed(own):
        if any(v in needed for v in equation.outvars):
            kept.append(equation)
            needed |= variables(equation.invars)
    return replace(cut, equations=[*reversed(kept), *cut.equations])


def _inputs(whole: Flat, arrays: Sequence[Var], mark: JaxprEqn) -> dict[str, Var]:
    """What flows in by name: that of the function's argument, where it is one."""
    fixed = {*arrays, *whole.known}
    flowing = [v for v in _free(whole.equations, whole.outputs) if v not in fixed]
    first = len(mark.params["paths"])
    given = dict(zip(mark.invars[first:], mark.params["arguments"], strict=True))
    count = len(given)
    places = {atom: place for place, atom in enumerate(given)}
    found: dict[str, Var] = {}
    for variable in sorted(flowing, key=lambda v: places.get(v, count)):
        wanted = argument_name(str(given.get(variable, "x")))
        found[fresh(found, wanted)] = variable
    return found


def _values(inputs: Mapping[str, Var]) -> list[Value]:
    found = []
    for name, variable in inputs.items():
        aval: Any = variable.aval
        dtype = "key" if str(aval.dtype).startswith("key") else str(aval.dtype)
        found.append(Value(tuple(map(plain_size, aval.shape)), dtype, name))
    return found


def _output_names(
    equations: Sequence[JaxprEqn], outputs: Sequence[Var]
) -> dict[str, Var]:
    """Outputs by the names that lines assign, or by their place."""
    makers = {v: e for e in equations for v in e.outvars}
    found: dict[str, Var] = {}
    for place, variable in enumerate(outputs):
        line = line_of(makers[variable])
        target = line.target if line else ""
        wanted = identifier(target) if target.isidentifier() else f"out_{place}"
        found[fresh(found, argument_name(wanted))] = variable
    return found
