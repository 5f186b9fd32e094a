"""From a Graph to a Program: all checks of meaning, all faults in one error."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Container
from typing import Any

from ..content import Content
from ..diagnostics import Report, SpecError, quote
from ..expressions import ExpressionError, names
from ..fields import is_expression
from ..frozen import frozen
from ..pause import uncollected
from ..registry import Definition, registered
from .calls import Signature
from .custom import has_custom, resolve_custom
from .dims import bind_dims, check_constraints, declared_shapes
from .lists import list_outputs
from .names import call_order, check_attributes, check_names
from .numbered import check_lists, listed
from .outputs import check_outputs
from .parameters import check_leaves
from .program import Instance, Program
from .references import Binder, BoundFunction
from .satisfiable import check_satisfiable
from .specialize import Instances, TooLarge
from .stacks import check_stacks
from .trees import Tree, TreeConflict, join


def validate(graph: Content) -> Report:
    """Every fault of meaning of a Graph; the empty report of a sound one."""
    return _resolved(graph)[1].copy()


def program(graph: Content) -> Program:
    """The resolved Graph.

    Raises:
        SpecError: every fault of meaning in one error.
    """
    result, report, _ = _resolved(graph)
    if result is None or not report.ok:
        raise SpecError(report.errors)
    return result


_Resolved = tuple[Program | None, Report, tuple[Definition, ...] | None]
"""With what was registered, where it depends on that."""


def _resolved(graph: Content) -> _Resolved:
    found = graph.once("_resolved", _resolve)
    if found[2] is not None and found[2] != registered():
        graph.forget("_resolved")
        found = graph.once("_resolved", _resolve)
    return found


def _resolve(graph: Content) -> _Resolved:
    with uncollected():
        if has_custom(graph):
            return *resolve_custom(graph, _resolve_as), registered()
        return *Resolver(graph, graph, Report()).resolve(), None


def _resolve_as(
    graph: Content, source: Content, report: Report
) -> tuple[Program | None, Report]:
    return Resolver(graph, source, report).resolve()


class Resolver:
    """The checks of one graph, in the order in which they may rely on each other."""

    def __init__(self, graph: Content, source: Content, report: Report) -> None:
        """`graph` is what is checked; `source` is it as the file has it."""
        self.graph = graph
        self.source = source
        self.report = report
        self.bound: dict[str, BoundFunction] = {}
        self.dims: dict[str, dict[str, tuple[str, int]]] = {}

    def resolve(self) -> tuple[Program | None, Report]:
        graph, report = self.graph, self.report
        check_names(graph, report)
        check_constraints(graph, report)
        order = call_order(graph, report)
        lists = list_outputs(graph, order or graph.functions)
        signatures = {n: Signature.of(f, lists[n]) for n, f in graph.functions.items()}
        for name, function in graph.functions.items():
            self.bound[name] = Binder(graph, name, signatures, report).bind()
            self.dims[name] = frozen(bind_dims(graph, name, function, report))
            check_outputs(graph, name, self.dims[name], lists[name], report)
            check_attributes(graph, name, report)
            self._check_expressions(name)
        if not order or not report.ok:
            return None, report
        check_satisfiable(graph, self.dims, report)
        instances = Instances(graph, self.bound, self.dims, report)
        entries: dict[str, Instance] = {}
        tree: Tree = {}
        try:
            for entry in graph.entries:
                entries[entry] = instances.instance(entry, {}, entry)
                tree = join(tree, entries[entry].tree)
        except TooLarge:
            return None, report
        except TreeConflict as conflict:
            report.error("parameter-conflict", ".".join(conflict.path), str(conflict))
            return None, report
        check_lists(tree, report)
        check_stacks(tree, report)
        tree = listed(tree) if report.ok else tree
        assert isinstance(tree, dict)
        check_leaves(tree, report)
        reached = {i.name for i in instances.made.values()} | {*graph.ops.values()}
        for name in graph.functions if report.ok else ():
            if name not in reached:
                report.warn("unused-function", name, "nothing calls this function")
        made = frozen(list(instances.made.values()))
        result = Program(self.source, frozen(entries), made, frozen(tree))
        return (result if report.ok else None), report

    def _check_expressions(self, name: str) -> None:
        function = self.graph.functions[name]
        # Not a copy a function of what a file may have a hundred thousand of.
        known: ChainMap[str, Any] = ChainMap(
            dict.fromkeys(function.attributes), self.dims[name], self.graph.attributes
        )
        for node_name, op in function.nodes.items():
            for field, text in op.expressions():
                self._check_expression(f"{name}.{node_name}.{field}", text, known)
        for path, shape in declared_shapes(name, function):
            for dim in shape:
                if is_expression(dim):
                    self._check_expression(path, dim, known)
        for title, given in function.inputs.items():
            if is_expression(given.copies):
                path = f"{name}.inputs.{title}.copies"
                self._check_expression(path, str(given.copies), known)

    def _check_expression(self, path: str, text: str, known: Container[str]) -> None:
        try:
            unknown = [n for n in names(text) if n not in known]
        except ExpressionError as error:
            self.report.error("expression", path, f"{error}, found {quote(text)}")
            return
        for name in unknown:
            self.report.error(
                "expression",
                path,
                f"expected an attribute or a dim, found {quote(name)}, which is none "
                "here",
            )
