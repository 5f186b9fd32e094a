"""A tree of regions as a Graph: each region is a Python function that the builder runs.

So calls that write the same nodes share a function, those that differ by numbers share one
with attributes, and what comes out is checked as what people write is.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import blox as bx
from blox.schema import op_class
from blox.schema.names import name_of

from .closing import COPYING
from .known import Known, Writer, key_of
from .regions import fresh, snake
from .stored import Leaf, stored_in
from .trace import Param, Region, Step, Value


class RegionFunction:
    """A region as a function that a builder takes: `f`, then its inputs."""

    def __init__(
        self,
        caller: Frame | Writer,
        region: Region,
        place: Sequence[str] = (),
        repeated: bool = False,
        listed: bool = False,
        caches: Collection[str] = (),
    ) -> None:
        """
        Args:
            place: where its arrays lie below those of the caller.
            repeated: True where it has arrays of its own for each copy.
            listed: True where these lie in a list.
            caches: inputs of which the outputs of these names are the next values.
        """
        self.region, self.caches = region, caches
        outer = caller if isinstance(caller, Frame) else None
        self.writer = caller.writer if isinstance(caller, Frame) else caller
        around = () if outer is None else outer.around
        self.around = (*around, region) if repeated else around
        number = (f"{{{len(around)}}}",) if listed else ()
        self.prefix = (*(() if outer is None else outer.prefix), *place, *number)
        self.__name__ = name_of(snake(region.name))
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        own = list(region.inputs.values())
        names = [fresh(own, "f"), *own]
        parameters = [inspect.Parameter(n, kind) for n in names]
        self.turn = fresh(names, "copy") if region.varies else ""
        """The argument that is the number of the copy, where copies differ."""
        if self.turn:
            only = inspect.Parameter.KEYWORD_ONLY
            parameters.append(inspect.Parameter(self.turn, only))
        self.__signature__ = inspect.Signature(parameters)
        self.doc = region.doc
        self.turns = {} if outer is None else dict(outer.turns)

    def __call__(self, f: Any, *values: Any, **named: Any) -> Any:
        region = self.region
        if self.turn:
            self.turns[region] = int(named.pop(self.turn))
        frame = Frame(f, self.writer, region, self.prefix, self.around)
        frame.turns = dict(self.turns)
        for value, built in zip(region.inputs, [*values, *named.values()], strict=True):
            frame.know(value, built)
        for item in region.items:
            if isinstance(item, Region):
                frame.call(item)
            else:
                frame.step(item)
        found = {n: frame.value(v) for n, v in region.outputs.items()}
        for name in found.keys() & self.caches:
            found[name] = bx.output(found[name], next=name)
        alone = list(found) == ["out"] and "out" not in region.inputs.values()
        return found["out"] if alone else found


class Frame(Known):
    """One run of a region's function, which writes its nodes."""

    def step(self, step: Step) -> None:
        """Writes a node."""
        if step.functions:
            self.control(step)
            return
        fields = {name: self.given(x) for name, x in step.operands.items()}
        attributes = {n: self.said(a) for n, a in step.attributes.items()}
        if step.op == "index":
            self.know(step.outputs[0], fields["x"][tuple(attributes.pop("at"))])
            return
        name, slots = self.slots(step)
        made = self.f.op(step.op, name=name, **fields, **attributes, **slots)
        outputs = made if isinstance(made, tuple) else (made,)
        for value, built in zip(step.outputs, outputs, strict=True):
            self.know(value, built)

    def slots(self, step: Step) -> tuple[str | None, dict[str, Any]]:
        """The name of a node, and where its arrays lie."""
        own = {
            n: s
            for n, s in step.slots.items()
            if isinstance(s, Param)
            and key_of(s.base or s) not in self.values
            and self.writer.stored[s.path].is_slot(step, n)
        }
        fields: dict[str, Any] = {
            n: self.value(s) for n, s in step.slots.items() if n not in own
        }
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
            options["remat"] = region.remat
        run = self.f.call(name, RegionFunction(self, region, place), **options)
        self.take(region.outputs, run(*(self.value(v) for v in region.inputs)))

    def control(self, step: Step) -> None:
        """Writes a loop or a branch."""
        name, place = self._named(step)
        options = {n: self.said(a) for n, a in step.attributes.items()}
        if place != (name,):
            options["params"] = ".".join(place) or "."
        roles = list(step.functions)
        repeated = step.op in COPYING and not step.attributes.get("shared")
        listed = repeated and not step.attributes.get("scan", True)
        functions = [
            RegionFunction(
                self,
                step.functions[role],
                place if len(roles) == 1 else (*place, _branch(role)),
                repeated,
                listed,
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
        turns = {
            fn.turn: bx.each(range(step.attributes["count"]))
            for fn in functions
            if fn.turn
        }
        made = run(**self._flowing(step), **turns)
        self.take(dict(zip(step.output_names, step.outputs, strict=True)), made)

    def _named(self, step: Step) -> tuple[str, tuple[str, ...]]:
        """The name of a node that runs functions, and where the arrays of these lie."""
        if step.scope is not None:
            place = self.place(step.scope)
            return self.new("_".join(place) or step.hint or step.op), place
        wanted = self.new(step.hint or step.op)
        name = self.writer.places.free(self.prefix, wanted, id(step))
        return name, (name,)

    def _flowing(self, step: Step) -> dict[str, Any]:
        """What flows into the functions of a node, by the names of their inputs."""
        groups = ("carry", "slices", "inputs")
        given: dict[str, Any] = {}
        for group in groups:
            for name, operand in step.operands.get(group, {}).items():
                built = self.given(operand)
                given[name] = bx.slices(built) if group == "slices" else built
        if "step" in step.operands:
            given[step.operands["step"]] = bx.index()
        return given

    def take(self, outputs: Mapping[str, Value], made: Any) -> None:
        """Remembers what a call gave."""
        alone = len(outputs) == 1 and isinstance(made, bx.Value)
        for name, value in outputs.items():
            self.know(value, made if alone else made[name])


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
    caches: Collection[str] = (),
) -> tuple[bx.Graph, dict[str, Leaf]]:
    """The Graph of a tree of regions, and where its arrays lie.

    Args:
        caches: inputs of which the outputs of these names are the next values.
    """
    builder = bx.GraphBuilder(name)
    for dim, bounds in dims.items():
        builder.dim(dim, **bounds)
    function = RegionFunction(Writer(stored_in(root)), root, caches=caches)
    builder.entry(function, **inputs)
    return builder.graph(), function.writer.leaves
