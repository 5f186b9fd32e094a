"""What the writer knows of each function before it writes the first line."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..schema.known import Shapes, Table
from ..schema.names import BUILTINS, GENERATED
from ..schema.resolve.program import Instance, Program, Step
from ..schema.resolve.trees import Tree, flatten
from .constants import Constants
from .library.sources import Library
from .library.specialize import Carried
from .names import Names
from .nodes import Dtype, dotted


@dataclass(eq=False)
class Plan:
    """One function of the file: all instances of a function of the spec.

    `uniform` are attributes of one value at all calls, constants in the file; `varying`
    become keyword arguments, those of `needed` that its body speaks of.
    """

    title: str
    instances: list[Instance]
    uniform: dict[str, Any]
    varying: tuple[str, ...]
    is_entry: bool
    numbers: frozenset[str]
    """Inputs that some call gives a number."""
    written: dict[str, ast.expr] = field(default_factory=dict)
    """How `uniform` attributes stand in the file: as a number, or by constants."""
    needed: set[str] = field(default_factory=set)
    takes_dtype: bool = False
    """True where none of its own arrays has the model's dtype, which it needs."""
    aliases: dict[str, str] = field(default_factory=dict)
    """Other names of the functions that its own arguments hide from it."""
    python: frozenset[str] = frozenset()
    """Outputs that may be Python numbers, as some input is one."""

    @property
    def first(self) -> Instance:
        return self.instances[0]

    @cached_property
    def steps(self) -> list[Step]:
        return self.first.live_steps

    @cached_property
    def stateful(self) -> bool:
        return self.first.stateful

    @cached_property
    def uses_train(self) -> bool:
        return self.first.uses_train

    @cached_property
    def takes_params(self) -> bool:
        return self.is_entry or any(bool(i.tree) for i in self.instances)

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(self.first.outputs)

    @property
    def returns_dict(self) -> bool:
        """Users get several outputs by name; inside, calls yield tuples."""
        return self.is_entry and len(self.outputs) > 1

    @property
    def arguments(self) -> Iterator[str]:
        """The names that users know, which are never renamed."""
        yield from self.first.function.inputs
        yield from self.varying

    @cached_property
    def float_keys(self) -> tuple[str | int, ...]:
        """Where in its parameters the first array of the model's dtype lies, if any."""
        paths = {instance.float_path() for instance in self.instances}
        path = paths.pop() if len(paths) == 1 else None
        parts = path.split(".") if path is not None else []
        return tuple(int(p) if p.isdigit() else p for p in parts)

    def dtype(self, text: str) -> ast.expr:
        """A dtype; the model's floating type is read off an array, or handed on."""
        return Dtype("dtype") if text == "float" else dtype_node(text)


@dataclass
class Module:
    """The file that is being written."""

    program: Program
    library: Library
    plans: dict[str, Plan]
    carried: Carried
    constants: Constants
    shapes: Shapes = dict
    names: Names = field(default_factory=lambda: Names(frozenset()))
    """Those of the file."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What `emit.onward` knows of the functions that are written, by name."""
    globals: frozenset[str] = frozenset()
    """What no local of a function may hide."""

    @classmethod
    def of(
        cls,
        program: Program,
        library: Library,
        constants: Constants,
        shapes: Shapes = dict,
    ) -> Module:
        graph = program.graph
        groups: dict[str, list[Instance]] = {}
        for instance in program.live_instances():
            groups.setdefault(instance.name, []).append(instance)
        numbers = _Numbers.of(groups)
        plans: dict[str, Plan] = {}
        for name, instances in groups.items():
            own = instances[0].own
            varying = tuple(
                k for k in own if len({repr(i.own[k]) for i in instances}) > 1
            )
            same = {k: v for k, v in own.items() if k not in varying}
            title = graph.name if name == "main" and name in graph.entries else name
            plans[name] = Plan(
                title,
                instances,
                {**graph.attributes, **same},
                varying,
                name in graph.entries,
                frozenset(numbers.given.get(name, ())),
            )
            passed = numbers.passed.get(name, ())
            plans[name].python = _python(plans[name], passed, plans)
        return cls(program, library, plans, Carried(library), constants, shapes)

    @cached_property
    def known(self) -> Table:
        """What is known of the arrays of the model."""
        return self.shapes()

    def settle(self) -> None:
        """Gives every function its name, once it is known what the file carries over.

        Names of the user stay: those of the file move, with a `_` behind them.
        """
        titles = {plan.title for plan in self.plans.values()}
        arguments = {a for plan in self.plans.values() for a in plan.arguments}
        modules = self.library.names() | BUILTINS | GENERATED
        constants = self.constants.titles
        names = Names(titles | arguments | modules | constants)
        self.names = names
        self.carried.settle(names)
        aliases: dict[str, str] = {}
        for plan in self.plans.values():
            mine = {*plan.arguments}
            called = {
                self.plans[i.name].title for step in plan.steps for i in step.instances
            }
            for title in sorted(called & mine):
                if title not in aliases:
                    aliases[title] = names.fresh(title)
                plan.aliases[title] = aliases[title]
        self.globals = frozenset(names.taken | titles | modules | constants)

    def aliases(self) -> dict[str, str]:
        """Other names of functions, by their own."""
        return {k: v for plan in self.plans.values() for k, v in plan.aliases.items()}


