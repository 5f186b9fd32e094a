"""Functions with values for their attributes: one instance per function and values.

So what doubles at every level of calls is still looked at once, and what a file would
expand to is counted before it is.
"""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NoReturn

from ..callee import Callee
from ..content import Content
from ..diagnostics import Report, listing, quote
from ..expressions import BoundError, ExpressionError
from ..frozen import EMPTY, frozen
from ..limits import (
    MAX_ARRAYS,
    MAX_DEPTH,
    MAX_INSTANCES,
    MAX_LEAVES,
    MAX_RAN,
    MAX_STEPS,
    MAX_TRACED,
)
from ..op import ScopeOp
from ..parameters import Leaf
from ..problems import Problem
from .call_trees import call_tree, ran, traced
from .dims import check_shapes
from .evaluated import with_values
from .lists import Lists
from .liveness import mark_live, mark_merges
from .numbered import check_state_in_lists
from .parameters import fill_leaves
from .program import Args, Called, Groups, Instance, Step, literal_dtype
from .references import BoundFunction, BoundNode
from .state import check_state
from .trees import Tree, TreeConflict, join, nest


class TooLarge(Exception):
    """The count of what a file would expand to went over a limit; already reported."""


class Instances:
    """The instances of a graph, made as calls ask for them."""

    def __init__(
        self,
        graph: Content,
        bound: dict[str, BoundFunction],
        dims: dict[str, dict[str, tuple[str, int]]],
        report: Report,
    ) -> None:
        self._graph = graph
        self._bound = bound
        self._dims = dims
        self.report = report
        self.made: dict[tuple[str, str], Instance] = {}
        # What the work so far has come to: a file is refused before it is done.
        self._steps = 0
        self._copies = 0
        self._leaves = 0
        self._leaves_of: dict[int, int] = {}
        self._depth_of: dict[int, int] = {}

    def instance(self, name: str, own: dict[str, Any], path: str) -> Instance:
        """The function `name` with the values `own`, for the call at `path`.

        Raises:
            TooLarge: a limit of what a file may ask for; reported.
        """
        key = (name, repr(own))  # 1 and 1.0 are equal, but not the same attribute
        found = self.made.get(key)
        if found is not None:
            return found
        if len(self.made) >= MAX_INSTANCES:
            self._too_large(
                path, f"expected at most {MAX_INSTANCES} variants of functions"
            )
        function, bound = self._graph.functions[name], self._bound[name]
        # No copy an instance of what a file may have a hundred thousand of.
        own, attributes = frozen(own), self._graph.attributes
        values: Mapping[str, Any] = attributes
        if own:
            values = MappingProxyType(ChainMap(own, attributes))
        self._steps += len(bound.nodes)
        if self._steps > MAX_STEPS:
            self._too_large(path, f"expected at most {MAX_STEPS} nodes, found more")
        check_shapes(name, function, values, self.report)
        steps: list[Step] = []
        named: dict[str, Step] = {}
        lists = Lists(name, function, values, self.report)
        for node in bound.nodes:
            step = named[node.name] = self._step(name, node, values)
            steps.append(step)
            check_state(step, named, self.report)
            lists.add(step)
        tree: Tree = {}
        groups: set[int] = set()
        depth = max(map(self._depth, steps), default=0)
        if depth > MAX_DEPTH:
            self._too_large(
                path, f"expected paths of at most {MAX_DEPTH} names, found {depth}"
            )
        for step in steps:
            try:
                tree = join(tree, nest(step.scope, step.tree), (), groups)
            except TreeConflict as conflict:
                where = ".".join(conflict.path)
                self.report.error(
                    "parameter-conflict", step.path, f"{where}: {conflict}"
                )
        assert isinstance(tree, dict)
        check_state_in_lists(name, steps, tree, self.report)
        mark_live(steps, bound.outputs, self.report)
        mark_merges(steps)
        for step in steps:
            step.seal()
        visited = 1 + sum(traced(s) for s in steps)
        executed = 1 + sum(ran(s) for s in steps)
        if visited > MAX_TRACED:
            self._too_large(name, f"expected at most {MAX_TRACED} nodes, found more")
        if executed > MAX_RAN:
            self._too_large(name, f"expected at most {MAX_RAN} steps, found more")
        instance = Instance(
            name,
            function,
            own,
            values,
            self._dims[name],
            frozen(steps),
            bound.outputs,
            frozen(tree),
            visited,
            executed,
            frozen(lists.inputs),
            frozen(lists.outputs(bound.outputs)),
        )
        self.made[key] = instance
        self._leaves_of[id(instance)] = sum(self._leaf_count(s) for s in steps)
        self._depth_of[id(instance)] = depth
        return instance

    def _leaf_count(self, step: Step) -> int:
        if step.callees:
            return sum(map(self._leaves_below, step.callees))
        return 1 if isinstance(step.tree, Leaf) else len(step.tree)

    def _leaves_below(self, called: Called) -> int:
        if called.declared.layout == "shared":
            return max((self._leaves_of[id(i)] for i in called.instances), default=0)
        return called.total(lambda i: self._leaves_of[id(i)])

    def _depth(self, step: Step) -> int:
        """How many names the longest path of an array of a step has, at most."""
        if not step.tree:
            return 0
        inner = (self._depth_of[id(i)] for c in step.callees for i in c.cycle)
        return len(step.scope) + 1 + max(inner, default=0)

    def _too_large(self, path: str, message: str) -> NoReturn:
        self.report.error(
            "too-large", path, message, "this file can't be a sound model"
        )
        raise TooLarge

    def _step(self, function: str, node: BoundNode, values: Mapping[str, Any]) -> Step:
        try:
            op = node.op.resolve(values, partial=True)
            args: Args = frozen(with_values(node.args, values))
            groups: Groups = with_values(node.groups, values)
        except ExpressionError as error:
            code = "attribute" if isinstance(error, BoundError) else "expression"
            found = getattr(node.op, error.field, None)
            message = error.message
            if isinstance(found, str) and "found" not in message:
                message = f"{message}, found {quote(found)}"
            self.report.add(Problem(error.field, message).at(node.path, code))
            return Step(
                node.name, node.path, node.op, (node.name,), EMPTY, EMPTY, node.outputs
            )
        sound = True
        for problem in op.problems():
            sound = False
            self.report.add(problem.at(node.path))
        scope = op.scope(node.name)
        step = Step(node.name, node.path, op, scope, args, groups, node.outputs)
        if sound and isinstance(op, ScopeOp):
            self._fill_call(step, op)
        elif sound:
            fill_leaves(step, op, self.report)
        step.groups = frozen(groups)
        return step

    def _fill_call(self, step: Step, op: ScopeOp) -> None:
        given: dict[str, Any] = dict(getattr(op, "attributes", {}))
        callees: list[Called] = []
        for callee in op.callees():
            name = callee.function
            wanted = self._graph.functions[name].attributes
            if set(wanted) != set(given):
                self.report.error(
                    "call-attributes",
                    f"{step.path}.attributes",
                    f"expected {listing(wanted)} for {name}, found {listing(given)}",
                )
                return
            ordered = {k: given[k] for k in wanted}
            for k, value in ordered.items():
                parts = value if isinstance(value, list) else [value]
                if any(isinstance(part, str) for part in parts):
                    self.report.error(
                        "call-attributes",
                        f"{step.path}.attributes.{k}",
                        f"expected a value that no dim decides, found {quote(value)}",
                    )
                    return
            callees.append(Called(callee, self._cycle(step, callee, ordered)))
        step.callees = tuple(callees)
        self._check_literals(step)
        count = self._leaf_count(step)
        if count > MAX_ARRAYS:
            self._too_large(
                step.path, f"expected at most {MAX_ARRAYS} arrays, found {count}"
            )
        self._leaves += count
        if self._leaves > MAX_LEAVES:
            self._too_large(step.path, f"expected at most {MAX_LEAVES} arrays")
        step.tree = frozen(call_tree(step, self.report))
        step.stateful = any(i.stateful for i in step.instances)
        step.uses_train = any(i.uses_train for i in step.instances)
        step.needs_float = any(i.needs_float for i in step.instances)
        step.needs_float |= _float_literals(step)
        inputs = step.group("inputs")
        for name, arg in inputs.items():
            if arg.kind == "key" and not step.passes(name):
                inputs[name] = replace(arg, kind="tensor")  # folded for nobody

    def _check_literals(self, step: Step) -> None:
        count = step.callees[-1].declared.copies
        for name, arg in step.group("xs").items():
            if isinstance(arg.value, tuple) and len(arg.value) != count:
                self.report.error(
                    "argument",
                    f"{step.path}.xs.{name}",
                    f"expected {quote(count)} values, one a copy, found "
                    f"{len(arg.value)}",
                )

    def _cycle(
        self, step: Step, callee: Callee, own: dict[str, Any]
    ) -> tuple[Instance, ...]:
        """The instances that the copies of a function take in turn: lists cycle."""
        if not callee.unrolled:
            return (self.instance(callee.function, own, step.path),)
        # That a dim decides how many there are is reported of their tree.
        copies = callee.copies if isinstance(callee.copies, int) else 1
        if copies > MAX_TRACED:
            self._too_large(
                f"{step.path}.count", f"expected a count of at most {MAX_TRACED} copies"
            )
        self._copies += copies
        if self._copies > MAX_TRACED:
            self._too_large(
                step.path, f"expected at most {MAX_TRACED} copies, found more"
            )
        lengths = (len(v) for v in own.values() if isinstance(v, list))
        cycle = []
        for i in range(max(min(math.lcm(*lengths), copies), 1)):
            picked = {
                k: v[i % len(v)] if isinstance(v, list) else v for k, v in own.items()
            }
            cycle.append(self.instance(callee.function, picked, step.path))
        return tuple(cycle)


def _float_literals(step: Step) -> bool:
    """True where a loop has a literal that becomes an array of the floating type."""
    called = step.callees[-1]
    typed = dict(step.group("carry"))
    if not called.declared.unrolled:
        typed |= step.group("xs")
    inputs = called.instance.function.inputs
    for name, arg in typed.items():
        declared = inputs[name].dtype if name in inputs else None
        unknown = declared is None and isinstance(arg.value, str)
        if not arg.is_reference and (
            unknown or literal_dtype(arg.value, declared) == "float"
        ):
            return True
    return False
