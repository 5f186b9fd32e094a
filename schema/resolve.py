"""From a Graph to a Program: all checks of meaning, all faults in one error."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from functools import lru_cache
from typing import Any

from .bind import Binder, BoundFunction, BoundNode
from .errors import Report, SpecError, listing, quote
from .expressions import BoundError, ExpressionError, evaluate, names
from .fields import is_expression
from .graph import Function, Graph
from .limits import (
    MAX_ELEMENTS,
    MAX_INSTANCES,
    MAX_LEAVES,
    MAX_RAN,
    MAX_STEPS,
    MAX_TRACED,
)
from .op import Op, ParamOp, ScopeOp
from .ops.control import Cond, Map, Repeat, Scan, WhileLoop
from .parameters import Leaf
from .program import (
    Arg,
    Instance,
    Program,
    Step,
    Tree,
    TreeConflict,
    flatten,
    has_state,
    join,
    nest,
    stack,
)
from .scope import (
    bind_dims,
    call_order,
    called,
    check_attributes,
    check_constraints,
    check_names,
)


def validate(graph: Graph) -> Report:
    """Every fault of meaning of a Graph; the empty report of a sound one."""
    return _resolved(graph)[1]


def program(graph: Graph) -> Program:
    """The resolved Graph.

    Raises:
        SpecError: every fault of meaning in one error.
    """
    result, report = _resolved(graph)
    if result is None or not report.ok:
        raise SpecError(report.errors)
    return result


class _Cached:
    """A Graph as a key by identity: its dicts can't be hashed, and it never changes."""

    __slots__ = ("graph",)

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __hash__(self) -> int:
        return id(self.graph)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Cached) and other.graph is self.graph


def _resolved(graph: Graph) -> tuple[Program | None, Report]:
    return _resolved_once(_Cached(graph))


@lru_cache(maxsize=32)
def _resolved_once(key: _Cached) -> tuple[Program | None, Report]:
    return Resolver(key.graph).resolve()


class _TooLarge(Exception):
    """The count of what a file would expand to went over a limit; already reported."""


