"""What flows through a function that is being written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeAlias

from blox.schema import SpecError
from blox.schema.diagnostics import quote
from blox.shapes.values import Shape
from blox.shapes.values import Value as Known

from .lanes import Lanes


class Owner(Protocol):
    """The function that a value belongs to, while it is written."""

    name: str
    lanes: Lanes


@dataclass(frozen=True, slots=True)
class Flow:
    """What is known of an array before there is one.

    Args:
        values: in each lane, that of symbolic sizes first; None where it is absent.
        last: how the size of the last axis is written, such as `"$width"`.
        kind: `tensor` or `key`.
        optional: it may be absent.
        absent: a call left it out.
    """

    values: tuple[Known | None, ...]
    last: str | int | None = None
    kind: str = "tensor"
    optional: bool = False
    absent: bool = False

    @property
    def shape(self) -> Shape | None:
        """Its sizes, None where not even their number is known."""
        known = self.values[0]
        return None if known is None or self.kind == "key" else known.shape

    @property
    def dtype(self) -> Any:
        """That of a model in float32; None where it is not known."""
        known = self.values[0]
        return None if known is None or self.kind == "key" else known.dtype


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Value:
    """An input or an output of a node: what ops take and give.

    `shape` is a tuple of integers and symbolic dimensions, or None where it is not
    known; `dtype` is that of a model in float32. Values have no arithmetic: nodes have
    names, so a sum is `f.add("sum", x, y)`.
    """

    reference: str
    """What stands in the Graph: `node`, `node.output` or the name of an input."""
    flow: Flow
    owner: Owner

    def __repr__(self) -> str:
        dtype = self.flow.kind if self.flow.dtype is None else self.flow.dtype
        shown = self.owner.lanes.engine.symbols.shown(show(self.shape))
        return f"Value({self.owner.name}.{self.reference}: {dtype}{shown})"

    @property
    def shape(self) -> Shape | None:
        return self.flow.shape

    @property
    def dtype(self) -> Any:
        return self.flow.dtype

    @property
    def features(self) -> int | str:
        """The size of the last axis as it is written: `"$width"`, or a number.

        Raises:
            SpecError: it is not known, or a dim that only a call decides.
        """
        if self.flow.last is None:
            found = "no axis" if self.shape == () else f"shape {show(self.shape)}"
            raise SpecError.one(
                "builder-size",
                f"{self.owner.name}.{self.reference}",
                f"expected a last axis of known size, found {found}",
                "give the size where it is needed",
            )
        return self.flow.last

    def _no_arithmetic(self, other: object) -> NoReturn:
        raise SpecError.one(
            "builder-value",
            f"{self.owner.name}.{self.reference}",
            "expected an op, found an operator of Python",
            'nodes have names: f.add("sum", x, y)',
        )

    if not TYPE_CHECKING:  # to a type checker there are none
        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _no_arithmetic
        __truediv__ = __rtruediv__ = __matmul__ = __rmatmul__ = _no_arithmetic
        __pow__ = __rpow__ = __getitem__ = _no_arithmetic

    def __bool__(self) -> bool:
        raise SpecError.one(
            "builder-value",
            f"{self.owner.name}.{self.reference}",
            "expected a choice that the Graph can make, found an `if` on a value",
            "use f.where or f.cond; an optional input goes to an operand that is "
            "optional, or to f.default",
        )


class Values(tuple[Value, ...]):
    """The outputs of an op that has several: unpack them, or take them by name."""

    names: tuple[str, ...]

    def __new__(cls, names: Sequence[str], values: Iterable[Value]) -> Values:
        made = super().__new__(cls, values)
        made.names = tuple(names)
        return made

    def __getattr__(self, name: str) -> Value:
        if name.startswith("_") or name not in self.names:
            raise AttributeError(f"no output {name!r}; have {', '.join(self.names)}")
        return self[self.names.index(name)]


Operand: TypeAlias = Value | int | float | str
"""A value, a number, or an expression such as `"$head_dim ** -0.5"`."""


@dataclass(frozen=True, slots=True)
class Input:
    """The declaration of an input of an entry.

    Args:
        shape: sizes, names of dims, expressions such as `"$width"`; `"..."` stands for
            any leading axes, `"_"` for any size.
        dtype: `"float"` is the model's floating type; `"key"` is a PRNG key.
        optional: it may be left out, and reaches only operands that are optional.
        doc: what it is.
    """

    shape: Sequence[int | str]
    dtype: str = "float"
    optional: bool = False
    doc: str = ""


def show(shape: Shape | None) -> str:
    """`[batch, seq, 64]`, or `?`."""
    return "?" if shape is None else f"[{', '.join(str(s) for s in shape)}]"


def check_list(path: str, shape: Any) -> None:
    """Refuses a text, whose characters would each be a dim."""
    if isinstance(shape, str) or not isinstance(shape, Sequence):
        raise SpecError.one(
            "builder-shape",
            path,
            f"expected a list of sizes, found {quote(shape)}",
            'such as ["batch", 3]; [] is the shape of a number',
        )
