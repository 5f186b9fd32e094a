"""What flows through a function that is being written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Protocol, TypeAlias, cast

from blox.schema import SpecError
from blox.shapes.values import Value as Known

from .array_methods import ArrayMethods


class Owner(Protocol):
    """The function that a value belongs to, while it is written."""

    name: str
    path: str
    f: Any


Operand: TypeAlias = "Value | int | float | str"
"""A value, a number, or an expression such as `"$head_dim ** -0.5"`."""


@dataclass(frozen=True, slots=True)
class Input:
    """The declaration of an input of an entry.

    Args:
        shape: sizes, names of dims, expressions such as `"$2 * seq"`; `"..."` stands for
            any leading axes, `"_"` for any size.
        dtype: `"float"` is the model's floating type; `"key"` is a PRNG key.
        optional: it may be left out, and reaches only operands that are optional.
        doc: what it is.
        copies: how many arrays it has, where it is a list of them: `bx.slices` of it gives
            one to each copy of a `repeat` that is not scanned.
    """

    shape: Sequence[int | str]
    dtype: str = "float"
    optional: bool = False
    doc: str = ""
    copies: int | str | None = None

    def dim_at(self, axis: int, rank: int) -> str:
        """The name of the dim that an axis is; "" where it has none."""
        sizes = list(self.shape)
        if "..." in sizes:
            at = sizes.index("...")
            sizes[at : at + 1] = ["_"] * (rank - len(sizes) + 1)
        size = sizes[axis] if axis < len(sizes) else "_"
        named = isinstance(size, str) and size.isidentifier() and size != "_"
        return str(size) if named else ""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Value(ArrayMethods):
    """An input or an output of a node: what ops take and give.

    Operators, indexing and the methods of `jax.Array` write nodes. `shape` holds
    integers that remember their expression, and symbolic ones that only a call decides.
    """

    reference: str
    """What stands in the Graph: `node`, `node.output` or the name of an input."""
    trace: Owner
    known: Known
    """What the shape engine knows of it, of a list of each array in it."""
    sizes: tuple[Any, ...] | None
    kind: Literal["tensor", "key", "list"] = "tensor"
    optional: bool = False
    """True where it may be absent."""
    copies: Any = None
    """How many arrays a list has."""

    def __repr__(self) -> str:
        if self.kind == "key":
            return f"Value({self.trace.name}.{self.reference}: key)"
        sizes = "?" if self.sizes is None else f"[{', '.join(map(str, self.sizes))}]"
        dtype = "?" if self.dtype is None else self.dtype
        many = f"list of {self.copies} " if self.kind == "list" else ""
        return f"Value({self.trace.name}.{self.reference}: {many}{dtype}{sizes})"

    @property
    def builder(self) -> Any:
        return self.trace.f

    @property
    def shape(self) -> tuple[Any, ...]:
        """Its sizes.

        Raises:
            SpecError: not even their number is known.
        """
        if self.sizes is None:
            self.fault("builder-size", "expected a known shape, found none")
        return self.sizes

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of its elements, with its expression."""
        return math.prod(self.shape)

    @property
    def dtype(self) -> Any:
        """That of a model in float32; None where it is not known."""
        return None if self.kind == "key" else self.known.dtype

    @property
    def features(self) -> int:
        """The size of the last axis, with its expression.

        Raises:
            SpecError: there is none, or it is not known.
        """
        last = self.sizes[-1] if self.sizes else None
        if last is None:
            found = "no axis" if self.sizes == () else "no known shape"
            self.fault(
                "builder-size",
                f"expected a last axis of known size, found {found}",
                "give the size where it is needed",
            )
        size: int = last
        return size

    def fault(self, code: str, message: str, hint: str = "") -> NoReturn:
        path = f"{self.trace.path}.{self.reference}".removeprefix(".")
        raise SpecError.one(code, path, message, hint)

    def __bool__(self) -> bool:
        self.fault(
            "builder-value",
            "expected a choice that the Graph can make, found an `if` on a value",
            "use f.where or f.cond; `if x is None` is right for inputs that a call may "
            "leave out",
        )

    def __contains__(self, item: object) -> bool:
        self.fault("builder-value", "expected an op, found `in`", "use f.any(x == y)")

    def __iter__(self) -> Iterator[Value]:
        self.fault(
            "builder-value",
            "expected an op, found a loop over a value",
            "f.repeat with scan=False and bx.slices of it goes through a list"
            if self.kind == "list"
            else "use f.split for its parts, f.scan for its slices",
        )

    @property  # JAX asks whether there is one, before it looks at shape and dtype
    def __jax_array__(self) -> NoReturn:
        self.fault(
            "builder-value",
            "expected an op, found a function of JAX on a value, which has no numbers yet",
            "use the op of that name: f.tanh(x) for jnp.tanh(x)",
        )

    def _number(self) -> NoReturn:
        self.fault(
            "builder-value",
            "expected a number of Python, found a value, which has none yet",
            "f.astype converts it",
        )

    __int__ = __float__ = _number

    def __hash__(self) -> int:
        return id(self)

    def __copy__(self) -> Value:
        return self

    def __deepcopy__(self, memo: Any) -> Value:
        return self  # one of another Graph is none