class Resolver:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.report = Report()
        self.bound: dict[str, BoundFunction] = {}
        self.dims: dict[str, dict[str, tuple[str, int]]] = {}
        self.instances: dict[tuple[str, str], Instance] = {}
        # What the work so far has come to: a file is refused before it is done.
        self.steps = 0
        self.copies = 0
        self.leaves = 0
        self.leaves_of: dict[int, int] = {}

    def resolve(self) -> tuple[Program | None, Report]:
        graph, report = self.graph, self.report
        check_names(graph, report)
        check_constraints(graph, report)
        order = call_order(graph, report)
        outputs = {name: tuple(f.outputs) for name, f in graph.functions.items()}
        for name, function in graph.functions.items():
            self.bound[name] = Binder(graph, name, outputs, report).bind()
            self.dims[name] = bind_dims(graph, name, function, report)
            check_attributes(graph, name, report)
            self._check_expressions(name)
        if not order or not report.ok:
            return None, report
        entries: dict[str, Instance] = {}
        tree: Tree = {}
        try:
            for entry in graph.entries:
                entries[entry] = self._instance(entry, {}, entry)
                tree = join(tree, entries[entry].tree)
        except _TooLarge:
            return None, report
        except TreeConflict as conflict:
            report.error("parameter-conflict", ".".join(conflict.path), str(conflict))
            return None, report
        assert isinstance(tree, dict)
        self._check_leaves(tree)
        reached = {i.name for i in self.instances.values()}
        for name in graph.functions:
            if name not in reached:
                report.warn("unused-function", name, "nothing calls this function")
        result = Program(graph, entries, list(self.instances.values()), tree)
        return (result if report.ok else None), report

    def _check_expressions(self, name: str) -> None:
        function = self.graph.functions[name]
        known = {*self.graph.attributes, *function.attributes, *self.dims[name]}
        for node_name, op in function.nodes.items():
            for field, text in op.expressions():
                self._check_expression(f"{name}.{node_name}.{field}", text, known)
        for input_name, given in function.inputs.items():
            for dim in given.shape or ():
                if is_expression(dim):
                    path = f"{name}.inputs.{input_name}.shape"
                    self._check_expression(path, dim, known)

    def _check_expression(self, path: str, text: str, known: set[str]) -> None:
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

    # Instances: one per function and values of its attributes, so that what doubles at
    # every level of calls is still looked at once.

    def _instance(self, name: str, own: dict[str, Any], path: str) -> Instance:
        key = (name, repr(own))  # 1 and 1.0 are equal, but not the same attribute
        found = self.instances.get(key)
        if found is not None:
            return found
        if len(self.instances) >= MAX_INSTANCES:
            self._too_large(
                path, f"expected at most {MAX_INSTANCES} variants of functions"
            )
        function, bound = self.graph.functions[name], self.bound[name]
        values = {**self.graph.attributes, **own}
        self.steps += len(bound.nodes)
        if self.steps > MAX_STEPS:
            self._too_large(path, f"expected at most {MAX_STEPS} nodes, found more")
        self._check_shapes(name, function, values)
        steps = [self._step(name, node, values) for node in bound.nodes]
        tree: Tree = {}
        groups: set[int] = set()
        for step in steps:
            try:
                tree = join(tree, nest(step.scope, step.tree), (), groups)
            except TreeConflict as conflict:
                where = ".".join(conflict.path)
                self.report.error(
                    "parameter-conflict", step.path, f"{where}: {conflict}"
                )
        assert isinstance(tree, dict)
        self._mark_live(steps, bound.outputs)
        self._mark_merges(steps)
        traced = 1 + sum(_traced(s) for s in steps)
        ran = 1 + sum(_ran(s) for s in steps)
        if traced > MAX_TRACED:
            self._too_large(name, f"expected at most {MAX_TRACED} nodes, found more")
        if ran > MAX_RAN:
            self._too_large(name, f"expected at most {MAX_RAN} steps, found more")
        instance = Instance(
            name,
            function,
            own,
            values,
            self.dims[name],
            steps,
            bound.outputs,
            tree,
            traced,
            ran,
        )
        self.instances[key] = instance
        self.leaves_of[id(instance)] = sum(self._leaf_count(s) for s in steps)
        return instance

    def _leaf_count(self, step: Step) -> int:
        if isinstance(step.op, ScopeOp):
            return sum(self.leaves_of[id(c)] for c in step.callees)
        return 1 if isinstance(step.tree, Leaf) else len(step.tree)

    def _check_shapes(
        self, name: str, function: Function, values: dict[str, Any]
    ) -> None:
        for input_name, given in function.inputs.items():
            path = f"{name}.inputs.{input_name}.shape"
            sizes = []
            for dim in given.shape or ():
                if is_expression(dim) and all(n in values for n in names(dim)):
                    try:
                        dim = evaluate(dim, values)
                    except ExpressionError as error:
                        self.report.error("expression", path, str(error))
                        continue
                if isinstance(dim, int):
                    sizes.append(dim)
            if any(size < 0 for size in sizes):
                self.report.error(
                    "shape", path, f"expected sizes of at least 0, found {quote(sizes)}"
                )
            elif math.prod(sizes) > MAX_ELEMENTS:
                self.report.error(
                    "too-large",
                    path,
                    f"expected at most {MAX_ELEMENTS} elements, found {quote(sizes)}",
                )

    def _too_large(self, path: str, message: str) -> None:
        self.report.error(
            "too-large", path, message, "this file can't be a sound model"
        )
        raise _TooLarge

    def _step(self, function: str, node: BoundNode, values: dict[str, Any]) -> Step:
        try:
            op = node.op.resolve(values, partial=True)
            args = {k: _with_values(a, values) for k, a in node.args.items()}
        except ExpressionError as error:
            code = "attribute" if isinstance(error, BoundError) else "expression"
            self._problem(code, node.path, str(error))
            return Step(node.name, node.path, node.op, (node.name,), {}, node.outputs)
        sound = True
        for problem in op.problems():
            sound = False
            self._problem("attribute", node.path, problem)
        params = op.params if isinstance(op, (ParamOp, ScopeOp)) else None
        scope = (
            (node.name,) if params is None else tuple(p for p in params.split(".") if p)
        )
        step = Step(node.name, node.path, op, scope, args, node.outputs)
        if not sound:
            return step
        if isinstance(op, ScopeOp):
            self._fill_call(step, op)
        else:
            self._fill_leaves(step, op)
        return step

    def _problem(self, code: str, path: str, text: str) -> None:
        """A problem of an op, which may begin with the field that it lies in."""
        field = re.match(r"([a-z_0-9.]+): ", text)
        if field is not None:
            path, text = f"{path}.{field[1]}", text[field.end() :]
        self.report.error(code, path, text)

    def _fill_leaves(self, step: Step, op: Op) -> None:
        if not isinstance(op, ParamOp):
            step.stateful, step.uses_train = op.STATEFUL, op.TRAIN
            step.needs_float = getattr(op, "dtype", None) == "float"
            return
        if not self._sizes_known(step, op):
            return
        try:
            names_ = {name or "value" for name in op.parameters()}
            stored = op.stored()
        except (TypeError, ArithmeticError):
            self.report.error(
                "parameter-size",
                step.path,
                "expected attributes that give parameters a size, found others",
            )
            return
        for field in ("init", "axes", "frozen"):
            for name in getattr(op, field):
                if name not in names_:
                    self.report.error(
                        "parameter-unknown",
                        f"{step.path}.{field}",
                        f"expected a parameter ({listing(sorted(names_))}), found "
                        f"{quote(name)}",
                    )
        for name, leaf in stored.items():
            for size in leaf.shape:
                if isinstance(size, str):
                    self.report.error(
                        "parameter-size",
                        f"{step.path}.{name}".rstrip("."),
                        f"expected a size that no dim decides, found {quote(size)}",
                    )
            if any(isinstance(s, str) for s in leaf.shape):
                leaf = replace(leaf, shape=tuple(None for _ in leaf.shape))
            if leaf.axes and len(leaf.axes) != len(leaf.shape):
                self.report.error(
                    "parameter-axes",
                    f"{step.path}.axes.{name}",
                    f"expected {len(leaf.shape)} axes, found {len(leaf.axes)}",
                )
            if name == "":
                step.tree = leaf
            else:
                assert isinstance(step.tree, dict)
                step.tree[name] = leaf
        if isinstance(step.tree, Leaf) and not step.scope:
            self.report.error(
                "parameter-path", step.path, "expected the path of an array, found `.`"
            )
            step.tree = {}
        step.stateful, step.uses_train = op.STATEFUL, op.TRAIN

    def _sizes_known(self, step: Step, op: ParamOp) -> bool:
        """False where a dim decides a size of parameters; told."""
        known = True
        for field in op.fields().minima:
            value = getattr(op, field)
            for part in value if isinstance(value, list) else (value,):
                if is_expression(part):
                    known = False
                    self.report.error(
                        "parameter-size",
                        f"{step.path}.{field}",
                        f"expected a size that no dim decides, found {quote(part)}",
                    )
        return known

    def _fill_call(self, step: Step, op: ScopeOp) -> None:
        given: dict[str, Any] = dict(getattr(op, "attributes", {}))
        callees: list[Instance] = []
        for field, name in called(op):
            wanted = self.graph.functions[name].attributes
            if set(wanted) != set(given):
                self.report.error(
                    "call-attributes",
                    f"{step.path}.attributes",
                    f"expected {listing(wanted)} for {name}, found {listing(given)}",
                )
                return
            ordered = {k: given[k] for k in wanted}
            for k, value in ordered.items():
                if isinstance(value, str):
                    self.report.error(
                        "call-attributes",
                        f"{step.path}.attributes.{k}",
                        f"expected a value that no dim decides, found {quote(value)}",
                    )
                    return
            callees += self._callees(step, op, field, name, ordered)
        step.callees = tuple(callees)
        self._check_literals(step, op)
        self.leaves += self._leaf_count(step)
        if self.leaves > MAX_LEAVES:
            self._too_large(step.path, f"expected at most {MAX_LEAVES} arrays")
        step.tree = self._call_tree(step, op)
        step.stateful = any(c.stateful for c in callees)
        step.uses_train = any(c.uses_train for c in callees)
        step.needs_float = any(c.needs_float for c in callees) or any(
            isinstance(a.value, float) for a in step.args.get("carry", {}).values()
        )

    def _check_literals(self, step: Step, op: ScopeOp) -> None:
        count = getattr(op, "count", None)
        xs = step.args.get("xs", {})
        for name, arg in xs.items():
            if isinstance(arg.value, tuple) and len(arg.value) != count:
                self.report.error(
                    "argument",
                    f"{step.path}.xs.{name}",
                    f"expected {quote(count)} values, one a copy, found "
                    f"{len(arg.value)}",
                )

    def _callees(
        self, step: Step, op: ScopeOp, field: str, name: str, own: dict[str, Any]
    ) -> list[Instance]:
        if not (isinstance(op, Repeat) and not op.scan):
            return [self._instance(name, own, step.path)]
        if not isinstance(op.count, int) or op.count > MAX_TRACED:
            self._too_large(
                f"{step.path}.count", f"expected a count of at most {MAX_TRACED} copies"
            )
        assert isinstance(op.count, int)
        self.copies += op.count
        if self.copies > MAX_TRACED:
            self._too_large(
                step.path, f"expected at most {MAX_TRACED} copies, found more"
            )
        copies = []
        for i in range(op.count):
            picked = {
                k: v[i % len(v)] if isinstance(v, list) else v for k, v in own.items()
            }
            copies.append(self._instance(name, picked, step.path))
        return copies

    def _call_tree(self, step: Step, op: ScopeOp) -> Tree:
        callees = step.callees
        match op:
            case Repeat(scan=False):
                return [c.tree for c in callees] if any(c.tree for c in callees) else {}
            case Repeat() | Map():
                if op.count is None:
                    return callees[0].tree
                if not isinstance(op.count, int):
                    self.report.error(
                        "parameter-size",
                        f"{step.path}.count",
                        "expected a count that no dim decides, found "
                        f"{quote(op.count)}",
                    )
                    return {}
                return stack(callees[0].tree, op.count)
            case Cond():
                both = {"then": callees[0].tree, "else": callees[1].tree}
                return {k: v for k, v in both.items() if v}
            case WhileLoop():
                both = {"cond": callees[0].tree, "body": callees[1].tree}
                return {k: v for k, v in both.items() if v}
        return callees[0].tree

    def _mark_live(self, steps: list[Step], outputs: dict[str, Arg]) -> None:
        needed = {a.source for a in outputs.values()}
        for step in reversed(steps):
            step.live = step.stateful or step.name in needed
            if step.live:
                needed.update(a.source for a in step.arguments())
            else:
                self.report.warn("unused-node", step.path, "nothing uses this node")

    def _mark_merges(self, steps: list[Step]) -> None:
        written: set[tuple[str, ...]] = set()
        above: set[tuple[str, ...]] = set()
        for step in steps:
            if not step.tree or not step.live:
                continue
            upwards = [step.scope[:i] for i in range(len(step.scope) + 1)]
            overlaps = step.scope in above or any(s in written for s in upwards)
            step.merges = overlaps and has_state(step.tree)
            if step.stateful:
                written.add(step.scope)
                above.update(upwards)

    def _check_leaves(self, tree: Tree) -> None:
        for path, leaf in flatten(tree):
            if any(size is None for size in leaf.shape):
                self.report.error(
                    "parameter-size",
                    path,
                    f"expected sizes for all axes, found {quote(list(leaf.shape))}",
                    "give the sizes at one of the nodes that use this path",
                )
            elif math.prod(leaf.full_shape) > MAX_ELEMENTS:
                self.report.error(
                    "too-large",
                    path,
                    f"expected at most {MAX_ELEMENTS} elements, found shape "
                    f"{quote(list(leaf.full_shape))}",
                )


def _with_values(arg: Any, values: dict[str, Any]) -> Any:
    match arg:
        case Arg(value=str() as text):
            return replace(arg, value=_number(text, values), text=text)
        case Arg(value=tuple() as items):
            return replace(arg, value=tuple(_number(v, values) for v in items))
        case list():
            return [_with_values(a, values) for a in arg]
        case dict():
            return {k: _with_values(a, values) for k, a in arg.items()}
    return arg


def _number(value: Any, values: dict[str, Any]) -> Any:
    if is_expression(value) and all(n in values for n in names(value)):
        return evaluate(value, values, "float")
    return value


def _traced(step: Step) -> int:
    return 1 + sum(c.traced for c in step.callees)


def _ran(step: Step) -> int:
    op = step.op
    inner = sum(c.ran for c in step.callees)
    times = 1
    if isinstance(op, Repeat) and op.scan and isinstance(op.count, int):
        times = op.count
    elif isinstance(op, Scan) and isinstance(op.length, int):
        times = op.length
    elif isinstance(op, WhileLoop) and isinstance(op.max_steps, int):
        times = op.max_steps
    elif isinstance(op, Map) and isinstance(op.count, int):
        times = op.count
    return 1 + inner * max(times, 1)
