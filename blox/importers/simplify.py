"""Small rewrites of a tree of regions, each of which gives the same numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, TypeAlias

from blox.builder.fields import needs_name
from blox.schema import op_class

from .regions import everything, used
from .trace import Param, Path, Region, Step, Value

Rewrite: TypeAlias = "Callable[[Step, Tree], Value | None]"

ROUNDS = 8
"""One rewrite may make room for another."""
REWRITES: dict[str, list[Rewrite]] = {}
"""By op: functions that give another value in place of a step's own, or change the step."""


def rewrite(*ops: str) -> Callable[[Rewrite], Rewrite]:
    """Registers a rewrite of steps of some ops."""

    def register(function: Rewrite) -> Rewrite:
        for op in ops:
            REWRITES.setdefault(op, []).append(function)
        return function

    return register


class Tree:
    """What rewrites may ask about a tree of regions.

    Attributes:
        uses: how often each value is used, and each array of the source by its path.
    """

    def __init__(self, root: Region) -> None:
        self.uses: Counter[Value | Path] = Counter()
        for value in (*everything(root), *root.outputs.values()):
            self.uses[value] += 1
            if isinstance(value, Param):
                self.uses[value.path] += 1
        self.steps: list[Step] = []
        self._makers: dict[Value, Step] = {}
        self._homes: dict[Step, Region] = {}
        self._collect(root, root)
        self.home = root
        """The function of a loop or branch that rewrites are in, or the root."""
        self._instead: dict[Value, Value] = {}
        self.notes: dict[Any, Any] = {}
        """What rewrites remember."""
        self.changed = False

    def _collect(self, region: Region, home: Region) -> None:
        for item in region.items:
            if isinstance(item, Region):
                self._collect(item, home)
                continue
            self.steps.append(item)
            self._homes[item] = home
            self._makers |= dict.fromkeys(item.outputs, item)
            for body in item.functions.values():
                self._collect(body, body)

    def rewritten(self) -> Iterator[Step]:
        """All steps, each with what stands in place of its operands."""
        for step in self.steps:
            self.home = self._homes[step]
            step.operands, step.slots = self.now(step.operands), self.now(step.slots)
            yield step

    def maker(self, value: Any, *ops: str) -> Step | None:
        """The step that gives a value, if it is one of these ops, or of any, and runs as
        often as the step that is rewritten."""
        step = self._makers.get(value) if isinstance(value, Value) else None
        if step is None or self._homes[step] is not self.home:
            return None
        return step if not ops or step.op in ops else None

    def anywhere(self, value: Any, *ops: str) -> Step | None:
        """The step that gives a value, if it is one of these ops, though it may run less
        often than the step that is rewritten."""
        step = self._makers.get(value) if isinstance(value, Value) else None
        return step if step is not None and step.op in ops else None

    def lone(self, value: Any, *ops: str) -> Step | None:
        """The step that gives a value which nothing else uses."""
        return self.maker(value, *ops) if self.uses.get(value) == 1 else None

    @cached_property
    def siblings(self) -> dict[Path, set[Path]]:
        """The arrays of the source that are used, by each path that they lie below."""
        found: dict[Path, set[Path]] = {}
        for path in self.uses:
            if isinstance(path, tuple):
                for end in range(len(path)):
                    found.setdefault(path[:end], set()).add(path)
        return found

    def turn(
        self, step: Step, op: str, operands: dict[str, Any], /, **own: Any
    ) -> None:
        """Makes a step another one."""
        step.op, step.operands, step.attributes = op, operands, own
        self.changed = True

    def replace(self, old: Value, new: Value) -> None:
        self._instead[old] = new
        self.uses[new] += self.uses.pop(old, 0)
        self.changed = True

    def now(self, tree: Any) -> Any:
        """Operands with what stands in place of values."""
        if isinstance(tree, Value):
            while tree in self._instead:
                tree = self._instead[tree]
            return tree
        if isinstance(tree, dict):
            return {key: self.now(part) for key, part in tree.items()}
        if isinstance(tree, (list, tuple)):
            return [self.now(part) for part in tree]
        return tree


def simplify(root: Region) -> None:
    """Applies rewrites until none changes anything, and drops what nothing uses."""
    for _ in range(ROUNDS):
        tree = Tree(root)
        for step in tree.rewritten():
            op = step.op
            for function in REWRITES.get(op, ()):
                if (found := function(step, tree)) is not None:
                    tree.replace(step.outputs[0], found)
                if found is not None or step.op != op:
                    break
        if not tree.changed:
            return
        _settle(root, tree)
        drop(root)


def _settle(region: Region, tree: Tree) -> None:
    """Puts values in place of others where functions begin and end."""
    region.outputs = tree.now(region.outputs)
    region.arguments = tree.now(region.arguments)
    for item in region.items:
        for inner in [item] if isinstance(item, Region) else item.functions.values():
            _settle(inner, tree)


def drop(root: Region) -> None:
    """Drops steps that nothing uses."""
    _dropped(root, set(root.outputs.values()))


def _dropped(region: Region, live: set[Value]) -> None:
    kept: list[Step | Region] = []
    for item in reversed(region.items):
        if isinstance(item, Region):
            _dropped(item, live)
            kept.append(item)
        elif item.op == "assign" or any(o in live for o in item.outputs):
            kept.append(item)
            for body in item.functions.values():
                _dropped(body, set(body.outputs.values()))
            live |= set(used(item))
    region.items = kept[::-1]


def merge(root: Region) -> None:
    """One step in place of several of one function that give the same."""
    tree = Tree(root)
    _merge(root, tree)
    if tree.changed:
        _settle(root, tree)
        drop(root)


def _merge(region: Region, tree: Tree) -> None:
    seen: dict[str, Step] = {}
    for item in region.items:
        if isinstance(item, Region):
            _merge(item, tree)
            continue
        item.operands, item.slots = tree.now(item.operands), tree.now(item.slots)
        for body in item.functions.values():
            _merge(body, tree)
        cls = op_class(item.op)
        if item.functions or item.slots or cls is None or needs_name(cls):
            continue
        first = seen.setdefault(_said(item), item)
        if first is not item:
            for old, new in zip(item.outputs, first.outputs, strict=True):
                tree.replace(old, new)


def _said(step: Step) -> str:
    """All that decides what a step gives."""

    def text(part: Any) -> str:
        if isinstance(part, Param):
            return f"{part.path}{part.moves}"
        if isinstance(part, Value):
            return f"v{id(part)}"
        if isinstance(part, (list, tuple)):
            return f"[{', '.join(map(text, part))}]"
        if isinstance(part, dict):
            return f"{{{', '.join(f'{k}: {text(p)}' for k, p in part.items())}}}"
        return f"{type(part).__name__} {part!r}"

    shapes = [f"{o.dtype}{list(map(str, o.shape))}" for o in step.outputs]
    return text([step.op, step.operands, step.attributes, shapes])
