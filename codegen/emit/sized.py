"""Shapes of the model's arrays as the Graph writes them: `(DEPTH, WIDTH, 3 * WIDTH)`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...schema.expressions import ExpressionError, evaluate, parse
from ...schema.fields import is_expression
from ...schema.op import Op
from ...schema.parameters import Leaf
from ...schema.resolve.program import Called, Instance, Program, Step
from ..constants import Constants
from ..nodes import Keyword, Known, known, literal
from ..walk import walk

Sizes = dict[str, "Sizes"] | list["Sizes"] | tuple[Any, ...]
"""Shapes in the nesting of Params; of a number that is a `Sized`, how it is written."""


class Part(dict[str, "Sizes"]):
    """The sizes of the arrays of a function, where it is called."""

    title: str
    given: dict[str, int]
    """Its attributes that are sizes, as the caller writes them."""
    shared: dict[str, Sizes]
    """The sizes of its arrays, where each of these is written by its own name."""

    def of(self, sizes: dict[str, Sizes]) -> Part:
        """The same call, of copies that have these sizes together."""
        part = Part(sizes)
        part.title, part.given, part.shared = self.title, self.given, self.shared
        return part


class Sized(int):
    """A size that remembers how it is written; what is calculated of it does too."""

    node: ast.expr


def sized(number: int, node: ast.expr) -> int:
    """`number` as `node` writes it, if that speaks of a constant or an argument."""
    if not any(isinstance(n, Known | Keyword) for n in walk(node)):
        return number
    result = Sized(number)
    result.node = node
    return result


def written(size: int) -> ast.expr:
    """A size as source."""
    return size.node if isinstance(size, Sized) else literal(size)


_WITH_ONE = (ast.Mult, ast.FloorDiv)
"""What changes nothing with a 1 behind it, such as `width // groups`."""


def _operator(name: str, op: ast.operator) -> tuple[Callable[..., Any], ...]:
    """`a op b` and `b op a` of sizes."""
    plain = getattr(int, name)

    def left(a: Sized, b: Any) -> Any:
        number = plain(a, b)
        if number is NotImplemented:
            return number
        if b == 1 and not isinstance(b, Sized) and isinstance(op, _WITH_ONE):
            return a
        return sized(number, ast.BinOp(a.node, op, written(b)))

    def right(b: Sized, a: Any) -> Any:
        number = plain(a, b)
        if number is NotImplemented:
            return number
        return sized(number, ast.BinOp(written(a), op, b.node))

    return left, right


for _name, _op in {
    "add": ast.Add(), "sub": ast.Sub(), "mul": ast.Mult(), "floordiv": ast.FloorDiv(),
    "mod": ast.Mod(),
}.items():  # fmt: skip
    _left, _right = _operator(f"__{_name}__", _op)
    setattr(Sized, f"__{_name}__", _left)
    setattr(Sized, f"__r{_name}__", _right)


def sizes_of(program: Program, constants: Constants) -> Sizes:
    """The sizes of all arrays of a Program that constants of its file can write."""
    if not constants.nodes and len(program.instances) == len(program.entries):
        return {}
    env = {k: _sized(node.number, node) for k, node in constants.nodes.items()}
    writer = _Writer(env)
    result: Sizes = {}
    for instance in program.entries.values():
        result = _join(result, writer.instance(instance, env))
    return result


def _sized(number: Any, node: ast.expr) -> Any:
    return sized(number, node) if isinstance(number, int) else number


@dataclass
class _Writer:
    """The sizes of one Program; `root` are the attributes of the Graph."""

    root: Mapping[str, Any]
    made: dict[object, dict[str, Sizes]] = field(default_factory=dict)
    shared: dict[int, dict[str, Sizes]] = field(default_factory=dict)

    def instance(self, instance: Instance, env: Mapping[str, Any]) -> dict[str, Sizes]:
        """The sizes of the arrays of a function, given what its attributes are."""
        sizes = {k: env[k] for k in instance.own if isinstance(env[k], int)}
        own = [(k, ast.dump(written(size))) for k, size in sizes.items()]
        key = (id(instance), tuple(own))
        if key not in self.made:
            found: dict[str, Sizes] = {}
            for step in instance.steps:
                part: Sizes = self._step(instance, step, env) if step.tree else {}
                for name in reversed(step.scope):
                    part = {name: part}
                for name, inner in part.items() if isinstance(part, dict) else ():
                    found[name] = _join(found[name], inner) if name in found else inner
            self.made[key] = found
        return self.made[key]

    def _part(self, instance: Instance, env: Mapping[str, Any]) -> Part:
        """The sizes of the arrays of a function where it is called."""
        part = Part(self.instance(instance, env))
        part.title = instance.name
        own = {k: env[k] for k in instance.own}
        part.given = {k: n for k, n in own.items() if type(n) in (int, Sized)}
        if id(instance) not in self.shared:
            roots = [n.node for n in self.root.values() if isinstance(n, Sized)]
            taken = {node.id for node in roots if isinstance(node, ast.Name)}
            named = {
                k: sized(n, known(k, n))
                for k, n in part.given.items()
                if k not in taken
            }
            self.shared[id(instance)] = self.instance(instance, {**env, **named})
        part.shared = self.shared[id(instance)]
        return part

    def _step(self, instance: Instance, step: Step, env: Mapping[str, Any]) -> Sizes:
        node = instance.function.nodes[step.name]
        if not step.callees:
            return _own(step, node, env)
        found: dict[str, Sizes] = {}
        for called in step.callees:
            part = self._copies(called, node, env)
            if called.declared.role is None:
                return part
            found[called.declared.role] = part
        return found

    def _copies(self, called: Called, node: Op, env: Mapping[str, Any]) -> Sizes:
        given: Mapping[str, Any] = getattr(node, "attributes", {})
        parts: list[Sizes] = [
            self._part(
                instance,
                {
                    **self.root,
                    **{k: _value(v, given[k], env) for k, v in instance.own.items()},
                },
            )
            for instance in called.cycle
        ]
        count = called.declared.copies
        if not isinstance(count, int):
            return parts[0]
        if called.declared.layout == "stacked":
            return _stack(parts[0], _value(count, getattr(node, "count", None), env))
        if called.declared.layout == "shared":
            return parts[0]
        rounds, more = divmod(count, len(parts))
        return parts * rounds + parts[:more]


def _own(step: Step, node: Op, env: Mapping[str, Any]) -> Sizes:
    """The sizes of the arrays of a node, from its fields as the Graph writes them."""
    changes = {}
    for name in type(node).model_fields:
        text, value = getattr(node, name), getattr(step.op, name)
        if is_expression(text) or (
            isinstance(text, list) and any(map(is_expression, text))
        ):
            changes[name] = _value(value, text, env)
    if not changes:
        return {}
    leaves = step.op.unchecked_copy(**changes).leaves()
    if isinstance(step.tree, Leaf):
        return tuple(leaves[""].shape)
    return {n: tuple(leaf.shape) for n, leaf in leaves.items() if n in step.tree}


def _value(value: Any, text: Any, env: Mapping[str, Any]) -> Any:
    """A value that the Graph writes as `text`; lists likewise."""
    if isinstance(value, list | tuple) and isinstance(text, list | tuple):
        return [_value(v, t, env) for v, t in zip(value, text, strict=True)]
    if isinstance(value, bool) or not isinstance(value, int) or not is_expression(text):
        return value
    if any(isinstance(n, ast.Call) for n in walk(parse(text))):
        return value  # min and max give one of two sizes, whichever it is now
    try:
        return evaluate(text, env)
    except ExpressionError:
        return value


def _stack(sizes: Sizes, count: int) -> Sizes:
    if isinstance(sizes, tuple):
        return (count, *sizes)
    if isinstance(sizes, dict):
        parts = {name: _stack(part, count) for name, part in sizes.items()}
        return sizes.of(parts) if isinstance(sizes, Part) else parts
    alike = {
        id(part): _stack(part, count) for part in {id(p): p for p in sizes}.values()
    }
    return [alike[id(part)] for part in sizes]


def _join(a: Sizes, b: Sizes) -> Sizes:
    """Both; where they meet, the first that has a size knows how it is written."""
    if isinstance(a, Part) and isinstance(b, Part) and a.shared is b.shared:
        return a
    if isinstance(a, dict) and isinstance(b, dict):
        both = dict(a)
        for name, part in b.items():
            both[name] = _join(a[name], part) if name in a else part
        return both
    return a