class Values(tuple[Value, ...]):
    """The outputs of a node by name, `split.q`, or by position."""

    names: tuple[str, ...]

    def __new__(cls, names: Iterable[str], values: Iterable[Value]) -> Values:
        made = super().__new__(cls, values)
        made.names = tuple(names)
        return made

    def __getattr__(self, name: str) -> Value:
        if name.startswith("_") or name not in self.names:
            raise AttributeError(
                f"expected one of the outputs {', '.join(self.names)}, found {name}"
            )
        return self[self.names.index(name)]

    def __getnewargs__(self) -> tuple[Any, ...]:
        return self.names, tuple(self)


class Outputs(Values):
    """The outputs of a function of another Graph, by name: `out.k`, `out["k"]`, or by
    position. One alone is a Value where the call gives it."""

    def __getitem__(self, key: Any) -> Any:
        return getattr(self, key) if isinstance(key, str) else super().__getitem__(key)


if TYPE_CHECKING:

    class Given(Value):
        """What a call of a function of another Graph gives: a Value, or its Outputs."""

        def __getattr__(self, name: str) -> Value: ...


@dataclass(frozen=True, slots=True)
class Described:
    """An output of an entry with what is said of it."""

    value: Value
    shape: Sequence[int | str] | None
    dtype: str | None
    next: str | None
    doc: str


def output(
    x: Value,
    *,
    shape: Sequence[int | str] | None = None,
    dtype: str | None = None,
    next: str | None = None,
    doc: str = "",
) -> Value:
    """An output of an entry, with what the Graph promises of it.

        return {"logits": bx.output(y, doc="of the next token"),
                "k": bx.output(k, next="k")}

    Args:
        x: the value.
        shape: its sizes, as in `bx.Input`: checked, for all sizes.
        dtype: its dtype: checked.
        next: the input of which it is the next value, of the same shape and dtype: a
            cache, zero at the start.
        doc: what it is.
    """
    return cast(Value, Described(x, shape, dtype, next, doc))


def part_names(sections: Any) -> list[str]:
    """Names for the parts of a split that has none: `part_0`, `part_1`."""
    count = len(sections) if isinstance(sections, (list, tuple)) else sections
    return [f"part_{i}" for i in range(int(count or 0))]


def values_in(tree: Any) -> Iterator[Value]:
    """The values in a field, in order."""
    if isinstance(tree, Value):
        yield tree
    elif isinstance(tree, dict):
        for part in tree.values():
            yield from values_in(part)
    elif isinstance(tree, (list, tuple)):
        for part in tree:
            yield from values_in(part)


def is_sequence(value: Any) -> bool:
    """True for lists and tuples, with names or without."""
    return isinstance(value, (list, Values)) or (
        isinstance(value, tuple) and (type(value) is tuple or hasattr(value, "_fields"))
    )


def parts_of(sequence: Any) -> Iterator[tuple[Any, Any]]:
    """The parts of a list or tuple by their names or places."""
    names = getattr(
        sequence, "names" if isinstance(sequence, Values) else "_fields", None
    )
    return zip(names or range(len(sequence)), sequence, strict=True)


def like(sequence: Any, parts: Sequence[Any]) -> Any:
    """The parts as a sequence like this one."""
    if isinstance(sequence, Values):
        return type(sequence)(sequence.names, parts)
    if hasattr(sequence, "_fields"):
        return type(sequence)(*parts)
    return tuple(parts) if isinstance(sequence, tuple) else list(parts)
