"""Arguments of the functions that a node runs, and what they must return."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from ..callee import Callee
from ..content import Content, Function, Input
from ..diagnostics import Report, listing, path_part, quote
from ..fields import Operand
from ..op import Op
from .program import Arg, Groups

MAX_MISSING = 20
"""Inputs without a value that one call reports."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What callers of a function must know, gathered once."""

    required: tuple[str, ...]
    """The inputs that must be given."""
    outputs: tuple[str, ...]

    @classmethod
    def of(cls, function: Function) -> Signature:
        required = (n for n, given in function.inputs.items() if not given.optional)
        return cls(tuple(required), tuple(function.outputs))


@dataclass(frozen=True, slots=True)
class Calls:
    """Binds the arguments of one function's calls; all faults go to the report."""

    graph: Content
    signatures: dict[str, Signature]
    report: Report
    value: Callable[[str, Any, Operand], Arg]
    """Binds one value: (path, value, operand)."""

    def bind(
        self, path: str, op: Op, callees: tuple[Callee, ...], groups: Groups
    ) -> tuple[str, ...]:
        """Arguments by input name for every callee; returns the outputs of the node."""
        known = [c for c in callees if c.function in self.graph.functions]
        maps = [f for f, o in op.fields().operands.items() if o.many == "map"]
        if not known:
            for field in maps:
                groups[field] = {}
            return ("out",)
        last = known[-1]
        inputs = self.graph.functions[last.function].inputs
        index = last.index
        # A call may give few inputs of thousands: nothing here looks at all of them.
        taken = set() if index not in inputs else {index}
        for field in maps:
            value = getattr(op, field)
            if isinstance(value, list):
                free = len(inputs) - len(taken)
                if len(value) > free:
                    self.report.error(
                        "argument",
                        f"{path}.{field}",
                        f"expected at most {free} values, found {len(value)}",
                    )
                names = (name for name in inputs if name not in taken)
                value = dict(zip(list(islice(names, len(value))), value, strict=False))
            given: dict[str, Arg] = {}
            groups[field] = given
            for name, item in value.items():
                where = f"{path}.{field}.{path_part(name)}"
                if name not in inputs:
                    self.report.error(
                        "argument",
                        where,
                        f"expected an input of {last.function} ({listing(inputs)}), "
                        f"found {quote(name)}",
                    )
                    continue
                if name in taken:
                    self.report.error(
                        "argument",
                        where,
                        "expected each input once, found one that is given already",
                    )
                    continue
                taken.add(name)
                listed = field == "xs" and last.literals
                given[name] = self._argument(
                    where, field, item, inputs[name], listed=listed
                )
        required = self.signatures[last.function].required
        for name in islice((n for n in required if n not in taken), MAX_MISSING):
            self.report.error(
                "argument",
                path,
                f"expected a value for the input {quote(name)} of "
                f"{last.function}, found none",
            )
        if index is not None and index not in inputs:
            self.report.error(
                "argument",
                f"{path}.index",
                f"expected an input of {last.function} ({listing(inputs)}), "
                f"found {quote(index)}",
            )
        for callee in {c.function: c for c in known[:-1]}.values():
            if list(self.graph.functions[callee.function].inputs) != list(inputs):
                self.report.error(
                    "argument",
                    path,
                    f"expected {callee.function} and {last.function} to have the same "
                    "inputs",
                )
        outputs = self.signatures[last.function].outputs
        for callee in {(c.function, c.returns): c for c in known}.values():
            self._check_returned(path, callee, last, tuple(groups.get("carry", ())))
        return outputs

    def _argument(
        self, path: str, field: str, item: Any, given: Input, *, listed: bool
    ) -> Arg:
        """A value for an input; `listed`: it may be a list of numbers, one a copy."""
        if isinstance(item, list):
            if not listed:
                self.report.error(
                    "argument", path, "expected a reference, found a list"
                )
            return Arg(value=tuple(item))
        kind: Literal["key", "tensor"] = "key" if given.dtype == "key" else "tensor"
        optional = given.optional and field == "inputs"
        return self.value(path, item, Operand(kind, optional))

    def _check_returned(
        self, path: str, callee: Callee, last: Callee, carry: tuple[str, ...]
    ) -> None:
        """A function returns what the op declares that it must."""
        name = callee.function
        outputs = self.signatures[name].outputs
        match callee.returns:
            case "the carry":
                for missing in (n for n in carry if n not in outputs):
                    self.report.error(
                        "carry",
                        f"{path}.carry.{missing}",
                        f"expected {name} to return the next {quote(missing)}, found "
                        f"{listing(outputs)}",
                    )
            case "only the carry" if set(outputs) != set(carry):
                self.report.error(
                    "carry",
                    path,
                    f"expected {name} to return the carry ({listing(carry)}), found "
                    f"{listing(outputs)}",
                )
            case "one value" if len(outputs) != 1:
                self.report.error(
                    "carry",
                    path,
                    f"expected {name} to return one value, found {listing(outputs)}",
                )
            case "the same" if outputs != self.signatures[last.function].outputs:
                self.report.error(
                    "argument",
                    path,
                    f"expected {name} and {last.function} to have the same outputs",
                )
