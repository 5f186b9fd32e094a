"""What is known of all classes of a file while its methods are written."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..nodes import assign, name
from ..plan import Module, Plan
from .layers import LayerClass
from .members import Blueprint, Layer


@dataclass
class Classes:
    """What methods need to know of all classes of a file."""

    module: Module
    functions: Mapping[str, Blueprint]
    """The class of each function that takes parameters, by its name."""
    layers: Mapping[Layer, LayerClass]
    plans: dict[str, Plan] = field(default_factory=dict)
    """The functions by the names that they have in the file."""
    ops: dict[str, str] = field(default_factory=dict)
    """The ops that are carried over, by the names that they have in the file."""

    def __post_init__(self) -> None:
        for plan in self.module.plans.values():
            self.plans[plan.title] = plan
            for title in plan.aliases:
                target = next(p for p in self.module.plans.values() if p.title == title)
                self.plans[plan.aliases[title]] = target
        self.ops = {title: op for op, title in self.module.carried.titles.items()}

    def alias(self, plan: Plan) -> list[ast.stmt]:
        """The statement that gives a function another name, where one needs it."""
        aliases = self.module.aliases()
        if plan.title not in aliases:
            return []
        return [assign(aliases[plan.title], name(plan.title))]

    def blueprint(self, plan: Plan) -> Blueprint | None:
        return self.functions.get(plan.first.name)
