"""The classes of a file: one for each function that owns arrays, one for the entries."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Set
from functools import partial
from typing import Any

from ...schema.callee import Callee, Layout
from ...schema.op import ScopeOp
from ...schema.parameters import Leaf
from ...schema.resolve.program import Step
from ..emit.sizes import Numbers
from ..emit.uses import OpUse
from ..nodes import Keyword
from ..plan import Module, Plan
from .layers import layer_values
from .members import (
    Blueprint,
    Group,
    Layer,
    Member,
    Part,
    Stored,
    add,
    refused,
)
from .sizes import stored_shapes

Uses = Mapping[str, Mapping[str, OpUse]]


def class_title(text: str) -> str:
    """`tiny_gpt` as `TinyGpt`."""
    return "".join(part[:1].upper() + part[1:] for part in re.split("_+", text))


def blueprints(module: Module, uses: Uses) -> dict[str, Blueprint]:
    """The class of each function that takes parameters, by the function's name.

    Raises:
        GenerationError: what the Graph says can't be said by classes.
    """
    owners = _owners(module)
    found: dict[str, Blueprint] = {}
    made: dict[str, Blueprint] = {}
    for title, owner in owners.items():
        if owner not in made:
            text = module.program.graph.name if owner == "" else owner
            made[owner] = Blueprint(module.names.fresh(class_title(text)), [])
        made[owner].plans.append(module.plans[title])
        found[title] = made[owner]
    root = made.pop("")
    for blueprint in [*made.values(), root]:
        for plan in blueprint.plans:
            for step in plan.first.steps:
                if step.tree:
                    _place(blueprint, plan, step, uses, found)
    for owner, blueprint in (*made.items(), ("", root)):
        blueprint.plans.sort(key=partial(_is_beside, owner))
    return found


def _is_beside(owner: str, plan: Plan) -> bool:
    """True of a function that is a method beside that which a class is made for."""
    return plan.first.name != owner if owner else not plan.is_entry


def _owners(module: Module) -> dict[str, str]:
    """The function whose class each function belongs to, nothing for the entries'.

    A function that is called at the scope of its caller is a method beside it.
    """
    owners = {
        name: "" if plan.is_entry else name
        for name, plan in module.plans.items()
        if plan.takes_params
    }
    for name, step, callee in _calls(module):
        path = step.path
        if callee not in owners:
            continue
        entry = module.plans[callee].is_entry
        if entry and step.scope:
            raise refused(path, "a call of an entry at its own arrays", "another path")
        if entry and not module.plans[name].is_entry:
            raise refused(path, "a call of an entry by an entry", "one by a function")
        if not step.scope and not entry:
            if step.callee().declared.role is not None or len(step.callees) > 1:
                raise refused(path, "a path of its own", "that of its function")
            owners[callee] = name
    for name in owners:
        while owners[name] not in ("", name) and (owners[owners[name]] != owners[name]):
            owners[name] = owners[owners[name]]
    for name, step, callee in _calls(module):
        if callee in owners and not step.scope and owners[callee] != owners[name]:
            wanted = "one function that shares its arrays with another"
            raise refused(step.path, wanted, "several")
    return owners


def _calls(module: Module) -> Iterator[tuple[str, Step, str]]:
    for name, plan in module.plans.items():
        for step in plan.steps:
            for called in step.callees:
                yield name, step, called.instance.name


def _place(
    blueprint: Blueprint,
    plan: Plan,
    step: Step,
    uses: Uses,
    found: Mapping[str, Blueprint],
) -> None:
    """Puts the arrays of one node at their place in a class."""
    path, name = step.path, plan.first.name
    if isinstance(step.op, ScopeOp):
        node = plan.first.function.nodes[step.name]
        member = _parts(step, node, plan, found)
        if step.scope and member is not None:
            add(blueprint.members, step.scope, member, path)
        elif isinstance(member, dict):
            for role, part in member.items():
                add(blueprint.members, (role,), part, path)
        return
    own = _leaves(plan, step)
    use = uses[name].get(step.name)
    one = step.scope and not isinstance(step.tree, Leaf) and not _is_shared(plan, step)
    if use is not None and one:
        add(blueprint.members, step.scope, Layer(step, use, plan, own), path)
        return
    shapes = stored_shapes(plan, step, own)
    for n, leaf in own.items():
        scope = (*step.scope, n) if n else step.scope
        add(blueprint.members, scope, Stored(leaf, shapes[n]), path)


def _is_shared(plan: Plan, step: Step) -> bool:
    """True of a node with another node's arrays below its own path, as `kernel.values`."""
    size = len(step.scope)
    return any(
        len(other.scope) > size and other.scope[:size] == step.scope
        for other in plan.steps
        if other.tree
    )