@dataclass
class _Numbers:
    """By function: the inputs that are Python numbers, here or there."""

    given: dict[str, set[str]] = field(default_factory=dict)
    """Those that a call gives a number."""
    passed: dict[str, set[str]] = field(default_factory=dict)
    """Those that may be one, as what a call gives may be the caller's own number."""

    @classmethod
    def of(cls, groups: dict[str, list[Instance]]) -> _Numbers:
        found = cls()
        for name in reversed(groups):  # callers first
            for instance in groups[name]:
                values = set(found.passed.get(name, ()))
                for step in instance.live_steps:
                    found.add(step, values)
        return found

    def add(self, step: Step, values: set[str]) -> None:
        """Adds a step to the numbers among `values`, and to those that callees get."""
        given = [a for a in step.arguments() if a.source is not None]
        if not step.callees:
            if given and not step.tree and all(a.source in values for a in given):
                values.add(step.name)
            return
        if any(a.source in values for a in given):
            values.add(step.name)
        for called in step.callees:
            inputs = dict(step.group("inputs"))
            numbers: set[str] = set()
            if called.declared.layout == "listed":  # every copy is a call of its own
                inputs |= step.group("xs")
                index = called.declared.index
                numbers |= {index} if index else set()
            numbers |= {n for n, a in inputs.items() if a.source is None}
            passed = numbers | {n for n, a in inputs.items() if a.source in values}
            function = called.declared.function
            self.given.setdefault(function, set()).update(numbers)
            self.passed.setdefault(function, set()).update(passed)


def _python(
    plan: Plan, inputs: Iterable[str], plans: Mapping[str, Plan]
) -> frozenset[str]:
    """The outputs that may be Python numbers, as inputs are; those of callees are known."""
    found: set[tuple[str | None, int]] = {(n, 0) for n in inputs}
    # Users too may give numbers, which are returned as they are.
    given = {*plan.first.function.inputs} if plan.is_entry else set[str]()
    for step in plan.steps:
        if step.callees:
            called = [plans[name].python for name in {i.name for i in step.instances}]
            inner = frozenset[str]().union(*called)
            found |= {(step.name, i) for i, o in enumerate(step.outputs) if o in inner}
        elif not step.tree:
            args = [a for a in step.arguments() if a.source is not None]
            if args and all((a.source, a.output) in found for a in args):
                found |= {(step.name, i) for i in range(len(step.outputs))}
    return frozenset(
        name
        for name, arg in plan.first.outputs.items()
        if arg.source in given or (arg.source, arg.output) in found
    )


def dtype_node(name: str) -> ast.expr:
    return dotted("jnp.bool_" if name == "bool" else f"jnp.{name}")


def leaf_names(tree: Any) -> set[str]:
    return set(tree) if isinstance(tree, dict) else set()


def state_leaves(tree: Tree) -> list[str]:
    """The paths of the state in a tree."""
    return [path for path, leaf in flatten(tree) if leaf.kind == "state"]
