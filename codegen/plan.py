"""What the writer knows of each function before it writes the first line."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

from ..schema.names import BUILTINS, GENERATED
from ..schema.resolve.program import Instance, Program
from ..schema.resolve.trees import Tree, flatten
from .library.sources import Library
from .library.specialize import Carried
from .nodes import dotted, subscript


@dataclass
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
    needed: set[str] = field(default_factory=set)

    @property
    def first(self) -> Instance:
        return self.instances[0]

    @property
    def stateful(self) -> bool:
        return self.first.stateful

    @property
    def uses_train(self) -> bool:
        return self.first.uses_train

    @property
    def takes_params(self) -> bool:
        return self.is_entry or any(bool(i.tree) for i in self.instances)

    @property
    def takes_dtype(self) -> bool:
        return self.first.needs_float and not self.is_entry

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(self.first.outputs)

    @property
    def returns_dict(self) -> bool:
        """Users get several outputs by name; inside, calls yield tuples."""
        return self.is_entry and len(self.outputs) > 1


@dataclass
class Module:
    """The file that is being written."""

    program: Program
    library: Library
    plans: dict[str, Plan]
    carried: Carried
    dropped: dict[str, frozenset[str]]
    """Parameters of carried functions that this file doesn't need, once it is known."""
    globals: frozenset[str]

    @classmethod
    def of(
        cls,
        program: Program,
        library: Library,
        draft: Carried | None = None,
    ) -> Module:
        """A file to write, which carries over what a draft of it did."""
        graph = program.graph
        groups: dict[str, list[Instance]] = {}
        live = program.live_instances()
        for instance in live:
            groups.setdefault(instance.name, []).append(instance)
        plans = {}
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
                _numbers(live, name),
            )
        names = [] if draft is None else [f.name for f in draft.functions()]
        dropped = {} if draft is None else {n: draft.dropped(n) for n in draft.uses}
        taken = {p.title for p in plans.values()} | {*names} | BUILTINS | GENERATED
        taken |= library.names()
        return cls(program, library, plans, Carried(library), dropped, frozenset(taken))

    def argument(self, text: str) -> str:
        """The name of an argument: the graph's, with `_` where it would hide a global."""
        while text in self.globals:
            text += "_"
        return text

    def float_dtype(self, instance: Instance) -> ast.expr:
        """The model's floating type, read off the first array that has it."""
        path = instance.float_path()
        if path is None:
            return dotted("jnp.float32")
        keys = [int(p) if p.isdigit() else p for p in path.split(".")]
        return ast.Attribute(subscript(dotted("params"), *keys), "dtype")


def _numbers(instances: list[Instance], function: str) -> frozenset[str]:
    """The inputs of a function that get Python numbers, here or there."""
    found: set[str] = set()
    for step in (s for i in instances for s in i.live_steps):
        called = next(
            (c for c in step.callees if c.declared.function == function), None
        )
        if called is None:
            continue
        given = dict(step.args.get("inputs", {}))
        if called.declared.layout == "listed":  # every copy is a call of its own
            given |= step.args["xs"]
            index = getattr(step.op, "index", None)
            found |= {index} if index else set()
        found |= {n for n, a in given.items() if a.source is None}
    return frozenset(found)


def dtype_node(name: str) -> ast.expr:
    return dotted("jnp.bool_" if name == "bool" else f"jnp.{name}")


def leaf_names(tree: Any) -> set[str]:
    return set(tree) if isinstance(tree, dict) else set()


def state_leaves(tree: Tree) -> list[str]:
    """The paths of the state in a tree."""
    return [path for path, leaf in flatten(tree) if leaf.kind == "state"]
