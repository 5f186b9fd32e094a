"""Nodes replaced, put in and taken out, by functions that write others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from blox.builder.change import change
from blox.builder.original import Node
from blox.builder.values import Value
from blox.schema import Graph, SpecError
from blox.schema.diagnostics import listing, quote
from blox.schema.resolve.places import entry_of
from blox.schema.resolve.program import Instance
from blox.schema.resolve.program import Step as Run

from .owners import arrays, expect_texts, runs
from .plan import Step, same_paths

Writer = Callable[..., Any]


def replaced(graph: Graph, nodes: str, writer: Writer) -> Step:
    """Something else in place of the nodes that a glob over `function.node` matches."""
    _expect_writer(writer, "def writer(f, node): return f.relu(node())")
    new = change(graph, {nodes: writer})
    return Step(graph, new, same_paths(graph, new))


def inserted(
    graph: Graph, writer: Writer, after: str | None, before: str | None, of: str | None
) -> Step:
    """What a writer makes of a value, in its place behind a node or before it.

    Args:
        graph: the model.
        writer: `writer(f, x)`.
        after: a glob over nodes: x is what they give.
        before: a glob over nodes: x is what they get.
        of: the operand that is meant by `before`, by default the first.
    """
    if (after is None) == (before is None) or (of is not None and before is None):
        _fault(
            "",
            "expected one of after= and before=, and of= along with before=",
            'edit.insert(writer, after="block.up")',
        )

    _expect_writer(writer)

    def behind(f: Any, node: Node) -> Any:
        return writer(f, node())

    def ahead(f: Any, node: Node) -> Any:
        given = _operand(node, of)
        return given.node_with(writer(f, given.value))

    glob = after if after is not None else before
    new = change(graph, {glob or "": behind if after is not None else ahead})
    return Step(graph, new, same_paths(graph, new))


def removed(graph: Graph, nodes: Sequence[str], by: str | None) -> Step:
    """Nodes left out: what used their value gets that of an operand of theirs.

    Args:
        graph: the model.
        nodes: globs over `function.node`.
        by: the operand, by default the first.
    """

    if not nodes:
        _fault("", "expected a glob over function.node, found none")
    expect_texts(nodes)

    def without(f: Any, node: Node) -> Any:
        return _operand(node, by).value

    new = change(graph, dict.fromkeys(nodes, without))
    return Step(graph, new, same_paths(graph, new))


def headed(graph: Graph, output: str | None, writer: Writer, entry: str | None) -> Step:
    """Something else in place of the node that gives an output.

    Args:
        graph: the model.
        output: of the entry, by default the one that it has.
        writer: `writer(f, x)`, x being the first operand of the node.
        entry: by default the first.
    """
    _expect_writer(writer)
    instance = entry_of(graph.program().entries, entry)
    outputs = list(instance.outputs)
    if output is None and len(outputs) == 1:
        output = outputs[0]
    if output not in outputs:
        _fault(
            instance.name,
            f"expected an output ({listing(outputs)}), found {quote(output)}",
            f"output={outputs[0]!r} says which" if output is None else "",
        )
    instance, step = _giving(instance, output or "")

    def head(f: Any, node: Node) -> Any:
        return writer(f, _operand(node, None).value)

    new = change(graph, {f"{instance.name}.{step.name}": head})
    own = (instance.name, step.name)
    kept = {
        array
        for path, _, run in runs(graph.program(), without=own)
        for _, array in arrays(path, run)
    }  # those of the old head alone are not carried to a new one of its name
    own_alone = graph.program().leaves().keys() - kept
    return Step(graph, new, same_paths(graph, new, own_alone))


def _giving(instance: Instance, output: str) -> tuple[Instance, Run]:
    """The function and the node that give an output, behind all calls.

    Raises:
        SpecError: it is an input.
    """
    while True:
        arg = instance.outputs[output]
        step = next((s for s in instance.steps if s.name == arg.source), None)
        if step is None:
            _fault(
                f"{instance.name}.outputs.{output}",
                f"expected an output that a node gives, found the input {arg.source}",
            )
        if step.op.op != "call":
            return instance, step
        output, instance = step.outputs[arg.output], step.callees[0].instance


@dataclass(frozen=True)
class _Operand:
    """What flows into a node, as its field or as an argument of what it runs."""

    node: Node
    group: str | None
    name: str
    value: Value

    def node_with(self, value: Any) -> Any:
        """Writes the node with another value in its place."""
        if self.group is None:
            return self.node(**{self.name: value})
        given = getattr(self.node, self.group)
        return self.node(**{self.group: {**given, self.name: value}})


def _operand(node: Node, name: str | None) -> _Operand:
    """An operand of a node by name, by default the first.

    Raises:
        SpecError: the node has none, or not this one.
    """
    found = {o.name: o for o in reversed([*_operands(node)])}
    if name is None and found:
        return list(found.values())[-1]
    if name is None or name not in found:
        shown = listing([*found][::-1])
        _fault(
            node.name,
            f"expected an operand that is a value ({shown}), found "
            f"{'none' if name is None else quote(name)}",
            "" if name is None else "say another, or write it by edit.replace",
        )
    return found[name]


def _operands(node: Node) -> Iterator[_Operand]:
    """The operands of a node that are one value each."""
    for name in node.operands():
        value = getattr(node, name, None)
        if isinstance(value, Value):
            yield _Operand(node, None, name, value)
        elif isinstance(value, dict):
            for key, part in value.items():
                if isinstance(part, Value):
                    yield _Operand(node, name, key, part)


def _expect_writer(
    writer: object, such: str = "def writer(f, x): return f.relu(x)"
) -> None:
    if not callable(writer):
        _fault("", f"expected a function, found {quote(writer)}", such)


def _fault(where: str, message: str, hint: str = "") -> NoReturn:
    raise SpecError.one("edit", where, message, hint)
