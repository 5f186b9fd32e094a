"""A tree of regions as a Graph: each region is a Python function that the builder runs.

So calls that write the same nodes share a function, those that differ by numbers share one
with attributes, and what comes out is checked as what people write is.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import blox as bx
from blox.schema import op_class
from blox.schema.names import name_of

from .regions import fresh, identifier, is_under, snake
from .sizes import Sizes
from .trace import Param, Path, Region, Step, Value


@dataclass(frozen=True, slots=True)
class Leaf:
    """Where arrays of the source lie in Params.

    Args:
        path: in Params.
        param: as the Graph has it, one copy.
        sources: the paths in the source, of each copy one.
        counts: how many copies each repeat around it has, the outer one first.
    """

    path: str
    param: Param
    sources: tuple[Path, ...]
    counts: tuple[int, ...] = ()


@dataclass
class Writer:
    """Writes regions into a builder.

    Args:
        leaves: the arrays of the Graph, by their place.
    """

    leaves: dict[str, Leaf] = field(default_factory=dict)

    def keep(self, path: str, param: Param, around: Sequence[Region]) -> None:
        """Remembers where an array lies.

        Args:
            around: the regions that it lies in and that have copies, the outer one first.
        """
        sources = [param.path]
        for region in reversed(around):
            own = len(region.scope or ())
            sources = [(*copy, *s[own:]) for copy in region.copies for s in sources]
        counts = tuple(len(region.copies) for region in around)
        self.leaves.setdefault(path, Leaf(path, param, tuple(sources), counts))


class RegionFunction:
    """A region as a function that a builder takes: `f`, then its inputs."""

    def __init__(
        self, caller: Frame | None, region: Region, place: Sequence[str]
    ) -> None:
        """
        Args:
            place: where its arrays lie below those of the caller.
        """
        self.region = region
        self.writer = Writer() if caller is None else caller.writer
        around = () if caller is None else caller.around
        self.around = (*around, region) if region.copies else around
        self.prefix = (*(() if caller is None else caller.prefix), *place)
        self.__name__ = name_of(snake(region.name))
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        names = ["f", *region.inputs.values()]
        self.__signature__ = inspect.Signature(
            [inspect.Parameter(n, kind) for n in names]
        )
        self.doc = ""

    def __call__(self, f: Any, *values: Any, **named: Any) -> Any:
        given = [*values, *named.values()]
        frame = Frame(f, self.writer, self.region, self.prefix, self.around)
        frame.values |= dict(zip(self.region.inputs, given, strict=True))
        for item in self.region.items:
            if isinstance(item, Region):
                frame.call(item)
            else:
                frame.step(item)
        found = {n: frame.value(v) for n, v in self.region.outputs.items()}
        return found["out"] if list(found) == ["out"] else found


@dataclass
class Frame:
    """One run of a region's function."""

    f: Any
    writer: Writer
    region: Region
    prefix: tuple[str, ...]
    around: tuple[Region, ...]
    values: dict[Value, Any] = field(default_factory=dict)

    @property
    def scope(self) -> Path:
        return self.region.scope or ()

    def new(self, wanted: str) -> str:
        """A name that no node has."""
        trace = self.f._trace
        return fresh([*trace.nodes, *trace.inputs], name_of(identifier(wanted)))

    def place(self, path: Path) -> tuple[str, ...]:
        """A path of the source as the names of a path in Params, below this function."""
        names: list[str] = []
        for part in path[len(self.scope) :]:
            if names and str(part).isdigit():
                names[-1] += f"_{part}"
            else:
                names.append(identifier(part))
        return tuple(map(name_of, names))

    def keep(self, path: Sequence[str], param: Param) -> None:
        """Remembers where an array lies."""
        whole = ".".join([*self.prefix, *path])
        self.writer.keep(whole, param, self.around)

    def value(self, value: Value) -> Any:
        """What the builder has for it."""
        if value in self.values:
            return self.values[value]
        if isinstance(value, Param):
            self.values[value] = self.declared(value)
            return self.values[value]
        raise KeyError(
            f"{self.region.name}: {value.hint or value.shape} is not defined"
        )

    def declared(self, param: Param) -> Any:
        """A node that is an array of the model."""
        place = self.place(param.path)
        name = self.new(place[-1])
        self.keep(place, param)
        options: dict[str, Any] = {}
        if place != (name,):
            options["params"] = ".".join(place)
        op = {"param": self.f.param, "buffer": self.f.buffer, "state": self.f.state}
        dtype = "float" if param.dtype == "float32" else param.dtype
        return op[param.kind](name, list(param.shape), dtype=dtype, **options)

    def given(self, operand: Any) -> Any:
        """An operand as the builder takes it."""
        if isinstance(operand, Value):
            return self.value(operand)
        if isinstance(operand, (list, tuple)):
            return [self.given(part) for part in operand]
        return Sizes(self.values).resolved(operand)

    def step(self, step: Step) -> None:
        """Writes a node."""
        if step.functions:
            self.control(step)
            return
        sizes = Sizes(self.values)
        fields = {name: self.given(x) for name, x in step.operands.items()}
        attributes = {n: sizes.resolved(a) for n, a in step.attributes.items()}
        if step.op == "index":
            at = tuple(attributes.pop("at"))
            self.values[step.outputs[0]] = fields["x"][at]
            return
        name, slots = self.slots(step)
        made = self.f.op(step.op, name=name, **fields, **attributes, **slots)
        outputs = made if isinstance(made, tuple) else (made,)
        self.values |= dict(zip(step.outputs, outputs, strict=True))

    def slots(self, step: Step) -> tuple[str | None, dict[str, Any]]:
        """The name of a node, and where its arrays lie."""
        own = {
            n: s
            for n, s in step.slots.items()
            if isinstance(s, Param)
            and s not in self.values
            and step.scope is not None
            and is_under(step.scope, self.scope)
        }
        fields: dict[str, Any] = {
            n: self.value(s) for n, s in step.slots.items() if n not in own
        }
        needs = op_class(step.op)
        assert needs is not None
        if not own:
            hint = step.hint or (step.op if _is_named(step.op) or step.slots else "")
            return (self.new(hint) if hint else None), fields
        place = self.place(step.scope or ())
        name = self.new("_".join(place) or step.hint or step.op)
        if place != (name,):
            fields["params"] = ".".join(place) or "."
        for slot, param in own.items():
            self.keep((*place, slot), param)
        return name, fields

    def call(self, region: Region) -> None:
        """Writes the call of a region."""
        place = self.place(region.scope or ())
        name = self.new("_".join(place) or region.node or snake(region.name))
        options: dict[str, Any] = {}
        if place != (name,):
            options["params"] = ".".join(place) or "."
        if region.remat:
            options["remat"] = "full"
        run = self.f.call(name, RegionFunction(self, region, place), **options)
        made = run(*(self.value(v) for v in region.inputs))
        self.take(region.outputs, made)

    def control(self, step: Step) -> None:
        """Writes a loop or a branch."""
        place = self.place(step.scope) if step.scope is not None else ()
        name = self.new("_".join(place) or step.hint or step.op)
        options = {
            n: Sizes(self.values).resolved(a) for n, a in step.attributes.items()
        }
        if step.scope is not None and place != (name,):
            options["params"] = ".".join(place) or "."
        roles = list(step.functions)
        below = place if step.scope is not None else (name,)
        functions = [
            RegionFunction(
                self,
                step.functions[role],
                below if len(roles) == 1 else (*below, _branch(role)),
            )
            for role in roles
        ]
        method = getattr(self.f, step.op)
        if step.op == "switch":
            run = method(name, self.given(step.operands["index"]), functions, **options)
        elif step.op == "cond":
            run = method(
                name, self.given(step.operands["predicate"]), *functions, **options
            )
        else:
            run = method(name, *functions, **options)
        given = {
            **{n: self.given(v) for n, v in step.operands.get("carry", {}).items()},
            **{
                n: bx.slices(self.given(v))
                for n, v in step.operands.get("slices", {}).items()
            },
            **{n: self.given(v) for n, v in step.operands.get("inputs", {}).items()},
        }
        if "step" in step.operands:
            given[step.operands["step"]] = bx.index()
        made = run(**given)
        self.take(dict(zip(step.output_names, step.outputs, strict=True)), made)

    def take(self, outputs: Mapping[str, Value], made: Any) -> None:
        """Remembers what a call gave."""
        if len(outputs) == 1 and isinstance(made, bx.Value):
            self.values[next(iter(outputs.values()))] = made
            return
        for name, value in outputs.items():
            self.values[value] = made[name]


def _branch(role: str) -> str:
    """The name below a node under which the arrays of one of its functions lie."""
    return role.replace("branches.", "branch_")


def _is_named(op: str) -> bool:
    from blox.builder.fields import needs_name

    cls = op_class(op)
    assert cls is not None
    return needs_name(cls)


def write(
    root: Region,
    inputs: Mapping[str, bx.Input],
    name: str,
    dims: Mapping[str, Mapping[str, int]],
) -> tuple[bx.Graph, dict[str, Leaf]]:
    """The Graph of a tree of regions, and where its arrays lie."""
    builder = bx.GraphBuilder(name)
    for dim, bounds in dims.items():
        builder.dim(dim, **bounds)
    function = RegionFunction(None, root, ())
    builder.entry(function, **inputs)
    return builder.graph(), function.writer.leaves
