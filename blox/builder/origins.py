"""Where the sizes of a node's outputs come from: their expressions.

The node is traced once more with a symbol of JAX for every attribute, so that a size of
its output is a polynomial which is read back as an expression. Where JAX can't decide
with symbols, it is traced with other numbers, and an expression that explains them all
is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from blox.shapes.op_engine import OpEngine
from blox.shapes.values import Value as Known

from .fields import args_of
from .indexing import At
from .samples import Number, moved, sampled, scaled
from .sizes import Dim, Size, numbered
from .stated import (
    Written,
    explains,
    fill,
    is_bounded,
    is_constant,
    is_empty,
    is_rooted,
    keep_leading,
    mapped,
    near,
    numbers_in,
    shorter,
)
from .trace import Trace
from .trees import Symbol, Tree, is_number, tree_of_size, value_of


class Origins:
    """Finds expressions; remembers what it traced."""

    def __init__(self, engine: OpEngine, attributes: Mapping[str, Symbol]) -> None:
        self.engine = engine
        self._attributes = attributes
        self._variables: dict[str, tuple[str, Any]] = {}
        self._samples = [scaled(attributes, shift) for shift in (0, 5)]
        self._moved = [moved(attributes, step) for step in range(4)]

    def sizes(self, node: Written, outputs: Sequence[Known | None]) -> list[Any]:
        """The sizes of each output, with their expressions; None where unknown."""
        found = [_plain(node, known) for known in outputs]
        if not any(isinstance(n, Size) for n in node.numbers()):
            return found
        for output, sizes in zip(node.op.outputs(), found, strict=True):
            if sizes is not None:
                fill(sizes, node, output)
        if self._kept(node, outputs, found):
            return [tuple(node.values[0].sizes or ())]
        missing = any(type(s) is int for sizes in found for s in sizes or ())
        if missing:
            self._explain(node, found)
        return [None if sizes is None else tuple(sizes) for sizes in found]

    def _kept(
        self, node: Written, outputs: Sequence[Known | None], found: Sequence[Any]
    ) -> bool:
        """True where the output is of the shape of the one that flows in."""
        if len(found) != 1 or not node.values or node.values[0].sizes is None:
            return False
        if outputs[0] is None or outputs[0].shape != node.values[0].known.shape:
            return False
        if any(isinstance(n, Size) for n in numbers_in(node.fields)):
            return False
        numbers = [s for s in node.values[0].sizes if isinstance(s, int)]
        return len(set(numbers)) == len(numbers) or self._kept_in_sample(node)

    def _kept_in_sample(self, node: Written) -> bool:
        """True where it is so with other attributes, by which its sizes differ."""
        given = node.values[0].sizes or ()
        trees = {str(s.tree) for s in given if isinstance(s, Size)}
        for sample in self._samples:
            number = sampled(sample)
            shape = tuple(_sized(s, number) for s in given)
            numbers = [n for n in shape if type(n) is int]
            if len(set(numbers)) < len(numbers) and len(trees) > 1:
                continue
            outputs = self._traced(node, number, {})
            known = None if outputs is None else outputs[0]
            return known is not None and known.shape == shape
        return False

    def _explain(self, node: Written, found: list[list[Any] | None]) -> None:
        for number in (self._symbol, self._attribute_symbol):
            trees: dict[str, Tree] = {}
            outputs = self._traced(node, number, trees)
            if outputs is None:
                continue
            exact = [None if sizes is None else [*sizes] for sizes in found]
            for sizes, known in zip(exact, outputs, strict=True):
                self._read(node.trace, sizes, known, trees)
            for sizes, others in zip(found, exact, strict=True):
                for axis, size in enumerate(others or ()):
                    if sizes is not None and type(sizes[axis]) is int:
                        sizes[axis] = shorter(node, size) if is_bounded(size) else size
            return
        self._try(node, found)

    # Symbols -----------------------------------------------------------------------

    def _symbol(self, symbol: Symbol) -> Any:
        """A symbol of JAX for an attribute, and for a number that only a call gave."""
        if symbol.is_dim:
            return symbol.value
        if symbol.trace is None:
            return self._variable("attribute", symbol.name)
        bound = symbol.trace.bindings[symbol]
        if is_number(bound):
            return self._variable("number", bound)
        return value_of(bound, self._symbol)

    def _attribute_symbol(self, symbol: Symbol) -> Any:
        """A symbol of JAX for an attribute of the Graph only."""
        if symbol.is_dim:
            return symbol.value
        if symbol.trace is None:
            return self._variable("attribute", symbol.name)
        return value_of(symbol.trace.bindings[symbol], self._attribute_symbol)

    def _variable(self, kind: str, key: Any) -> Any:
        made = self.engine.symbols.opaque(of=("origin", kind, key))
        self._variables[str(made)] = (kind, key)
        return made

    def _read(
        self,
        trace: Trace,
        sizes: list[Any] | None,
        known: Known | None,
        trees: Mapping[str, Tree],
    ) -> None:
        """Reads expressions off polynomials; those of what flows in are known."""
        if sizes is None or known is None or known.shape is None:
            return
        if len(sizes) != len(known.shape):
            return
        for axis, (size, traced) in enumerate(zip(sizes, known.shape, strict=True)):
            if type(size) is int and type(traced) is not int:
                text = str(traced)
                tree = trees[text] if text in trees else self._tree(trace, text)
                if tree is not None and value_of(tree) == size:
                    sizes[axis] = numbered(size, tree)

    def _tree(self, trace: Trace, text: str) -> Tree:
        if text not in trace.polynomials:
            try:
                tree = tree_of_size(text, lambda name: self._named(trace, name))
            except (KeyError, SyntaxError, AssertionError):
                tree = None
            trace.polynomials[text] = tree
        return trace.polynomials[text]

    def _named(self, trace: Trace, name: str) -> Tree:
        kind, key = self._variables[name]
        if kind == "attribute":
            return self._attributes[key]
        for symbol, bound in trace.bindings.items():
            if not symbol.is_dim and symbol.value == key and not is_rooted(bound):
                return symbol
        return key

    # Traces ------------------------------------------------------------------------

    def _traced(
        self, node: Written, number: Number, trees: dict[str, Tree]
    ) -> Sequence[Known | None] | None:
        """What the node gives with other numbers for symbols; None where it fails.

        Args:
            trees: gets the expressions by the polynomials that they are.
        """
        trace, values = node.trace, self.engine.values

        def size(given: Any) -> Any:
            found = _sized(given, number)
            if isinstance(given, Size) and type(found) is not int:
                trees.setdefault(str(found), given.tree)
            return found

        try:
            given = tuple(
                value.known
                if value.sizes is None or value.kind == "key" or not value.sizes
                else values.array(
                    [size(s) for s in value.sizes], value.known.dtype, value.known.weak
                )
                for value in node.values
            )
            changes = {
                name: mapped(node.fields[name], size)
                for name in node.op.fields().attributes
                if any(isinstance(n, Size) for n in numbers_in(node.fields.get(name)))
                and not isinstance(node.fields[name], At)
            }
            op = node.op.unchecked_copy(**changes)
            leaves = {
                name: leaf
                if None not in leaf.shape
                else replace(leaf, shape=tuple(map(size, node.stored[name].sizes)))
                for name, leaf in op.stored().items()
            }
            kind = self.engine.kind(op, args_of(op), leaves.get("", leaves))
            found = self.engine.attempt(kind, given, trace.sizes)
        except Exception:  # of JAX or of an op, over sizes that are symbols
            return None
        if found is None or any(
            v is None or v.shape is None or v.unknown for v in found
        ):
            return None
        return found

    # Samples -----------------------------------------------------------------------

    def _try(self, node: Written, found: list[list[Any] | None]) -> None:
        """Expressions that explain what comes of other attributes."""
        tried = []
        for sample in (*self._samples, *self._moved):
            number = sampled(sample)
            outputs = self._traced(node, number, {})
            if outputs is not None and not is_empty(outputs):
                tried.append((number, outputs))
        for i, sizes in enumerate(found):
            for axis, size in enumerate(sizes or ()):
                if sizes is None or type(size) is not int:
                    continue
                if is_constant(size, tried, i, axis):
                    continue
                for tree in near(node, size):
                    if explains(tree, tried, i, axis):
                        sizes[axis] = numbered(size, tree)
                        break
            if not tried and sizes is not None and node.values:
                keep_leading(sizes, node.values[0].sizes)


def _sized(given: Any, number: Number) -> Any:
    """A size with other numbers for symbols; a dim stays."""
    if isinstance(given, Dim):
        return given.size
    return value_of(given.tree, number) if isinstance(given, Size) else given


def _plain(node: Written, known: Known | None) -> list[Any] | None:
    """The sizes as numbers, and those that only a call decides as dims."""
    if known is None or known.shape is None:
        return None
    return [
        size if type(size) is int else _dim(node, axis, size)
        for axis, size in enumerate(known.shape)
    ]


def _dim(node: Written, axis: int, size: Any) -> Dim:
    """The dim that flows in, at this axis if there: others may be equal by chance."""
    shapes = [value.sizes for value in node.values if value.sizes is not None]
    at_axis = (sizes[axis] for sizes in shapes if axis < len(sizes))
    for given in (*at_axis, *node.numbers()):
        if not isinstance(given, Dim) or given.tree is None:
            continue
        if given.size is size or str(given.size) == str(size):
            return given
    return node.trace.dim(size)
