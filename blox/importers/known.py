"""What a function of the builder knows while a region is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from blox.schema.names import name_of

from .places import Places
from .regions import fresh, identifier
from .sizes import Sizes
from .stored import Leaf, Stored, undone
from .trace import Each, Move, Param, Path, Region, Value


@dataclass
class Writer:
    """Writes regions into a builder.

    Args:
        stored: how arrays of the source are kept, by their path there.
        leaves: the arrays of the Graph, by their place.
        places: whose the names in paths of Params are.
    """

    stored: Mapping[Path, Stored]
    leaves: dict[str, Leaf] = field(default_factory=dict)
    places: Places = field(default_factory=Places)

    def keep(self, path: str, param: Param, around: Sequence[Region]) -> None:
        """Remembers where an array lies.

        Args:
            around: the bodies of repeats that it lies in, the outer one first.
        """
        sources = [param.path]
        for region in reversed(around):
            if region.copies:
                copies = zip(*map(region.copied, sources), strict=True)
                sources = [source for copy in copies for source in copy]
        counts = tuple(region.count or None for region in around)
        self.leaves.setdefault(path, Leaf(path, param, tuple(sources), counts))


@dataclass
class Known:
    """One run of a region's function."""

    f: Any
    writer: Writer
    region: Region
    prefix: tuple[str, ...]
    around: tuple[Region, ...]
    values: dict[Any, Any] = field(default_factory=dict)
    sizes: Sizes = field(default_factory=Sizes)
    turns: Mapping[Region, int] = field(default_factory=dict)
    """The number of the copy that is being written, of functions with copies that differ."""

    @property
    def scope(self) -> Path:
        return self.region.scope or ()

    def new(self, wanted: str) -> str:
        """A name that no node has."""
        trace = self.f._trace
        return fresh([*trace.nodes, *trace.inputs], name_of(identifier(wanted)))

    def place(self, path: Path) -> tuple[str, ...]:
        """A path of the source as the names of a path in Params, below this function."""
        return self.writer.places.below(self.prefix, self.scope, path)

    def keep(self, path: Sequence[str], param: Param) -> None:
        """Remembers where an array lies."""
        whole = ".".join([*self.prefix, *path])
        self.writer.keep(whole, param, self.around)

    def know(self, value: Value, built: Any) -> None:
        """Remembers what the builder has for a value."""
        self.values[key_of(value)] = built
        if getattr(built, "kind", "") == "tensor":
            self.sizes.learn(value, built)

    def value(self, value: Value) -> Any:
        """What the builder has for a value."""
        key = key_of(value)
        if key not in self.values:
            if not isinstance(value, Param):
                name = value.hint or f"a value of the shape {value.shape}"
                raise KeyError(f"{self.region.name}: {name} is not defined")
            self.values[key] = self._array(value)
        return self.values[key]

    def _array(self, param: Param) -> Any:
        """An array of the model, in the layout that the source sees."""
        base = param.base or param
        if key_of(base) in self.values:
            return self._moved(self.values[key_of(base)], param.moves)
        kept = self.writer.stored[param.path]
        built = self.values.get(key_of(kept.param))
        if built is None:
            built = self.values[key_of(kept.param)] = self._declared(kept)
        if param.moves == kept.param.moves:
            return built
        raw = self._moved(built, undone(kept.param))
        return self._moved(raw, param.moves)

    def _declared(self, kept: Stored) -> Any:
        """A node that is an array of the model as it is kept."""
        place = kept.place(self.place)
        param = kept.param
        name = self.new(place[-1])
        self.keep(place, param)
        options: dict[str, Any] = {}
        if place != (name,):
            options["params"] = ".".join(place)
        op = {"param": self.f.param, "buffer": self.f.buffer, "state": self.f.state}
        plain = param.dtype == "float32"
        fixed = param.kind == "buffer" or (
            param.kind == "state" and kept.scope is not None
        )
        if plain and fixed:  # stays float32 in a model of another dtype
            built = op[param.kind](name, list(param.shape), dtype="float32", **options)
            return self.f.op("astype", x=built, dtype="float")
        dtype = "float" if plain else param.dtype
        return op[param.kind](name, list(param.shape), dtype=dtype, **options)

    def _moved(self, built: Any, moves: Sequence[Move]) -> Any:
        """An array in another layout."""
        for kind, sizes in moves:
            if kind == "reshape":
                built = self.f.op("reshape", x=built, shape=list(sizes))
            elif list(sizes) == [1, 0]:
                built = self.f.op("swapaxes", x=built, axis1=-2, axis2=-1)
            else:
                built = self.f.op("transpose", x=built, permutation=list(sizes))
        return built

    def given(self, operand: Any) -> Any:
        """An operand as the builder takes it."""
        if isinstance(operand, Value):
            return self.value(operand)
        if isinstance(operand, (list, tuple)):
            return [self.given(part) for part in operand]
        return self.said(operand)

    def said(self, attribute: Any) -> Any:
        """An attribute as the builder takes it."""
        return self.sizes.resolved(self._of_copy(attribute))

    def _of_copy(self, tree: Any) -> Any:
        if isinstance(tree, Each):
            return tree.values[self.turns[tree.owner]]
        if isinstance(tree, (list, tuple)):
            return [self._of_copy(part) for part in tree]
        return tree


def key_of(value: Value) -> Any:
    """What tells values apart: of parameters their path and layout."""
    if isinstance(value, Param):
        return value.path, value.stacked, value.moves
    return value
