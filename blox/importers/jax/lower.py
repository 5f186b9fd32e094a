"""Equations of JAX as steps of blox: one rule for each primitive."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from ..trace import Line, Size, Value
from ..views import View
from .context import Context, Missing
from .emit import Emitter
from .flatten import Flat, value_of
from .fold import SMALL, computed
from .internals import Atom, JaxprEqn, Literal, Var, plain_size
from .lines import is_activation, line_of, without_folder
from .liveness import live
from .marks import layer_p
from .numbers import is_uniform, number_of, plain_numbers, said_dtype
from .recognise import recognise
from .refused import REFUSED

Result: TypeAlias = "View | Sequence[View | Missing] | None"
"""What a rule gives: a View of each output, or why nothing may use it."""
Rule: TypeAlias = Callable[["Lowering", JaxprEqn], Result]

RULES: dict[str, Rule] = {}
"""A rule for each primitive, by its name."""


def rule(*primitives: str) -> Callable[[Rule], Rule]:
    """Registers the rule of primitives."""

    def register(function: Rule) -> Rule:
        for name in primitives:
            assert name not in RULES, name
            RULES[name] = function
        return function

    return register


class Lowering(Emitter):
    """Lowers the equations of one jaxpr.

    A rule takes the Lowering and an equation, reads what flows in by `read`, writes steps by
    `emit`, `elementwise` and the like, and gives a View of each output. `Missing` says that
    an equation can't be expressed; all of them are told at once.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.environment: dict[Var, View | Missing] = {}
        self.known: dict[Var, Any] = {}
        self.needed: set[Var] = set()
        """The variables that something uses."""
        self.modules: list[str] = []
        self.codes: list[tuple[tuple[str, str], ...]] = []
        """The functions of libraries that each of them is, by file and name."""
        self.place: Line | None = None
        """The statement of the user's own files that is being lowered."""
        self.primitive = ""
        """The name of that which is being lowered."""

    # What flows in --------------------------------------------------------------------

    def read(self, atom: Atom) -> View:
        """What an equation is given."""
        if isinstance(atom, Literal):
            return self.constant(value_of(atom))
        if atom not in self.environment and atom in self.known:
            self.environment[atom] = self.constant(self.known[atom])
        found = self.environment[atom]
        if isinstance(found, Missing):
            raise found
        return found

    def constant(self, array: Any) -> View:
        """An array that is known while one imports."""
        dtype = str(array.dtype if hasattr(array, "dtype") else np.asarray(array).dtype)
        if dtype.startswith("key"):
            raise Missing("a key that is fixed in the code")
        found = np.asarray(array)
        if found.size and is_uniform(found):
            return View.filled(number_of(found.flat[0]), found.shape, dtype)
        if found.size > SMALL or not found.size:
            return View.of(self.context.table(array, "table"))
        if found.dtype.kind == "c":
            parts = {"real": np.real(found), "imag": np.imag(found)}
            given = {name: self.constant(part) for name, part in parts.items()}
            return self.elementwise("complex", given, found.shape, dtype)
        said = said_dtype(dtype, found)
        attributes = {"value": plain_numbers(found), "dtype": said}
        made = self.emit("constant", {}, attributes, found.shape, dtype, hint="table")
        return self.own(made, said)

    # Equations ------------------------------------------------------------------------

    def run(self, flat: Flat, given: Mapping[Var, View]) -> list[View | None]:
        """Lowers all equations that outputs need; a View of each output."""
        self.environment |= given
        self.known |= flat.known
        flat = recognise(flat)
        equations, self.needed = live(flat)
        for equation in equations:
            self.equation(equation)
            if equation.primitive is not layer_p:  # an op has that of what it is
                for variable in equation.outvars:
                    if variable in flat.custom:
                        self._customised(flat.custom[variable])
        for name in flat.passed:
            self._customised(name)
        return [self._output(atom) for atom in flat.outputs]

    def _output(self, atom: Atom) -> View | None:
        try:
            return self.read(atom)
        except Missing as missing:
            self.miss(str(missing))
        return None

    def equation(self, equation: JaxprEqn) -> None:
        if (found := computed(equation, self.known)) is not None:
            self.known |= zip(equation.outvars, found, strict=True)
            return
        self.place = line_of(equation) or self.place
        self.line = (
            line_of(equation, [place for places in self.codes for place in places])
            or self.line
        )
        name = self.primitive = equation.primitive.name
        try:
            if name in REFUSED:
                raise Missing(f"{name}: {REFUSED[name]}")
            written = RULES.get(name)
            if written is None:
                raise Missing(f"{name}: no op of blox is it")
            result = written(self, equation)
        except Missing as missing:
            self.miss(str(missing) or name)
            result = [self._lost(v) for v in equation.outvars]
        if result is None:
            return
        views = [result] if isinstance(result, View) else result
        self.environment |= zip(equation.outvars, views, strict=True)

    def _customised(self, name: str) -> None:
        """Says of a function that its own derivative is lost."""
        if not is_activation(name):
            self.context.derivatives[without_folder(name)] = None

    def miss(self, reason: str) -> None:
        module = ".".join(self.modules)
        line = str(self.place) if self.place else ""
        self.context.missing[reason, module, line] += 1

    def _lost(self, variable: Var) -> View:
        aval: Any = variable.aval
        shape = tuple(map(plain_size, getattr(aval, "shape", ())))
        return View.of(Value(shape, str(getattr(aval, "dtype", "float32"))))

    def child(self) -> Lowering:
        """For the body of a loop or a branch."""
        made = Lowering(self.context)
        made.modules, made.codes = list(self.modules), list(self.codes)
        made.place, made.line = self.place, self.line
        return made


def output_of(equation: JaxprEqn, index: int = 0) -> tuple[tuple[Size, ...], str]:
    """Shape and dtype of an output."""
    aval: Any = equation.outvars[index].aval
    return tuple(map(plain_size, aval.shape)), str(aval.dtype)
