"""The base classes of ops: a node's fields, sorted by what they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

from .callee import Callee
from .expressions import ExpressionError
from .fields import (
    ParamPath,
    is_expression,
)
from .initializers import Initializer
from .names import Name
from .op_fields import Fields, fields_of
from .parameters import Leaf
from .problems import Problem, not_real
from .sizes import Unknown
from .strict import Strict
from .substitution import at_least, expressions_in, resolved


class Op(Strict):
    """One node: an operation, its operands and its attributes."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("out",)
    """The names of the outputs. One alone is `out`; of several, the function returns a
    tuple."""
    PARTS: ClassVar[str] = ""
    """The field that says how many outputs there are, in an op whose `names` name them."""
    OUTPUT_KIND: ClassVar[str] = "tensor"
    TRAIN: ClassVar[bool] = False
    """True where the function takes `train`."""
    STATEFUL: ClassVar[bool] = False
    """True where the function returns (output, state)."""
    ASSIGNS: ClassVar[str] = ""
    """The operand that must be a node of state, whose next value the output is."""

    CONTINUES: ClassVar[tuple[str, ...]] = ("x",)
    """The operands that go on in what it gives: generated code has `x = relu(x)`, and
    another name for what is something else, such as `x > 0`."""
    REJOINS: ClassVar[bool] = False
    """True where an operand goes on though others read it too, as in `x + f(x)`."""
    ABSENT: ClassVar[Mapping[str, str]] = {}
    """Operands that may be absent, and the operand whose value the node has then."""

    ALSO: ClassVar[tuple[str, ...]] = ()
    """What other libraries call it: for readers, and for hints. Case, underscores and an
    ending such as `2d` make no difference."""

    COMPLEX: ClassVar[bool] = False
    """True where it takes complex numbers."""

    COUNTED: ClassVar[Mapping[str, Any]] = {}
    """The attributes of its plain form, whose operations are counted: where others do some
    of the work twice, or in loops, to save memory or time."""

    SYMBOLIC: ClassVar[bool] = True
    """False where JAX takes sizes that dims decide without a look at them."""

    op: Any  # its name, a Literal in every class

    @classmethod
    def fields(cls) -> Fields:
        return fields_of(cls)

    def outputs(self) -> tuple[str, ...]:
        """The names of the outputs; a single one is also what the node's name means."""
        return self.OUTPUTS

    def parameters(self) -> dict[str, Leaf]:
        """The arrays that the node owns, by name, where no slot is given. An op whose
        node's name is itself the leaf calls it ''.

        A size that is not known yet is an `Unknown`, which calculates: `4 * self.units`.
        """
        return {}

    def channels(self) -> dict[str, tuple[int, ...]]:
        """The parameters that may be stored in fewer bits, and the axes of each along
        which every index has a scale of its own: what it gives one output is made of."""
        return {}

    def leaves(self) -> dict[str, Leaf]:
        """`parameters()` with None for sizes that are not known."""
        known = self.with_unknown().parameters()
        return {name: _without_unknown(leaf) for name, leaf in known.items()}

    def with_unknown(self) -> Self:
        """The op with an `Unknown` for each size that is absent or an expression."""
        fields = self.fields()
        changes: dict[str, Any] = {}
        for name in fields.minima:
            value = getattr(self, name)
            if value is None:
                if name not in fields.lists:
                    changes[name] = Unknown.named(name)
            elif is_expression(value):
                changes[name] = Unknown.named(name)
            elif isinstance(value, list) and any(is_expression(v) for v in value):
                changes[name] = [
                    Unknown.named(name) if is_expression(v) else v for v in value
                ]
        return self.unchecked_copy(**changes) if changes else self

    def lacking(self) -> set[str]:
        """The absent sizes that arrays which the node stores are made of."""
        leaves = self.with_unknown().parameters()
        return {
            name
            for array, leaf in leaves.items()
            if not array or getattr(self, array, None) is None
            for size in leaf.shape
            if isinstance(size, Unknown)
            for name in size.names
            if getattr(self, name) is None
        }

    def needs_float(self) -> bool:
        """True where a dtype among the attributes is the model's."""
        return any(getattr(self, name) == "float" for name in self.fields().dtypes)

    def value_of(self, axis: int | str) -> Any:
        """The axis of a `SizeOf`: a number, or the attribute that holds it."""
        return getattr(self, axis) if isinstance(axis, str) else axis

    def undecided(self) -> Iterator[tuple[str, str]]:
        """(field, expression) for every size that a dim decides."""
        for name in self.fields().minima:
            value = getattr(self, name)
            for part in value if isinstance(value, list) else (value,):
                if is_expression(part):
                    yield name, part

    def scope(self, name: str) -> tuple[str, ...]:
        """Where the arrays of the node `name` lie, as a path from its function."""
        return (name,)

    def callees(self) -> tuple[Callee, ...]:
        """The functions that the node runs."""
        return ()

    def problems(self) -> Iterator[Problem]:
        """What is wrong with the attributes of a resolved op."""
        return iter(())

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        """What is wrong with the attributes of a resolved op for what flows in.

        Asked before the function runs: what a function would loop over, or make an
        array of, is bounded here.

        Args:
            shapes: of operands and parameters by name. A size that only a call decides
                is no integer.
        """
        return iter(())

    def complex_problems(self, found: Mapping[str, str]) -> Iterator[Problem]:
        """What is wrong with the operands that are complex.

        Args:
            found: their dtypes by name.
        """
        if not self.COMPLEX:
            yield from [not_real(name, dtype) for name, dtype in found.items()]

    def dtype_problems(self, dtypes: Mapping[str, str]) -> Iterator[Problem]:
        """What is wrong with the dtypes, by name, of operands and parameters."""
        return iter(())

    def stored(self, leaves: dict[str, Leaf] | None = None) -> dict[str, Leaf]:
        """`leaves()` less the slots given as references, with the node's options."""
        options = self if isinstance(self, ParamOp) else None
        result: dict[str, Leaf] = {}
        for name, leaf in (self.leaves() if leaves is None else leaves).items():
            if name and getattr(self, name, None) is not None:
                continue
            if options is not None:
                leaf = replace(
                    leaf,
                    init=options.init.get(name or "value", leaf.init),
                    axes=tuple(options.axes.get(name or "value", leaf.axes)),
                    frozen=leaf.frozen or (name or "value") in options.frozen,
                )
            result[name] = leaf
        return result

    def expressions(self) -> Iterator[tuple[str, str]]:
        """(field, expression) for every expression of the attributes and operands."""
        fields = self.fields()
        for name in (*fields.attributes, *fields.operands):
            if name in fields.texts:
                continue
            for text in expressions_in(getattr(self, name)):
                yield name, text

    def resolve(self, values: Mapping[str, Any], *, partial: bool = False) -> Op:
        """The op with its expressions replaced by their values.

        With `partial`, expressions over names that `values` lacks (dims) stay, once it
        is known that some sizes give them a value.

        Raises:
            ExpressionError: naming the field.
        """
        fields = self.fields()
        changes: dict[str, Any] = {}
        for name in (*fields.attributes, *fields.operands):
            old = getattr(self, name)
            if old is None or isinstance(old, (bool, float)):
                continue
            if isinstance(old, str) and name in fields.texts:
                continue
            kind = "float" if name in fields.floats else "int"
            try:
                new = resolved(old, values, kind, partial)
                if (low := fields.minima.get(name)) is not None:
                    at_least(new, low)
            except ExpressionError as error:
                raise type(error)(error.message, name) from None
            if new is not old:
                changes[name] = new
        return self.unchecked_copy(**changes) if changes else self


