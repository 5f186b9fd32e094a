"""Where the sizes of a node's outputs come from: their expressions.

The node is traced once more with a symbol of JAX for every attribute, so that a size of
its output is a polynomial which is read back as an expression. Where JAX can't decide
with symbols, it is traced with other numbers, and an expression that explains them all
is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from blox.schema import Op
from blox.shapes.engine import Engine
from blox.shapes.kinds import Lane
from blox.shapes.values import Value as Known

from .fields import args_of
from .sizes import Dim, Size, numbered
from .trace import Stored, Trace
from .trees import Symbol, Tree, is_number, symbols, tree_of_size, value_of
from .values import At, Value

Number = Callable[[Symbol], Any]
_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)


@dataclass(frozen=True, slots=True)
class Written:
    """A node as far as its sizes go.

    Args:
        op: with numbers for attributes.
        fields: as the user wrote them.
        values: what flows in, by the order of its arguments.
        stored: the arrays that it keeps.
    """

    trace: Trace
    op: Op
    fields: Mapping[str, Any]
    values: Sequence[Value]
    stored: Mapping[str, Stored]

    def numbers(self) -> Iterator[Any]:
        """Every size that an expression may stand behind."""
        for value in self.values:
            yield from value.sizes or ()
        yield from _numbers(self.fields)
        for stored in self.stored.values():
            yield from stored.sizes


class Origins:
    """Finds expressions; remembers what it traced."""

    def __init__(self, engine: Engine, attributes: Mapping[str, Symbol]) -> None:
        self.engine = engine
        self._attributes = attributes
        self._variables: dict[str, tuple[str, Any]] = {}
        self._samples = [_scaled(attributes, shift) for shift in (0, 5)]

    def sizes(self, node: Written, outputs: Sequence[Known | None]) -> list[Any]:
        """The sizes of each output, with their expressions; None where unknown."""
        found = [self._plain(node.trace, known) for known in outputs]
        if not any(isinstance(n, Size) for n in node.numbers()):
            return found
        for output, sizes in zip(node.op.outputs(), found, strict=True):
            if sizes is not None:
                _fill(sizes, node, output)
        if self._kept(node, outputs, found):
            return [tuple(node.values[0].sizes or ())]
        missing = any(type(s) is int for sizes in found for s in sizes or ())
        if missing:
            self._explain(node, found)
        return [None if sizes is None else tuple(sizes) for sizes in found]

    def _plain(self, trace: Trace, known: Known | None) -> list[Any] | None:
        if known is None or known.shape is None:
            return None
        return [s if type(s) is int else trace.dim(s) for s in known.shape]

    def _kept(
        self, node: Written, outputs: Sequence[Known | None], found: Sequence[Any]
    ) -> bool:
        """True where the output is plainly of the shape of the one that flows in."""
        if len(found) != 1 or not node.values or node.values[0].sizes is None:
            return False
        if outputs[0] is None or outputs[0].shape != node.values[0].known.shape:
            return False
        numbers = [s for s in node.values[0].sizes if isinstance(s, int)]
        written = any(isinstance(n, Size) for n in _numbers(node.fields))
        return not written and len(set(numbers)) == len(numbers)

    def _explain(self, node: Written, found: list[list[Any] | None]) -> None:
        for number in (self._symbol, self._attribute_symbol):
            trees: dict[str, Tree] = {}
            outputs = self._traced(node, number, trees)
            if outputs is not None:
                for sizes, known in zip(found, outputs, strict=True):
                    self._read(node.trace, sizes, known, trees)
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
            if not symbol.is_dim and symbol.value == key and not _is_rooted(bound):
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
            if isinstance(given, Dim) or not isinstance(given, Size):
                return given.size if isinstance(given, Dim) else given
            found = value_of(given.tree, number)
            if type(found) is not int:
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
                name: _mapped(node.fields[name], size)
                for name in node.op.fields().attributes
                if any(isinstance(n, Size) for n in _numbers(node.fields.get(name)))
                and not isinstance(node.fields[name], At)
            }
            op = node.op.model_copy(update=changes)
            leaves = {
                name: leaf
                if None not in leaf.shape
                else replace(leaf, shape=tuple(map(size, node.stored[name].sizes)))
                for name, leaf in op.stored().items()
            }
            kind = self.engine.kind(op, args_of(op), leaves.get("", leaves))
            found = self.engine.outcome(kind, given, trace.sizes, Lane())
        except Exception:  # of JAX or of an op, over sizes that are symbols
            return None
        lost = any(v is None or v.shape is None or v.unknown for v in found.outputs)
        return None if found.fault is not None or lost else found.outputs

    # Samples -----------------------------------------------------------------------

    def _try(self, node: Written, found: list[list[Any] | None]) -> None:
        """Expressions that explain what comes of other attributes."""
        candidates = {
            str(n.tree): n.tree for n in node.numbers() if isinstance(n, Size)
        }
        tried = []
        for sample in self._samples:
            number = _sampled(sample)
            outputs = self._traced(node, number, {})
            if outputs is not None:
                tried.append((number, outputs))
        for i, sizes in enumerate(found):
            for axis, size in enumerate(sizes or ()):
                if sizes is None or type(size) is not int:
                    continue
                for tree in candidates.values():
                    if value_of(tree) == size and _explains(tree, tried, i, axis):
                        sizes[axis] = numbered(size, tree)
                        break
            if not tried and sizes is not None and node.values:
                _keep_leading(sizes, node.values[0].sizes)


def _explains(
    tree: Tree,
    tried: Sequence[tuple[Number, Sequence[Known | None]]],
    output: int,
    axis: int,
) -> bool:
    """True where an expression gives the size of an axis in all samples."""
    for number, outputs in tried:
        known = outputs[output]
        if known is None or known.shape is None or len(known.shape) <= axis:
            return False
        size = known.shape[axis]
        if type(size) is not int or value_of(tree, number) != size:
            return False
    return bool(tried)


def _keep_leading(sizes: list[Any], given: tuple[Any, ...] | None) -> None:
    """Leading axes that are as those of the first operand."""
    for axis, (size, before) in enumerate(zip(sizes, given or (), strict=False)):
        if isinstance(size, Dim) or isinstance(before, Dim):
            if size != before:
                return
        elif size != before:
            return
        elif type(size) is int:
            sizes[axis] = before


def _fill(sizes: list[Any], node: Written, output: str) -> None:
    """Sizes that a field of the op says an output has."""
    fields = node.op.fields()
    shape = node.fields.get(fields.shapes.get(output, "")) or []
    for axis in range(1, min(len(sizes), len(shape)) + 1):
        _state(sizes, -axis, shape[-axis])
    for name, mark in fields.sizes:
        axis = node.op.value_of(mark.axis)
        if mark.of == output and not mark.each and type(axis) is int:
            _state(sizes, axis, node.fields.get(name))


def _state(sizes: list[Any], axis: int, given: Any) -> None:
    known = -len(sizes) <= axis < len(sizes) and type(sizes[axis]) is int
    if known and isinstance(given, Size) and given == sizes[axis]:
        sizes[axis] = given


def _sampled(values: Mapping[str, int | float]) -> Number:
    def number(symbol: Symbol) -> Any:
        if symbol.is_dim:
            return symbol.value
        if symbol.trace is None:
            return values[symbol.name]
        return value_of(symbol.trace.bindings[symbol], number)

    return number


def _scaled(attributes: Mapping[str, Symbol], shift: int) -> dict[str, Any]:
    """Other values of the attributes, of which those divide each other that did."""
    values = {name: symbol.value for name, symbol in attributes.items()}
    primes = {n: _PRIMES[(i + shift) % len(_PRIMES)] for i, n in enumerate(values)}
    found = dict(values)
    for name, value in values.items():
        if type(value) is not int or value <= 0:
            continue
        for other, divisor in values.items():
            smaller = type(divisor) is int and 1 < divisor <= value
            if other == name or (smaller and value % divisor == 0):
                found[name] *= primes[other]
    return found


def _is_rooted(tree: Tree) -> bool:
    """True where an attribute of the Graph stands behind an expression."""
    return any(
        s.trace is None or (not s.is_dim and _is_rooted(s.trace.bindings[s]))
        for s in symbols(tree)
    )


def _numbers(field: Any) -> Iterator[Any]:
    if isinstance(field, Mapping):
        for part in field.values():
            yield from _numbers(part)
    elif isinstance(field, (list, tuple)):
        for part in field:
            yield from _numbers(part)
    elif isinstance(field, At):
        for part in field.parts:
            if isinstance(part, slice):
                yield from (part.start, part.stop, part.step)
            else:
                yield part
    else:
        yield field


def _mapped(field: Any, size: Callable[[Any], Any]) -> Any:
    if isinstance(field, list):
        return [_mapped(part, size) for part in field]
    return size(field)
