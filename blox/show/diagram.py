"""What a picture of a model shows: boxes and arrows, a part for each function."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from blox.schema import Graph
from blox.schema.content import Input, Output, type_text
from blox.schema.frozen import EMPTY
from blox.schema.known import Table
from blox.schema.op import ScopeOp
from blox.schema.parameters import Leaf
from blox.schema.resolve.program import Arg, Instance, Step
from blox.show.flops import measure
from blox.show.printable import printable
from blox.show.texts import kind_text, shapes_text

LONGEST = 80
"""Characters of a line in a picture."""

Kind = Literal["input", "op", "calls", "array", "output"]


@dataclass(frozen=True, slots=True)
class Box:
    """An input, a node or an output; `array` is a parameter that is a node.

    `id` is made of digits and letters of ours. `lines` are text of the file, printable.
    """

    id: str
    kind: Kind
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arrow:
    """From one box to another; `text` names the output where there are several."""

    source: str
    target: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A function."""

    id: str
    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def parts(graph: Graph, dims: Mapping[str, int] = EMPTY) -> list[Part]:
    """Every function that runs, each once, entries first.

    Nodes have the shapes that they give, where these are the same in all calls.

    Raises:
        SpecError: the Graph is not sound.
        ModelError: dims that no entry has, or that are out of bounds.
    """
    shapes = measure(graph, dims).shapes
    program = graph.program()
    functions: dict[str, list[Instance]] = {name: [] for name in program.entries}
    for instance in reversed(program.live_instances()):
        functions.setdefault(instance.name, []).append(instance)
    return [
        _Drawing(f"f{i}", same, shapes).part()
        for i, same in enumerate(functions.values())
    ]


class _Drawing:
    """Draws a function from its instances, which differ in what they calculate with."""

    def __init__(self, id: str, same: list[Instance], shapes: Table) -> None:
        self._id, self._same, self._shapes = id, same, shapes
        self._first = same[0]
        self._ids = {
            name: f"{id}i{i}" for i, name in enumerate(self._first.function.inputs)
        }
        self._ids |= {
            step.name: f"{id}n{i}" for i, step in enumerate(self._first.steps)
        }
        self._outputs = {step.name: step.outputs for step in self._first.steps}

    def part(self) -> Part:
        function = self._first.function
        boxes = [self._input(name, given) for name, given in function.inputs.items()]
        boxes += [self._node(i) for i in range(len(self._first.steps))]
        arrows = [
            arrow
            for step in self._first.steps
            for arrow in self._arrows(step.arguments(), self._ids[step.name])
        ]
        for i, (name, output) in enumerate(function.outputs.items()):
            box = Box(f"{self._id}o{i}", "output", _lines(_typed(name, output)))
            boxes.append(box)
            arrows += self._arrows([self._first.outputs[name]], box.id)
        title = printable(self._first.name, LONGEST)
        return Part(self._id, title, tuple(boxes), tuple(dict.fromkeys(arrows)))

    def _input(self, name: str, given: Input) -> Box:
        gives = self._gives(name) if given.shape is None else ""
        shown = f"{name}?" if given.optional else name
        return Box(self._ids[name], "input", _lines(_typed(shown, given), gives))

    def _node(self, i: int) -> Box:
        steps = [instance.steps[i] for instance in self._same]
        step = steps[0]
        does = _common(map(kind_text, steps)) or step.op.op
        lines = _lines(step.name, does, self._gives(step.name))
        return Box(self._ids[step.name], _kind(step), lines)

    def _gives(self, name: str) -> str:
        """The shapes of an input or a node, if they are the same in all calls."""
        tables = (self._shapes.get(instance, {}) for instance in self._same)
        return _common(shapes_text(table.get(name, ())) for table in tables)

    def _arrows(self, arguments: Iterable[Arg], target: str) -> Iterator[Arrow]:
        for arg in arguments:
            if arg.source is None:
                continue
            names = self._outputs.get(arg.source, ())
            text = names[arg.output] if len(names) > 1 else ""
            yield Arrow(self._ids[arg.source], target, printable(text, LONGEST))


def _typed(name: str, given: Input | Output) -> str:
    return f"{name} {type_text(given)}".rstrip()


def _lines(*texts: str) -> tuple[str, ...]:
    return tuple(printable(text, LONGEST) for text in texts if text)


def _common(texts: Iterable[str]) -> str:
    """The text that all are, if they are one."""
    found = set(texts)
    return found.pop() if len(found) == 1 else ""


def _kind(step: Step) -> Kind:
    if isinstance(step.op, ScopeOp):
        return "calls"
    return "array" if isinstance(step.tree, Leaf) else "op"
