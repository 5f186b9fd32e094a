"""The lines of a model's tree, as `bx.summary` shows it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from blox.schema import Leaf
from blox.schema.known import Table
from blox.schema.op import ScopeOp
from blox.schema.resolve.program import Called, Instance, Step
from blox.schema.resolve.trees import flatten, nest
from blox.show.count import ZERO, Count
from blox.show.flops import Called as CalledCost
from blox.show.flops import Cost, NodeCost
from blox.show.printable import printable
from blox.show.texts import kind_text, shapes_text

MAX_ROWS = 5_000
"""Lines of a tree: calls that double at every level would fill the screen for hours."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the tree: a node, or an array of the node above.

    `path` is the graph path of an array, of a node that of what lies below it. `shape`
    is that of an array, or of what a node gives, with dims by name. `count` and `nbytes`
    leave out what an earlier line has counted: then `shared` is true. `flops` are those of
    all runs of a node in one of the entry.
    """

    depth: int
    name: str
    kind: str
    path: str
    shape: str = ""
    count: int = 0
    nbytes: int = 0
    shared: bool = False
    is_array: bool = False
    flops: Count = ZERO


class Full(Exception):
    """The tree has as many rows as it may."""


class Walk:
    """Makes the rows; what was counted once is not counted again."""

    def __init__(
        self,
        leaves: Mapping[str, Leaf],
        nbytes: Mapping[str, int],
        dtypes: Mapping[str, str],
        shapes: Table,
        depth: int | None,
    ) -> None:
        self.leaves, self.nbytes, self.dtypes = leaves, nbytes, dtypes
        self.shapes = shapes
        self.limit = depth
        self.rows: list[Row] = []
        self.counted: set[str] = set()
        self.dropped = False

    def entry(self, name: str, instance: Instance, cost: Cost) -> None:
        paths = [p for p, _ in flatten(instance.tree)]
        self._row(0, name, "entry", "", paths, flops=cost.flops)
        self._nodes(instance, "", 1, paths, cost, Count.of(1))

    def _nodes(
        self,
        instance: Instance,
        scope: str,
        depth: int,
        below: list[str],
        cost: Cost,
        times: Count,
    ) -> None:
        if self.limit is not None and depth > self.limit:
            self.counted.update(below)
            return
        for step in instance.steps:
            tree = nest(step.scope, step.tree)
            paths = [_joined(scope, p) for p, _ in flatten(tree)]
            inner = ".".join(n for n in (scope, *step.scope) if n)
            gives = shapes_text(self.shapes.get(instance, {}).get(step.name, ()))
            node = cost.node(step.name)
            flops = node.flops * times
            if isinstance(step.op, ScopeOp):
                self._row(depth, step.name, kind_text(step), inner, paths, gives, flops)
                self._callees(step, inner, depth + 1, paths, node, times)
            else:
                self._leaf_op(step, depth, inner, paths, gives, flops)

    def _leaf_op(
        self,
        step: Step,
        depth: int,
        scope: str,
        paths: list[str],
        gives: str,
        flops: Count,
    ) -> None:
        if paths == [scope]:  # param, buffer: the node is the array
            self._array(depth, step.name, scope, kind_text(step))
            return
        self._row(depth, step.name, kind_text(step), scope, paths, gives, flops)
        for path in paths:
            self._array(depth + 1, path.rpartition(".")[2], path, "")

    def _callees(
        self,
        step: Step,
        scope: str,
        depth: int,
        below: list[str],
        node: NodeCost,
        times: Count,
    ) -> None:
        for i, called in enumerate(step.callees):
            role = called.declared.role
            unrolled = called.declared.unrolled
            deep = self.limit is not None and depth > self.limit
            if deep and (unrolled or role is not None):
                self.counted.update(below)
                return
            if unrolled:
                for run in copy_runs(called):
                    self._copies(called, scope, depth, run, node.callee(i), times)
                continue
            cost = node.callee(i)
            inner = cost.copy(0), times * cost.times
            if role is not None:
                self._role(called.instance, f"{scope}.{role}", depth, role, *inner)
            elif not called.declared.empty:
                self._nodes(called.instance, scope, depth, below, *inner)

    def _copies(
        self,
        called: Called,
        scope: str,
        depth: int,
        run: tuple[int, int],
        costs: CalledCost,
        times: Count,
    ) -> None:
        """Copies that are one instance: the first in full, the others on a line."""
        first, last = run
        instance = called.copy(first)
        own = [p for p, _ in flatten(instance.tree)]
        numbered = called.declared.layout == "listed"

        def at(copy: int) -> str:
            return f"{scope}.{copy}" if numbered else scope

        path = at(first)
        paths = [f"{path}.{p}" for p in own]
        cost = costs.copy(first)
        flops = cost.flops * times
        self._row(depth, str(first), instance.name, path, paths, flops=flops)
        self._nodes(instance, path, depth + 1, paths, cost, times)
        if last > first:
            others = [f"{at(i)}.{p}" for i in range(first + 1, last + 1) for p in own]
            label = f"{first + 1}" if last == first + 1 else f"{first + 1}-{last}"
            flops = costs.copies(first + 1, last) * times
            self._row(depth, label, f"as {first}", scope, others, flops=flops)
            self.counted.update(others)

    def _role(
        self,
        instance: Instance,
        path: str,
        depth: int,
        role: str,
        cost: Cost,
        times: Count,
    ) -> None:
        paths = [f"{path}.{p}" for p, _ in flatten(instance.tree)]
        flops = cost.flops * times
        self._row(depth, role, instance.name, path, paths, flops=flops)
        self._nodes(instance, path, depth + 1, paths, cost, times)

    def _row(
        self,
        depth: int,
        name: str,
        kind: str,
        path: str,
        below: list[str],
        gives: str = "",
        flops: Count = ZERO,
    ) -> None:
        new = dict.fromkeys(p for p in below if p not in self.counted)
        self._add(
            Row(
                depth,
                name,
                kind,
                path,
                gives,
                count=sum(self._size(p) for p in new),
                nbytes=sum(self.nbytes[p] for p in new),
                shared=bool(below) and not new,
                flops=flops,
            )
        )

    def _array(self, depth: int, name: str, path: str, kind: str) -> None:
        leaf = self.leaves[path]
        shared = path in self.counted
        self.counted.add(path)
        marks = [kind] if kind else []
        if leaf.kind != "param" and leaf.kind != kind:
            marks.append(leaf.kind)
        if leaf.frozen:
            marks.append("frozen")
        dtype = printable(self.dtypes.get(path, leaf.dtype), 20)
        self._add(
            Row(
                depth,
                name,
                ", ".join(marks),
                path,
                f"{dtype}{list(leaf.full_shape)}",
                0 if shared else self._size(path),
                0 if shared else self.nbytes[path],
                shared,
                is_array=True,
            )
        )

    def _add(self, row: Row) -> None:
        if len(self.rows) >= MAX_ROWS:
            raise Full
        self.rows.append(row)

    def _size(self, path: str) -> int:
        return math.prod(self.leaves[path].full_shape)


def _joined(scope: str, path: str) -> str:
    return f"{scope}.{path}" if scope and path else scope or path


def copy_runs(called: Called) -> Iterator[tuple[int, int]]:
    """(first, last) of neighbouring copies that are one instance."""
    if len(called.cycle) == 1 and called.copies:
        yield 0, called.copies - 1
        return
    first = 0
    for i in range(1, called.copies + 1):
        if i == called.copies or called.copy(i) is not called.copy(first):
            yield first, i - 1
            first = i
