"""What the writer knows of each function before it writes the first line."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..schema.known import Shapes, Table
from ..schema.names import BUILTINS, GENERATED
from ..schema.parameters import Updated
from ..schema.resolve.program import Instance, Program, Step
from ..schema.resolve.trees import Tree, flatten
from .constants import Constants
from .given import Given, Kinds, returned_numbers
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
    given: Kinds
    """What calls give to inputs."""
    annotations: dict[str, str] = field(default_factory=dict)
    """Those of the inputs that may be numbers."""
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
    layers: bool = False
    """Whether ops that own arrays stay calls, and what is regular is not rolled up: the
    functions become methods of classes."""

    @classmethod
    def of(
        cls,
        program: Program,
        library: Library,
        constants: Constants,
        shapes: Shapes = dict,
        *,
        layers: bool = False,
    ) -> Module:
        graph = program.graph
        groups: dict[str, list[Instance]] = {}
        for instance in program.live_instances():
            groups.setdefault(instance.name, []).append(instance)
        given = Given.of(groups, graph.entries)
        plans: dict[str, Plan] = {}
        returned: dict[str, frozenset[str]] = {}
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
                frozenset(given.numbers.get(name, ())),
                given.kinds.get(name, {}),
            )
            plans[name].python = returned_numbers(
                instances[0],
                given.passed(name),
                returned,
                is_entry=name in graph.entries,
            )
            returned[name] = plans[name].python
        carried = Carried(library)
        return cls(program, library, plans, carried, constants, shapes, layers=layers)

    @cached_property
    def known(self) -> Table:
        """What is known of the arrays of the model."""
        return self.shapes()

    @cached_property
    def carried_on(self) -> frozenset[tuple[str, str]]:
        """Outputs of functions that are the next values of inputs of the same name."""
        steps = (step for plan in self.plans.values() for step in plan.steps)
        return frozenset(
            (step.callees[-1].instance.name, carry)
            for step in steps
            for carry in step.group("carry")
        )

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


def dtype_node(name: str) -> ast.expr:
    return dotted("jnp.bool_" if name == "bool" else f"jnp.{name}")


def leaf_names(tree: Any) -> set[str]:
    return set(tree) if isinstance(tree, dict) else set()


def state_leaves(tree: Tree, *updated: Updated) -> list[str]:
    """The paths of the state in a tree that calls change; `updated`: only by these."""
    return [
        path
        for path, leaf in flatten(tree)
        if leaf.changes and (not updated or leaf.updated in updated)
    ]
