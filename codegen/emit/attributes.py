"""Attributes of functions that all calls give alike: as the calls write them."""

from __future__ import annotations

import ast

from ..nodes import Known, is_same, literal
from ..plan import Module, Plan
from ..walk import walk
from .sizes import Numbers

Given = dict[str, list[ast.expr]]


def write_attributes(module: Module) -> None:
    """Settles how every function writes the attributes that have one value.

    Those of the Graph are constants. One of a function is what its calls give, should
    they all write the same of constants, else its value.
    """
    constants = module.constants.nodes
    given: dict[str, Given] = {name: {} for name in module.plans}
    for name, plan in reversed(module.plans.items()):  # callers first
        own = {k: v for k, v in plan.uniform.items() if k in plan.first.own}
        plan.written = {
            **constants,
            **{k: _common(given[name].get(k, []), literal(v)) for k, v in own.items()},
        }
        _give(plan, given)


def _give(plan: Plan, given: dict[str, Given]) -> None:
    """Notes what the calls of a function give to others."""
    numbers = Numbers(plan)
    for step in plan.steps:
        node = plan.first.function.nodes[step.name]
        for instance in step.instances:
            for k, value in getattr(node, "attributes", {}).items():
                found = given[instance.name].setdefault(k, [])
                found.append(numbers.value(value))


def _common(given: list[ast.expr], value: ast.expr) -> ast.expr:
    """What all calls give, where that is made of constants, else the value."""
    same = given and all(is_same(given[0], other) for other in given[1:])
    if same and not isinstance(given[0], ast.Tuple) and _is_fixed(given[0]):
        return given[0]
    return value


def _is_fixed(node: ast.expr) -> bool:
    """True of an expression that speaks of nothing but constants."""
    return all(isinstance(n, Known) for n in walk(node) if isinstance(n, ast.Name))