class ParamOp(Op):
    """An op that owns parameters."""

    params: ParamPath | None = None
    init: dict[Name, Initializer] = {}
    axes: dict[Name, list[Name | None]] = {}
    frozen: list[Name] = []

    def expressions(self) -> Iterator[tuple[str, str]]:
        yield from super().expressions()
        for array, start in self.init.items():
            for argument, text in start.expressions().items():
                yield f"init.{array}.{argument}", text

    def resolve(self, values: Mapping[str, Any], *, partial: bool = False) -> Op:
        op = super().resolve(values, partial=partial)
        if not any(start.expressions() for start in self.init.values()):
            return op
        init = {}
        for array, start in self.init.items():
            try:
                init[array] = start.resolved(values)
            except ExpressionError as error:
                field = f"init.{array}.{error.field}"
                raise ExpressionError(error.message, field) from None
        return op.unchecked_copy(init=init)

    def scope(self, name: str) -> tuple[str, ...]:
        return _scope(name, self.params)


class ScopeOp(Op):
    """An op that calls functions; their parameters lie under its path.

    `callees` declares them; the outputs of the last one are those of the node.
    """

    CONTROL: ClassVar[str]
    """The module of `runtime.control` and of `codegen.control` that knows how it runs."""

    params: ParamPath | None = None

    def scope(self, name: str) -> tuple[str, ...]:
        return _scope(name, self.params)


def _scope(name: str, params: str | None) -> tuple[str, ...]:
    return (name,) if params is None else tuple(p for p in params.split(".") if p)


def _without_unknown(leaf: Leaf) -> Leaf:
    if any(isinstance(size, Unknown) for size in leaf.shape):
        shape = tuple(None if isinstance(s, Unknown) else s for s in leaf.shape)
        return replace(leaf, shape=shape)
    return leaf
