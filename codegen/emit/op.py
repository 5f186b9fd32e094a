"""Ops as source: an expression, a function of JAX, or a call of a carried function."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from ...schema.op import Op
from ...schema.ops.indexing import index_parts
from ...schema.parameters import Leaf
from ...schema.registry import definition
from ...schema.resolve.program import Arg, Step
from ..library.sources import OpSource
from ..library.specialize import Use
from ..nodes import call, name, subscript, tuple_of
from ..plan import leaf_names

if TYPE_CHECKING:
    from .function import FunctionWriter


def write_op(writer: FunctionWriter, step: Step) -> None:
    """Writes a node that is an op."""
    op = step.op
    found = definition(op.op)
    assert found is not None
    source = writer.module.library.op(found)
    fields = op.fields()
    args: list[Arg] = []
    sizes: list[int | None] = []
    for field in fields.operands:
        value = step.args[field]
        sizes.append(len(value) if isinstance(value, list) else None)
        args += value if isinstance(value, list) else [value]
    slots = [s for s in fields.slots if s in step.args]
    args += [step.args[s] for s in slots]
    attributes = _attributes(writer, step, source)
    use: Use | None = None
    one_of_several = len(step.outputs) == 1 and step.outputs != op.OUTPUTS

    def build(values: list[ast.expr]) -> ast.expr:
        nonlocal use  # of the last try, which is the one that is written
        operands: list[ast.expr | None] = []
        rest = iter(values)
        flat = iter(args)
        for size in sizes:
            if size is None:
                value, arg = next(rest), next(flat)
                absent = arg.source is None and arg.value is None
                operands.append(None if absent else value)
            else:
                operands.append(ast.List([next(rest) for _ in range(size)]))
                for _ in range(size):
                    next(flat)
        given = {s: next(rest) for s in slots}
        value, use = _source(writer, step, source, operands, given, attributes)
        return subscript(value, 0) if one_of_several else value

    several = step.stateful or len(step.outputs) > 1
    lead = 7 + len(step.name) + (16 if several else 0)
    built = writer.combine(step.name, args, build, lead)
    if use is not None:
        writer.module.carried.use(found.home, source.name, use)
    if several:
        writer.statement(step, built.value)
    elif isinstance(step.tree, Leaf):
        writer.values[step.name] = [built.value]
    else:
        writer.wait(step, built)


def _attributes(
    writer: FunctionWriter, step: Step, source: OpSource
) -> dict[str, ast.expr]:
    """The attributes that the op's function takes, as source."""
    original: Op = writer.instance.function.nodes[step.name]
    fields = original.fields()
    result: dict[str, ast.expr] = {}
    for field in fields.attributes:
        if source.alias is None and field not in source.parameters:
            continue
        value: Any = getattr(original, field)
        default = type(original).model_fields[field].default
        if source.alias is not None and value == default in (None, False):
            continue  # as JAX has it; what says more than "no" is always written
        if field == "dtype":
            result[field] = writer.dtype(value)
        elif field == "at":
            result[field] = _index(writer, value)
        else:
            is_float = field in fields.floats
            result[field] = writer.value(value, "float" if is_float else "int")
    if original.TRAIN:
        result["train"] = name("train")
    return result


def _index(writer: FunctionWriter, text: str) -> ast.expr:
    """What stands between the brackets."""

    def part(value: Any) -> ast.expr:
        if value == "...":
            return ast.Constant(...)
        if isinstance(value, tuple):
            bounds = (None if b is None else writer.value(b, "int") for b in value)
            return ast.Slice(*bounds)
        return writer.value(value, "int")

    return tuple_of([part(p) for p in index_parts(text)])


def _source(
    writer: FunctionWriter,
    step: Step,
    source: OpSource,
    operands: list[ast.expr | None],
    given: dict[str, ast.expr],
    attributes: dict[str, ast.expr],
) -> tuple[ast.expr, Use | None]:
    """The op over these values, and what is used of a function that is carried over."""
    if source.alias is not None:
        return call(source.alias, _positional(operands), attributes), None
    parameters = list(source.parameters)
    positions = parameters[: len(operands)]
    stored = {} if isinstance(step.tree, Leaf) else step.tree
    assert isinstance(stored, dict)
    own = writer.params(step)
    if isinstance(step.tree, Leaf):
        operands = [*operands, own]
        positions = parameters[: len(operands)]
    values: dict[str, ast.expr] = {
        p: v for p, v in zip(positions, operands, strict=True) if v is not None
    }
    values.update(given)
    others = {**{n: subscript(own, n) for n in stored}, **attributes}
    inline = source.expression(values, others)
    if inline is not None:
        return inline, None
    maybe = {
        p
        for p, field in zip(positions, step.op.fields().operands, strict=False)
        if isinstance(step.args.get(field), Arg) and step.args[field].optional
    }
    present = frozenset({*values, *stored} - maybe)
    use = Use(attributes, present, frozenset(maybe & set(values)))
    dropped = writer.module.dropped.get(source.name, frozenset())
    kept = [v for p, v in zip(positions, operands, strict=True) if p not in dropped]
    result = call(source.name, _positional(kept), given)
    if stored and _is_whole(writer, step):
        result.keywords.append(ast.keyword(None, own))
    else:
        result.keywords += [ast.keyword(n, subscript(own, n)) for n in stored]
    for field, value in attributes.items():
        default = source.parameters[field]
        same = default is not None and ast.dump(default) == ast.dump(value)
        if field not in dropped and not same:
            result.keywords.append(ast.keyword(field, value))
    return result, use


def _positional(operands: list[ast.expr | None]) -> list[ast.expr]:
    while operands and operands[-1] is None:
        operands = operands[:-1]
    return [ast.Constant(None) if v is None else v for v in operands]


def _is_whole(writer: FunctionWriter, step: Step) -> bool:
    """Whether what lies at the step's scope is just what its function takes."""
    tree: Any = writer.instance.tree
    for part in step.scope:
        tree = tree[part]
    return leaf_names(tree) == leaf_names(step.tree)
