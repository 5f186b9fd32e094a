"""What a frontend makes of a model: steps in order, between marks of where functions
begin and end. No framework, and no JAX: sizes are integers or whatever stands for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

Size: TypeAlias = Any
"""An integer, or a symbol that calculates and whose text is its expression."""
Path: TypeAlias = tuple[str | int, ...]
"""Where an array lies in the source's tree."""
Number: TypeAlias = int | float | bool | complex
Move: TypeAlias = tuple[str, tuple[int, ...]]
"""`("transpose", permutation)` or `("reshape", shape)`."""


@dataclass(eq=False, slots=True)
class Value:
    """An array that a step gives, or an input.

    Args:
        dtype: as JAX calls it; `"key"` for a PRNG key.
        hint: the name that it would like.
    """

    shape: tuple[Size, ...]
    dtype: str
    hint: str = ""

    @property
    def ndim(self) -> int:
        return len(self.shape)


@dataclass(eq=False, slots=True)
class Param(Value):
    """An array of the source that the Graph keeps.

    Args:
        path: in the source's tree.
        kind: a trained array, one that is not, or one that the model updates.
        stacked: how many axes before those of `shape` count copies.
        moves: what was done to the source's array, one after the other: `("transpose",
            permutation)` or `("reshape", shape)`.
        base: the parameter before all moves.
    """

    path: Path = ()
    kind: Literal["param", "buffer", "state"] = "param"
    stacked: int = 0
    moves: tuple[Move, ...] = ()
    base: Param | None = None

    def moved(self, kind: str, sizes: Sequence[int]) -> Param:
        """The parameter in another layout, which costs nothing where it is a layer's."""
        turned = kind == "transpose"
        shape = tuple(self.shape[i] for i in sizes) if turned else tuple(sizes)
        moves = (*self.moves, (kind, tuple(sizes)))
        return replace(self, shape=shape, moves=moves, base=self.base or self)


Operand: TypeAlias = "Value | Number"


@dataclass(frozen=True, slots=True)
class Line:
    """A statement of the user's code.

    Args:
        target: the name that it assigns, `a, b` where it assigns several, or "".
    """

    file: str
    number: int
    target: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.number}"


@dataclass(eq=False, slots=True)
class Step:
    """A node: an op, what flows in, and what it gives.

    Of a step that runs functions (`repeat`, `scan`, `map`, `cond`, `switch`, `while_loop`)
    the operands are `carry`, `slices` and `inputs`: dicts by input of the functions;
    `step`: the name of the input that is the number of the step; `predicate` or `index`:
    what chooses. Outputs have the names of those
    of the function; those that are named as a `carry` are its last value.

    Args:
        operands: by field: a value, a number, a list of these.
        attributes: by field, with sizes as the source has them.
        outputs: what it gives, in order.
        output_names: their names, where the op has several.
        slots: parameters by the name of the slot: a `Param`, or another value.
        scope: the path of the layer that it stands for.
        functions: by field, what it runs.
        hint: the name that it would like.
    """

    op: str
    operands: dict[str, Any]
    attributes: dict[str, Any]
    outputs: list[Value]
    output_names: tuple[str, ...] = ()
    slots: dict[str, Value] = field(default_factory=dict)
    scope: Path | None = None
    functions: dict[str, Region] = field(default_factory=dict)
    hint: str = ""
    line: Line | None = None


@dataclass(eq=False, slots=True)
class Enter:
    """Here a function of the source begins.

    Args:
        name: of the class or function.
        scope: the path of the module, where it is one that has arrays.
        arguments: its arguments by name, as far as they are values.
        remat: the policy by which its values are computed again in gradients, or "".
        doc: what it says of itself, on one line.
        line: the statement that calls it.
    """

    name: str
    scope: Path | None = None
    arguments: dict[str, Value] = field(default_factory=dict)
    remat: str = ""
    doc: str = ""
    line: Line | None = None


@dataclass(eq=False, slots=True)
class Exit:
    """Here it ends."""


@dataclass(eq=False, slots=True)
class Region:
    """A function of the source: steps and the regions in it, in order.

    Args:
        inputs: names by value, in order, once they are known.
        outputs: values by name, once they are known.
        copies: of what a repeat runs, by paths in it, the path in the source that each copy
            has.
        varies: True of what a repeat runs if numbers in it differ from copy to copy.
        node: the name that the call would like.
        line: the statement of the call.
    """

    name: str
    items: list[Step | Region] = field(default_factory=list)
    scope: Path | None = None
    arguments: dict[str, Value] = field(default_factory=dict)
    inputs: dict[Value, str] = field(default_factory=dict)
    outputs: dict[str, Value] = field(default_factory=dict)
    remat: str = ""
    doc: str = ""
    copies: dict[Path, tuple[Path, ...]] = field(default_factory=dict)
    varies: bool = False
    node: str = ""
    line: Line | None = None

    @property
    def count(self) -> int:
        """How many copies it has, 0 where it is no function of such."""
        return len(next(iter(self.copies.values()), ()))

    def copied(self, path: Path) -> list[Path]:
        """The paths in the source that a path in it is, by copy."""
        for own, others in self.copies.items():
            if path[: len(own)] == own:
                return [(*other, *path[len(own) :]) for other in others]
        raise KeyError(path)


@dataclass(frozen=True, slots=True)
class Each:
    """A number that is another one in each copy of a function.

    Args:
        owner: the function.
    """

    values: tuple[Number, ...]
    owner: Region = field(repr=False)


Item: TypeAlias = Step | Enter | Exit


def values_in(tree: Any) -> Iterator[Value]:
    """The values in operands, in order."""
    if isinstance(tree, Value):
        yield tree
    elif isinstance(tree, Mapping):
        for part in tree.values():
            yield from values_in(part)
    elif isinstance(tree, Sequence) and not isinstance(tree, str):
        for part in tree:
            yield from values_in(part)
