"""Whether two runs of steps do the same, and what in one stands for what in the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from blox.builder.fields import takes_expressions
from blox.schema import op_class

from .regions import is_under, made
from .trace import Each, Param, Path, Region, Size, Step, Value, values_in

Part: TypeAlias = Step | Region
Key: TypeAlias = Value | tuple[Any, ...]


def key_of(value: Value) -> Key:
    """What two uses of an array have in common: a parameter is known by its path."""
    if isinstance(value, Param):
        return value.path, value.moves, value.kind
    return value


@dataclass
class Match:
    """One run of parts beside another, its template.

    Args:
        own: the values that the other run makes.
        values: what stands in the other run for each value of the template.
        free: the values of the template that it does not make itself, in order.
        scopes: paths of modules in the template, and those in the other run.
        differs: numbers are others, or attributes.
    """

    own: set[Value]
    values: dict[Key, Value] = field(default_factory=dict)
    free: dict[Key, Value] = field(default_factory=dict)
    scopes: dict[Path, Path] = field(default_factory=dict)
    differs: bool = False

    def parts(self, a: Sequence[Part], b: Sequence[Part]) -> bool:
        """True where the runs do the same, but for numbers and for what flows in."""
        return len(a) == len(b) and all(map(self._part, a, b))

    def param(self, of: Param) -> Param:
        """The array of the other run that stands for one of the template."""
        found = self.values[key_of(of)]
        assert isinstance(found, Param)
        return found

    def scopes_fit(self, places: Mapping[Path, Path]) -> bool:
        """True where modules of the template lie in it as those of the other run do.

        Args:
            places: by paths of the template, those of the other run.
        """

        def other(path: Path) -> Path:
            for own, place in places.items():
                if is_under(path, own):
                    return (*place, *path[len(own) :])
            return path

        return all(other(a) == b for a, b in self.scopes.items())

    def _part(self, a: Part, b: Part) -> bool:
        if isinstance(a, Region) or isinstance(b, Region):
            return (
                isinstance(a, Region)
                and isinstance(b, Region)
                and (a.name, a.remat) == (b.name, b.remat)
                and self._scope(a.scope, b.scope)
                and self._copies(a, b)
                and self.parts(a.items, b.items)
            )
        return (
            (a.op, a.output_names) == (b.op, b.output_names)
            and self._scope(a.scope, b.scope)
            and self._tree(a.operands, b.operands)
            and self._tree(a.slots, b.slots)
            and self._attributes(a, b)
            and a.functions.keys() == b.functions.keys()
            and all(map(self._body, a.functions.values(), b.functions.values()))
            and self._made(a.outputs, b.outputs)
        )

    def _copies(self, a: Region, b: Region) -> bool:
        if a.count != b.count or len(a.copies) != len(b.copies) or a.varies != b.varies:
            return False
        return all(
            self._scope(own, other)
            and all(map(self._scope, a.copies[own], b.copies[other]))
            for own, other in zip(a.copies, b.copies, strict=True)
        )

    def _attributes(self, a: Step, b: Step) -> bool:
        """Numbers may be others where a Graph can have expressions of them."""
        if a.attributes.keys() != b.attributes.keys():
            return False
        for name, value in a.attributes.items():
            before, self.differs = self.differs, False
            if not self._tree(value, b.attributes[name]):
                return False
            if self.differs and not takes_expressions(op_class(a.op), name, value):
                return False
            self.differs |= before
        return True

    def _body(self, a: Region, b: Region) -> bool:
        """The function of a loop or branch: its inputs are values of its own."""
        self.own |= b.inputs.keys()
        return (
            list(a.inputs.values()) == list(b.inputs.values())
            and self._made([*a.inputs], [*b.inputs])
            and self._part(a, b)
            and list(a.outputs) == list(b.outputs)
            and self._tree(a.outputs, b.outputs)
        )

    def _made(self, a: Sequence[Value], b: Sequence[Value]) -> bool:
        if len(a) != len(b) or not all(map(alike, a, b)):
            return False
        self.values |= dict(zip(a, b, strict=True))
        return True

    def _scope(self, a: Path | None, b: Path | None) -> bool:
        if a is None or b is None:
            return a is b
        return self.scopes.setdefault(a, b) == b

    def _tree(self, a: Any, b: Any) -> bool:
        if isinstance(a, Value):
            return isinstance(b, Value) and self._value(a, b)
        if isinstance(a, Mapping):
            return a.keys() == b.keys() and all(self._tree(a[k], b[k]) for k in a)
        if isinstance(a, (list, tuple)):
            same = isinstance(b, (list, tuple)) and len(a) == len(b)
            return same and all(map(self._tree, a, b))
        if isinstance(a, slice):
            return isinstance(b, slice) and same_text(a, b)
        if isinstance(a, Each):
            return isinstance(b, Each) and a.values == b.values
        if is_number(a) and is_number(b):
            self.differs |= a != b and not (a != a and b != b)
            return type(a) is type(b)
        return same_text(a, b)

    def _value(self, a: Value, b: Value) -> bool:
        found = self.values.get(key_of(a))
        if found is not None:
            return key_of(found) == key_of(b)
        if b in self.own or not alike(a, b):
            return False
        self.values[key_of(a)] = b
        self.free[key_of(a)] = a
        return True


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def same_text(a: Any, b: Any) -> bool:
    """True for sizes, texts and flags that are the same."""
    return type(a) is type(b) and str(a) == str(b)


def alike(a: Value, b: Value) -> bool:
    """True for arrays of the same kind, shape and dtype."""
    if type(a) is not type(b) or a.dtype != b.dtype or not same_sizes(a.shape, b.shape):
        return False
    if isinstance(a, Param) and isinstance(b, Param):
        return (a.kind, a.stacked, a.moves) == (b.kind, b.stacked, b.moves)
    return True


def same_sizes(a: Sequence[Size], b: Sequence[Size]) -> bool:
    return list(map(str, a)) == list(map(str, b))


def matched(template: Sequence[Part], other: Sequence[Part]) -> Match | None:
    """What in the other run stands for what in the template; None where they differ."""
    match = Match({v for part in other for v in made(part)})
    return match if match.parts(template, other) else None


class Shapes:
    """A number for each part, the same for those that may match."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._known: dict[Part, int] = {}

    def of(self, part: Part) -> int:
        if part not in self._known:
            self._known[part] = self._of(part)
        return self._known[part]

    def _of(self, part: Part) -> int:
        if isinstance(part, Region):
            key: Any = (part.name, part.remat, *map(self.of, part.items))
        else:
            sizes = [(str(o.shape), o.dtype) for o in part.outputs]
            fields = (*part.operands, *part.slots, *part.attributes)
            flowing = tuple(_flowing(part))
            bodies = [(n, self.of(b)) for n, b in part.functions.items()]
            key = (part.op, fields, tuple(sizes), flowing, tuple(bodies))
        return self._numbers.setdefault(key, len(self._numbers))


def _flowing(step: Step) -> Iterator[Any]:
    for value in (*values_in(step.operands), *values_in(step.slots)):
        yield isinstance(value, Param), str(value.shape)
