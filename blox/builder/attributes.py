"""Whether a model that is built with other hyper-parameters is the same model resized."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from blox.schema import Graph, SpecError
from blox.schema.diagnostics import Diagnostic, quote
from blox.schema.resolve.program import Instance, Step, flat
from blox.schema.resolve.replace import with_attributes

from .errors import at_users_line

_MOST = 20


@at_users_line
def check_attributes(make: Callable[..., Graph], **attributes: int | float) -> None:
    """Checks that a Graph follows its attributes wherever the code that writes it does.

    A size that lost its expression on the way (`0.5 * width`, `math.sqrt(width)`,
    `if width > 32`) stays the number that it was when somebody resizes the Graph. This
    builds the model again and compares.

        bx.check_attributes(graph, width=128, depth=2)

    Args:
        make: `def graph(**attributes)`, which has a default for each.
        attributes: other values.

    Raises:
        SpecError: what `make()` with these attributes replaced and `make(**attributes)`
            differ in: each node and field, the number that stayed and the one that the
            code writes. Or one of them is no sound Graph.
    """
    written = make(**attributes)
    graph = make()
    resized = Graph.parse(with_attributes(graph, attributes))
    found = []
    for difference in _differences(resized, written):
        found.append(difference)
        if len(found) == _MOST:
            break
    if found:
        raise SpecError(found)
    graph.replace_attributes(**attributes)  # raises what shapes have to say


def _differences(resized: Graph, written: Graph) -> Iterator[Diagnostic]:
    a, b = resized.program(), written.program()
    yield from _numbers("attributes", resized.attributes, written.attributes)
    if list(a.entries) != list(b.entries):
        yield _different("entries", list(b.entries), list(a.entries))
        return
    for name, instance in a.entries.items():
        seen: set[tuple[int, int]] = set()
        yield from _instances(name, instance, b.entries[name], seen)


def _instances(
    path: str, a: Instance, b: Instance, seen: set[tuple[int, int]]
) -> Iterator[Diagnostic]:
    if (id(a), id(b)) in seen:
        return
    seen.add((id(a), id(b)))
    shapes = [
        {n: _evaluated(i, given.shape) for n, given in i.function.inputs.items()}
        for i in (a, b)
    ]
    yield from _numbers(f"{path}.inputs", *shapes)
    names = [[step.name for step in i.steps] for i in (a, b)]
    if names[0] != names[1]:
        yield _different(path, ", ".join(names[1]), ", ".join(names[0]), "nodes")
        return
    for one, other in zip(a.steps, b.steps, strict=True):
        yield from _steps(f"{path}.{one.name}", one, other, seen)


def _steps(
    path: str, a: Step, b: Step, seen: set[tuple[int, int]]
) -> Iterator[Diagnostic]:
    if type(a.op) is not type(b.op):
        yield _different(path, b.op.op, a.op.op)
        return
    functions = {c.declared.field.partition(".")[0] for c in a.callees}
    functions |= {"attributes"} if a.callees else set()  # these are compared inside
    in_file = {
        n: type(a.op).model_fields[n].alias or n for n in a.op.fields().attributes
    }
    fields = {n: name for n, name in in_file.items() if name not in functions}
    values = [{name: getattr(s.op, n) for n, name in fields.items()} for s in (a, b)]
    yield from _numbers(path, *values)
    args = [[arg.value for arg in flat(s.args)] for s in (a, b)]
    for i, (one, other) in enumerate(zip(*args, strict=False)):
        if one != other:
            yield _different(f"{path}[{i}]", other, one)
    for one, other in zip(a.callees, b.callees, strict=False):
        copies = [c.copies if c.declared.unrolled else 1 for c in (one, other)]
        if copies[0] != copies[1]:
            yield _different(path, copies[1], copies[0], "copies")
            continue
        pairs = dict.fromkeys(zip(one.calls, other.calls, strict=False))
        for x, y in pairs or {(one.instance, other.instance): None}:
            yield from _instances(path, x, y, seen)


def _numbers(path: str, a: dict[str, Any], b: dict[str, Any]) -> Iterator[Diagnostic]:
    for name in {**a, **b}:
        if a.get(name) != b.get(name):
            yield _different(f"{path}.{name}", b.get(name), a.get(name))


def _evaluated(instance: Instance, shape: Any) -> Any:
    from blox.schema.expressions import ExpressionError, evaluate
    from blox.schema.fields import is_expression

    def size(given: Any) -> Any:
        if not is_expression(given):
            return given
        try:
            return evaluate(given, instance.values)
        except ExpressionError:
            return given  # of dims

    return None if shape is None else [size(s) for s in shape]


def _different(path: str, wanted: Any, found: Any, what: str = "") -> Diagnostic:
    shown = (w if isinstance(w, str) else quote(w) for w in (wanted, found))
    expected, stayed = shown
    return Diagnostic(
        "builder-attributes",
        path,
        f"expected {what + ' ' if what else ''}{expected}, as the code writes it with "
        f"these attributes, found {stayed} in the Graph",
        "an expression was lost on the way: calculate with b.width, // and integers, or "
        'write it as text, "$width ** -0.5"; what is another structure can\'t follow',
    )