def _leaves(plan: Plan, step: Step) -> dict[str, Leaf]:
    """The arrays of an op, of the shapes that all nodes at its path together give."""
    tree: Any = plan.first.tree
    for part in step.scope:
        tree = tree[part]
    if isinstance(step.tree, Leaf):
        return {"": tree}
    return {n: tree[n] for n in map(str, step.tree)}


def _parts(
    step: Step, node: Any, plan: Plan, found: Mapping[str, Blueprint]
) -> Member | None:
    """The modules of a node that runs functions."""
    roles: Group = {}
    for called in step.callees:
        if not called.instance.tree:
            continue
        callee = called.instance.name
        if callee not in found:
            raise refused(step.path, "functions that run", "one that does not")
        declared = called.declared
        attributes = getattr(node, "attributes", {})
        layout, count = _copies(step, declared, node)
        part = Part(found[callee], attributes, plan, layout, count)
        if found[callee].is_root or (not step.scope and declared.role is None):
            return None
        if declared.role is None:
            return part
        roles[declared.role] = part
    return roles or None


def _copies(step: Step, declared: Callee, node: Any) -> tuple[Layout | None, Any]:
    """How the modules of copies lie, and how many there are; None for one module.

    Raises:
        GenerationError: copies share what a module can't be for all of them.
    """
    if declared.layout == "shared":
        cycles = any(isinstance(v, list) for v in node.attributes.values())
        if cycles or step.stateful:
            what = (
                "attributes of copies" if cycles else "state that goes through copies"
            )
            raise refused(step.path, "copies that share all of a module", what)
    if declared.layout not in ("stacked", "listed"):
        return None, None
    return declared.layout, getattr(node, "count", None)


def settle_arguments(blueprint: Blueprint, read: Set[str]) -> None:
    """Settles what the constructor takes: what sizes, layers or methods speak of.

    Args:
        blueprint: the class; those that it has modules of are settled.
        read: the attributes of its functions that its methods read.
    """
    plan = blueprint.plans[0]
    used: set[str] = set()
    for value in _values(blueprint.members):
        used |= {n.id for n in ast.walk(value) if isinstance(n, Keyword)}
    if len(blueprint.plans) > 1 and (used or read):
        path = blueprint.plans[1].first.name
        raise refused(path, "functions without attributes at one scope", "attributes")
    if clash := sorted(read & blueprint.members.keys()):
        raise refused(clash[0], "nodes and attributes of different names", "one name")
    blueprint.kept = tuple(n for n in plan.varying if n in read)
    blueprint.arguments = tuple(n for n in plan.varying if n in used | read)


def _values(members: Group) -> Iterator[ast.expr]:
    """What the constructor gives to members."""
    for member in members.values():
        match member:
            case Stored(shape=shape):
                yield shape
            case Layer():
                yield from layer_values(member)
            case Part(of=of, attributes=given, plan=plan, count=count):
                numbers = Numbers(plan)
                for n in of.arguments:
                    value = given[n]
                    items = value if isinstance(value, list) else [value]
                    yield from (numbers.value(v) for v in items)
                if count is not None:
                    yield numbers.value(count, "int")
            case _:
                yield from _values(member)
