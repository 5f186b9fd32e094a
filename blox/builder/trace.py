"""One run of a Python function, with what one call gave: its nodes, as they are written."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from blox.schema import SpecError
from blox.schema.content import Input as Content
from blox.schema.diagnostics import Diagnostic, quote
from blox.schema.expressions import INFINITE, ExpressionError
from blox.schema.field_values import infinite_text
from blox.schema.names import is_name
from blox.schema.parameters import Leaf

from .indexing import At
from .scope import NumberScope
from .session import Session
from .sizes import (
    OF_ANY_RANK,
    OF_NO_INPUT,
    Dim,
    Real,
    Size,
    numbered,
    plain,
    tree_of_number,
)
from .trees import Symbol, Tree, replaced, symbols, tree_of, value_of
from .values import Value, is_sequence, like, parts_of

_HERE = str(Path(__file__).parent)


@dataclass(eq=False, slots=True)
class Node:
    """A node as it was written.

    Args:
        fields: values, numbers with their expressions, texts; None is left out.
        unnamed: True where its name was made up; it is dropped where nothing uses it.
        callees: the calls of functions that it runs, by field; of an unrolled repeat one
            for each copy.
        outputs: their names.
        line: where it stands in the user's file.
    """

    name: str
    op: str
    fields: dict[str, Any]
    unnamed: bool
    outputs: tuple[str, ...]
    line: str
    callees: dict[str, list[Trace]] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Stored:
    """An array that a node keeps: its sizes with their expressions."""

    sizes: tuple[Any, ...]
    leaf: Leaf


class Trace(NumberScope):
    """A function of the Graph while Python runs it, for one call or one entry."""

    def __init__(
        self,
        session: Session,
        function: Callable[..., Any],
        parent: Trace | None = None,
        node: str = "",
    ) -> None:
        super().__init__(lambda text: session.engine.symbols.shown(text))
        self.session, self.function = session, function
        self.name: str = function.__name__
        self.is_recorded: bool = getattr(function, "is_recorded", False)
        """True where the function is that of another Graph, read from data."""
        self.parent, self.node = parent, node
        self.path: str = f"{parent.path}.{node}" if parent is not None else self.name
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.f: Any = session.parameter(self)
        self.inputs: dict[str, Value] = {}
        self.left_out: set[str] = set()
        """Inputs with the default None that this call left out."""
        self.declared: dict[str, dict[str, Any]] = {}
        """What an entry declares of its inputs, as a file has it."""
        self.declaration: Mapping[str, Content] = {}
        """The same, read."""
        self.nodes: dict[str, Node] = {}
        self.outputs: dict[str, Value] = {}
        self.result: Any = None
        self.described: dict[str, Any] = {}
        """What an entry says of its outputs, by name."""
        self.leaves: dict[tuple[str, ...], Stored] = {}
        self.names: Mapping[str, Tree] = {}
        """What names in expressions mean where the function is that of another Graph."""
        self.polynomials: dict[str, Tree] = {}
        """Expressions by the polynomial of attributes that they are."""
        self.counts: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"Trace({self.path})"

    # Errors ------------------------------------------------------------------------

    def fault(
        self, where: str, message: str, hint: str = "", code: str = "builder"
    ) -> NoReturn:
        path = f"{self.path}.{where}" if where else self.path
        raise SpecError(Diagnostic(code, path, message, hint))

    def new_name(self, name: Any) -> str:
        """The name, checked to be one that no node and no input has."""
        if isinstance(name, Value):
            self.fault(
                name.reference,
                "expected the name of the node first, found a value",
                'its parameters lie under it: f.linear("up", x, 64)',
            )
        if not isinstance(name, str) or not is_name(name):
            self.fault(
                quote(name),
                "expected the name of a node: letters, digits and inner underscores, "
                "no keyword of Python",
            )
        if name in self.nodes or name in self.inputs:
            what = "a node" if name in self.nodes else "an input"
            self.fault(name, f"expected a new name, found that of {what}")
        return name

    def unnamed(self, op: str) -> str:
        """A name for a node that the user gave none: `add_2`."""
        stem = op.rpartition(":")[2].partition("@")[0]
        count = self.counts.get(stem, 0) + 1
        while f"{stem}_{count}" in self.nodes or f"{stem}_{count}" in self.inputs:
            count += 1
        self.counts[stem] = count
        return f"{stem}_{count}"

    def own(self, where: str, value: Value) -> Value:
        """The value, checked to be one of this function."""
        if value.trace is not self:
            self.fault(
                where,
                f"expected a value of {self.name}, found {value.reference} of "
                f"{value.trace.name}",
                "functions close over nothing: pass it as an input",
                code="builder-closure",
            )
        return value

    # Numbers -----------------------------------------------------------------------

    def number(self, where: str, value: Any) -> Any:
        """What a user gave, with texts as expressions, in the words of this function;
        infinite numbers as the texts that they have in a file."""
        if isinstance(value, str) and value.startswith("$"):
            if value in INFINITE:
                return value
            return self._expression(where, value)
        if isinstance(value, (list, tuple)):
            return [self.number(where, part) for part in value]
        if isinstance(value, dict):
            return {key: self.number(where, part) for key, part in value.items()}
        if isinstance(value, (Size, Real, Dim)):
            return self._named(where, self._adopted(where, value))
        if isinstance(value, At):
            return At(tuple(self._bound(where, part) for part in value.parts))
        tolist = getattr(value, "tolist", None)
        if tolist is not None:
            return self.number(where, tolist())  # of NumPy, or of an array
        return value.value if isinstance(value, Enum) else infinite_text(value)

    def given(self, where: str, value: Any) -> Any:
        """What a call gives for an argument, its numbers in the words of this function.

        All else stays what it is in Python.
        """
        if isinstance(value, (Size, Real, Dim)):
            return self._adopted(where, value)
        if type(value) is str and value.startswith("$"):
            return self._expression(where, value)
        if is_sequence(value):
            return like(value, [self.given(where, part) for part in value])
        if type(value) is dict:
            return {key: self.given(where, part) for key, part in value.items()}
        return value.item() if isinstance(value, np.generic) else value

    def free_dim(self, name: str) -> str:
        """A name for a dim that is not that of an attribute of the Graph."""
        while name in self.session.attribute_symbols:
            name = f"{name}_size"
        return name

    def _bound(self, where: str, part: Any) -> Any:
        if isinstance(part, slice):
            bounds = (part.start, part.stop, part.step)
            return slice(*(self.number(where, bound) for bound in bounds))
        return part if part is Ellipsis else self.number(where, part)

    def _expression(self, where: str, text: str) -> Any:
        try:
            tree = tree_of(text, self._lookup)
            value = value_of(tree)
        except ExpressionError as error:
            self.fault(where, f"{error}, found {quote(text)}")
        except (ZeroDivisionError, OverflowError) as error:
            self.fault(where, f"expected an expression with a value, found {error}")
        if any(symbol.is_dim for symbol in symbols(tree)):
            return Dim(tree, value)
        return numbered(value, tree)

    def _lookup(self, name: str) -> Tree:
        if name in self.names:
            return self.names[name]
        for symbol in (*self.bindings, *self.dims.values()):
            if symbol.name == name:
                return symbol
        found = self.session.attribute_symbols.get(name)
        if found is None:
            have = [s.name for s in self.bindings] + list(self.dims)
            have += self.session.attribute_symbols
            known = ", ".join(dict.fromkeys(have)) or "none"
            raise ExpressionError(f"expected an attribute or a dim ({known})")
        return found

    def _adopted(self, where: str, value: Any) -> Any:
        """A number of a caller as one of this function: an argument left unsaid."""
        if isinstance(value, Dim):
            own = self.dim(value.size)
            foreign = value.tree is None or any(
                s.trace not in (None, self) for s in symbols(value.tree)
            )
            return own if foreign else value
        changes: dict[Symbol, Tree] = {}
        for symbol in symbols(value.tree):
            if symbol.trace not in (None, self):
                changes[symbol] = self._inherited(where, symbol)
        if not changes:
            return value
        return numbered(plain(value), replaced(value.tree, changes))

    def _named(self, where: str, number: Any) -> Any:
        if isinstance(number, Dim) and number.tree is None:
            leads = self.session.engine.symbols.leads(number.size)
            self.fault(where, *(OF_ANY_RANK if leads else OF_NO_INPUT))
        return number

    def _inherited(self, where: str, symbol: Symbol) -> Symbol:
        chain, trace = [], self
        while trace is not symbol.trace:
            chain.append(trace)
            if trace.parent is None:
                self.fault(
                    where,
                    f"expected a number of {self.name} or of a caller, found "
                    f"{symbol.name} of another function",
                    "pass it as an argument",
                    code="builder-closure",
                )
            trace = trace.parent
        for inner in reversed(chain):
            same = (s for s, tree in inner.bindings.items() if tree is symbol)
            own = next(same, None)
            symbol = own or inner.symbol(symbol.name, symbol.value, symbol)
        return symbol

    def argument(self, name: str, value: Any) -> Any:
        """An argument that is no value: its numbers remember its name."""
        if isinstance(value, Dim):
            return self._adopted(name, value)
        if type(value) in (int, float, Size, Real) and math.isfinite(value):
            symbol = self.symbol(name, plain(value), tree_of_number(value))
            return numbered(plain(value), symbol)
        if is_sequence(value):
            parts = parts_of(value)
            return like(value, [self.argument(f"{name}_{n}", v) for n, v in parts])
        if type(value) is dict:
            return {k: self.argument(f"{name}_{k}", v) for k, v in value.items()}
        return value


def user_line() -> str:
    """`model.py:12`: where the user's code is that writes a node."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    if frame is None:
        return ""
    _, _, name = frame.f_code.co_filename.replace("\\", "/").rpartition("/")
    return f"{name}:{frame.f_lineno}"
