"""A function that a loop or a branch runs, while it is lowered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..bodies import region_of
from ..naming import argument_name
from ..regions import fresh
from ..trace import Number, Param, Path, Region, Size, Value
from ..views import View
from .context import Missing
from .flatten import Flat
from .internals import ClosedJaxpr, JaxprEqn, Var, argument_names, plain_size, source_of
from .lines import is_library
from .liveness import body_of, is_lone, only
from .lower import Lowering
from .unpacked import part_names

LITERAL: Mapping[str, Callable[[Any], Number]] = {
    "float32": float,
    "int32": int,
    "bool": bool,
}
"""The dtypes of which a carry may start as a number."""


@dataclass
class Function:
    """A function of a loop or branch.

    Args:
        lower: of the caller.
        closed: as JAX has it.
        role: its name where the user's code has none.
        given: Views of its inputs, by place.
        known: inputs that are known while one imports.
        inputs: the names of those that are its own.
        updates: outputs that are the next values of arrays, by place.
        changes: the next values of arrays that it keeps itself.
        found: Views of its outputs, by place.
    """

    lower: Lowering
    closed: ClosedJaxpr
    role: str
    given: dict[int, View] = field(default_factory=dict)
    known: dict[int, Any] = field(default_factory=dict)
    inputs: dict[Value, str] = field(default_factory=dict)
    updates: dict[int, Path] = field(default_factory=dict)
    changes: dict[Param, Value] = field(default_factory=dict)
    found: dict[int, View] = field(default_factory=dict)
    child: Lowering = field(init=False)
    flat: Flat = field(init=False)

    def __post_init__(self) -> None:
        self.child = self.lower.child()
        self.flat = body_of(self.closed)

    @cached_property
    def _parts(self) -> Mapping[str, str]:
        """The names that the source's function gives to parts of its arguments."""
        name, _, place = source_of(self.closed.jaxpr).partition(" at ")
        file, _, line = place.rpartition(":")
        return part_names(name, file, int(line)) if line.isdigit() else {}

    @property
    def name(self) -> str:
        """That of the user's function."""
        name, _, place = source_of(self.closed.jaxpr).partition(" at ")
        own = name.isidentifier() and not is_library(place)
        return name if own else self.role

    def value(
        self, place: int, shape: Sequence[Size], dtype: str, role: str, own: str = ""
    ) -> Value:
        """An input of its own: a carry, a slice or the number of the step.

        Args:
            own: the name of what it is of, where the user's code has none for it.
        """
        if dtype.startswith("key"):
            raise Missing(f"{self.lower.primitive}: a key as a {role}")
        hint = argument_names(self.closed.jaxpr)[place]
        hint = self._parts.get(hint, hint)
        hint = hint if hint.isidentifier() else own or hint
        made = Value(tuple(map(plain_size, shape)), dtype, hint)
        self.given[place] = View.of(made)
        wanted = argument_name(hint or role)
        self.inputs[made] = fresh(self.inputs.values(), wanted)
        return made

    def run(self, outputs: set[int]) -> None:
        """Lowers it, as far as these outputs need it."""
        variables = self.closed.jaxpr.invars
        self.child.known |= {variables[i]: a for i, a in self.known.items()}
        given = {
            variables[i]: view for i, view in self.given.items() if i not in self.known
        }
        for i, path in self.updates.items():
            variable = self.flat.outputs[i]
            if isinstance(variable, Var) and is_lone(self.flat, variable):
                self.lower.context.updated[variable] = path
        places = sorted(outputs)
        views = self.child.run(only(self.flat, places), given)
        lost = View.filled(0, (), "float32")
        pairs = zip(places, views, strict=True)
        self.found = {i: lost if view is None else view for i, view in pairs}

    def array(self, place: int) -> Value:
        """An output as it is seen, with the dtype of the model where numbers alone are
        chosen from, which JAX leaves at float32."""
        made = self.child.array(self.found[place])
        step = self.child.made.get(made)
        if step is None or step.op != "where":
            return made
        chosen = {name: step.operands[name] for name in ("a", "b")}
        if made.dtype == "bool" or any(isinstance(v, Value) for v in chosen.values()):
            return made
        first = self.child.array(View.filled(chosen["a"], (), made.dtype))
        operands = {**step.operands, "a": first}
        again = self.child.emit("where", operands, {}, made.shape, made.dtype)
        return self.child.array(again)

    def region(self, outputs: Mapping[str, Value]) -> Region:
        """It, with its outputs by name."""
        region = region_of(self.child.items, self.name, outputs, self.changes)
        region.inputs = dict(self.inputs)
        return region


def given_of(lower: Lowering, equation: JaxprEqn, used: set[int]) -> dict[int, View]:
    """Views of the inputs of an equation that are used, by place; of others where they are
    there, as marks speak of them."""
    found = {}
    for place, atom in enumerate(equation.invars):
        if place in used:
            found[place] = lower.read(atom)
        elif isinstance(atom, Var):
            view = lower.environment.get(atom)
            if isinstance(view, View):
                found[place] = view
    return found


def known_of(lower: Lowering, equation: JaxprEqn) -> dict[int, Any]:
    """The inputs of an equation that are known while one imports, by place."""
    return {
        place: lower.known[atom]
        for place, atom in enumerate(equation.invars)
        if isinstance(atom, Var) and atom in lower.known
    }


def start_of(lower: Lowering, view: View) -> Value | Number:
    """What a carry starts with: a scalar that is a number stays one."""
    kind = LITERAL.get(view.dtype)
    number = view.source
    if kind is None or view.shape or not isinstance(number, (bool, int, float)):
        return lower.array(view)
    return kind(number) if abs(number) < float("inf") else lower.array(view)
