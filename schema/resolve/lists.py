"""Lists: values that are one array for each copy, and how many arrays they have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..callee import Callee
from ..content import Content, Function
from ..diagnostics import Report, quote
from ..expressions import ExpressionError, evaluate, names
from ..fields import is_expression
from ..frozen import frozen
from ..limits import MAX_ARRAYS
from .program import Arg, Step

NONE: frozenset[str] = frozenset()


def lists_of(
    callees: tuple[Callee, ...], of: Callable[[str], frozenset[str]]
) -> frozenset[str]:
    """The outputs of a node that are lists.

    Args:
        callees: the functions that it runs.
        of: the outputs of a function that are lists.
    """
    if not callees:
        return NONE
    last = callees[-1]
    return (of(last.function) if last.hands_on else NONE).union(last.listed)


def list_outputs(graph: Content, order: Iterable[str]) -> dict[str, frozenset[str]]:
    """The outputs of each function that are lists.

    Args:
        graph: the Graph.
        order: its functions, callees first.
    """
    found: dict[str, frozenset[str]] = {}
    for name in order:
        function = graph.functions[name]
        lists = {n for n, given in function.inputs.items() if given.copies is not None}
        for node, op in function.nodes.items():
            own = lists_of(op.callees(), lambda callee: found.get(callee, NONE))
            lists.update(f"{node}.{output}" for output in own)
            if own and _gives_one(graph, op.callees()[-1]):
                lists.add(node)
        outputs = function.outputs.items()
        found[name] = frozenset(n for n, output in outputs if output.value in lists)
    return found


def _gives_one(graph: Content, callee: Callee) -> bool:
    function = graph.functions.get(callee.function)
    return function is not None and len(function.outputs) == 1


class Lists:
    """The lists of a function with values for its attributes.

    Args:
        name: of the function.
        function: it.
        values: of attributes.
        report: where findings go.
    """

    def __init__(
        self, name: str, function: Function, values: Mapping[str, Any], report: Report
    ) -> None:
        self.name, self.function, self.report = name, function, report
        self.inputs: dict[str, int] = {}
        """How many arrays each input has that is a list."""
        self._counts: dict[tuple[str, int], int] = {}
        for title, given in function.inputs.items():
            if given.copies is not None:
                path = f"{name}.inputs.{title}.copies"
                count = self._count(path, given.copies, values)
                if count is not None:
                    self.inputs[title] = self._counts[title, 0] = count
        total = sum(self.inputs.values())
        if total > MAX_ARRAYS:
            text = f"expected at most {MAX_ARRAYS} arrays in lists, found {total}"
            report.error("too-large", f"{name}.inputs", text)

    def _count(self, path: str, given: Any, values: Mapping[str, Any]) -> int | None:
        """How many arrays an input has; None where that is at fault, and reported."""
        try:
            if is_expression(given):
                if any(n not in values for n in names(given)):
                    text = (
                        f"expected a number that no dim decides, found {quote(given)}"
                    )
                    self.report.error("argument", path, text)
                    return None
                given = evaluate(given, values)
        except ExpressionError as error:
            self.report.error("expression", path, str(error))
            return None
        if given < 1:
            self.report.error("argument", path, f"expected at least 1, found {given}")
            return None
        return int(given)

    def add(self, step: Step) -> None:
        """Checks the lists that a step gets, and notes those that it gives."""
        for called in step.callees:
            wanted = called.instance.input_copies
            for name, arg in step.group("inputs").items():
                self._check(f"{step.path}.inputs.{name}", arg, wanted.get(name))
        if not step.callees:
            return
        last = step.callees[-1]
        count = last.declared.copies
        for name, arg in step.group("xs").items():
            self._check(f"{step.path}.xs.{name}", arg, count)
        made = dict(last.instance.output_copies) if last.declared.hands_on else {}
        if isinstance(count, int):
            made |= dict.fromkeys(last.declared.listed, count)
        if not made:
            return  # a call may have a thousand outputs, and none that is a list
        outputs = enumerate(step.outputs)
        step.copies = frozen({i: made[name] for i, name in outputs if name in made})
        for i, n in step.copies.items():
            self._counts[step.name, i] = n

    def _check(self, path: str, arg: Arg, wanted: Any) -> None:
        if arg.kind != "list" or arg.source is None:
            return
        found = self._counts.get((arg.source, arg.output))
        if found is not None and isinstance(wanted, int) and found != wanted:
            text = f"expected a list of {quote(wanted)} arrays, found one of {found}"
            self.report.error("argument", path, text)

    def outputs(self, outputs: Mapping[str, Arg]) -> dict[str, int]:
        """How many arrays each output has that is a list."""
        found: dict[str, int] = {}
        for name, arg in outputs.items():
            if arg.kind != "list" or arg.source is None:
                continue
            count = self._counts.get((arg.source, arg.output))
            if count is None:
                continue  # the step at fault is reported
            found[name] = count
            after = self.function.outputs[name].next
            if after is not None and self.inputs.get(after, count) != count:
                text = (
                    f"expected a list of {self.inputs[after]} arrays as {after} is, found "
                    f"one of {count}"
                )
                path = f"{self.name}.outputs.{name}.next"
                self.report.error("output-next", path, text)
        return found
