"""Arguments of the functions that a node runs, and what they must return."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from ..callee import Callee
from ..content import Content, Function, Input
from ..diagnostics import Report, listing, path_part, quote
from ..fields import Operand
from ..op import Op
from .lists import NONE, lists_of
from .program import Arg, Groups

Kind = Literal["tensor", "list", "tensor or list"]
MAX_MISSING = 20
"""Inputs without a value that one call reports."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What callers of a function must know, gathered once."""

    required: tuple[str, ...]
    """The inputs that must be given."""
    outputs: tuple[str, ...]
    lists: frozenset[str]
    """The outputs that are lists."""

    @classmethod
    def of(cls, function: Function, lists: frozenset[str]) -> Signature:
        required = (n for n, given in function.inputs.items() if not given.optional)
        return cls(tuple(required), tuple(function.outputs), lists)


@dataclass(frozen=True, slots=True)
class Calls:
    """Binds the arguments of one function's calls; all faults go to the report."""

    graph: Content
    signatures: dict[str, Signature]
    report: Report
    value: Callable[[str, Any, Operand], Arg]
    """Binds one value: (path, value, operand)."""

    def lists(self, callees: tuple[Callee, ...]) -> frozenset[str]:
        """The outputs of a node with these callees that are lists."""

        def of(function: str) -> frozenset[str]:
            known = self.signatures.get(function)
            return NONE if known is None else known.lists

        return lists_of(callees, of)

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
        own = self.graph.functions[last.function].inputs
        inputs: Mapping[str, Input] = own
        asking = known if any(c.chooses for c in known) else known[-1:]
        if len(asking) > 1:
            inputs = ChainMap(
                *(self.graph.functions[c.function].inputs for c in known[::-1])
            )
        where_from = " or ".join(dict.fromkeys(c.function for c in reversed(asking)))
        index = last.index
        # A call may give few inputs of thousands: nothing here looks at all of them.
        pairs = last.pairs or {}
        taken = {n for n in (index, *pairs.values()) if n in inputs}
        for field in maps:
            value = getattr(op, field)
            if isinstance(value, list):
                free = len(own) - len(taken)
                if len(value) > free:
                    self.report.error(
                        "argument",
                        f"{path}.{field}",
                        f"expected at most {free} values, found {len(value)}",
                    )
                names = (name for name in own if name not in taken)
                value = dict(zip(list(islice(names, len(value))), value, strict=False))
            given: dict[str, Arg] = {}
            groups[field] = given
            for name, item in value.items():
                where = f"{path}.{field}.{path_part(name)}"
                if name not in (own if field == "carry" else inputs):
                    of = last.function if field == "carry" else where_from
                    self.report.error(
                        "argument",
                        where,
                        f"expected an input of {of} ({listing(inputs)}), "
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
                given[name] = self._argument(where, field, item, inputs[name], last)
        if last.pairs is not None:
            self._check_pairs(path, last, groups.get("xs", {}))
        for name, function in islice(self._missing(asking, taken), MAX_MISSING):
            self.report.error(
                "argument",
                path,
                f"expected a value for the input {quote(name)} of {function}, found none",
            )
        if index is not None and index not in inputs:
            self.report.error(
                "argument",
                f"{path}.index",
                f"expected an input of {where_from} ({listing(inputs)}), "
                f"found {quote(index)}",
            )
        if index is not None and index in inputs:
            self._check_array(f"{path}.index", index, inputs[index])
        self._check_agreement(path, known, last)
        outputs = self.signatures[last.function].outputs
        for callee in {(c.function, c.returns): c for c in known}.values():
            self._check_returned(path, callee, last, tuple(groups.get("carry", ())))
        return outputs

    def _check_pairs(self, path: str, callee: Callee, xs: Mapping[str, Arg]) -> None:
        """Each of xs has one input of its own that gets a second element."""
        pairs, inputs = callee.pairs or {}, self.graph.functions[callee.function].inputs
        names = dict.fromkeys(pairs.values())
        for name in (n for n in names if n not in inputs):
            self.report.error(
                "argument",
                f"{path}.right",
                f"expected inputs of {callee.function} ({listing(inputs)}), found "
                f"{quote(name)}",
            )
        if len(names) < len(pairs) or set(pairs) != set(xs):
            self.report.error(
                "argument",
                f"{path}.right",
                f"expected another input for each of xs ({listing(xs)}), found "
                f"{listing([f'{k}: {v}' for k, v in pairs.items()])}",
            )
        for name, given in inputs.items():
            if given.dtype == "key":
                self.report.error(
                    "argument",
                    path,
                    f"expected a function without keys, found {quote(name)} of "
                    f"{callee.function}",
                )

    def _missing(
        self, asking: Sequence[Callee], taken: Container[str | None]
    ) -> Iterator[tuple[str, str]]:
        """(input, function) of the inputs that must be given and are not, each once."""
        found: set[str] = set()
        for callee in reversed(asking):
            for name in self.signatures[callee.function].required:
                if name not in taken and name not in found:
                    found.add(name)
                    yield name, callee.function

    def _check_agreement(
        self, path: str, known: Sequence[Callee], last: Callee
    ) -> None:
        """The functions of a node have the same inputs, or agree on what each takes."""
        inputs = self.graph.functions[last.function].inputs
        for callee in {c.function: c for c in known[:-1]}.values():
            others = self.graph.functions[callee.function].inputs
            if callee.chooses:
                for name, given in others.items():
                    if name in inputs and _kind(given) != _kind(inputs[name]):
                        self.report.error(
                            "argument",
                            path,
                            f"expected {callee.function} and {last.function} to agree on "
                            f"the input {quote(name)}, found a key and an array, or one "
                            "that is optional",
                        )
            elif _kinds(others) != _kinds(inputs):
                self.report.error(
                    "argument",
                    path,
                    f"expected {callee.function} and {last.function} to have the same "
                    "inputs",
                )

    def _argument(
        self, path: str, field: str, item: Any, given: Input, callee: Callee
    ) -> Arg:
        """A value for an input of the callee that gives the node its outputs."""
        if field != "inputs":
            self._check_array(path, path.rpartition(".")[2], given)
        if isinstance(item, list):
            if field != "xs" or not callee.literals:
                self.report.error(
                    "argument", path, "expected a reference, found a list"
                )
            return Arg(value=tuple(item))
        optional = given.optional and field == "inputs"
        if given.dtype == "key":
            return self.value(path, item, Operand("key", optional))
        if field == "inputs":
            kind: Kind = "tensor" if given.copies is None else "list"
        else:
            kind = "tensor or list" if field == "xs" and callee.unrolled else "tensor"
        return self.value(path, item, Operand(kind, optional))

    def _check_array(self, path: str, name: str, given: Input) -> None:
        """What a loop gives anew at each step is an array."""
        if given.copies is not None:
            self.report.error(
                "argument",
                path,
                f"expected an input that is an array, found the list {name}",
                "`inputs` gives a list to all steps of a loop",
            )

    def _check_returned(
        self, path: str, callee: Callee, last: Callee, carry: tuple[str, ...]
    ) -> None:
        """A function returns what the op declares that it must."""
        name = callee.function
        outputs = self.signatures[name].outputs
        lists = () if callee.hands_on else sorted(self.signatures[name].lists)
        if lists:
            self.report.error(
                "argument",
                path,
                f"expected {name} to return arrays, as a loop or branch runs it, found "
                f"the list {lists[0]}",
            )
        for i, wanted in enumerate(callee.listed):
            if wanted not in outputs or wanted in carry or wanted in callee.listed[:i]:
                others = [o for o in outputs if o not in carry]
                self.report.error(
                    "argument",
                    f"{path}.listed.{i}",
                    f"expected each output that is no carry once ({listing(others)}), "
                    f"found {quote(wanted)}",
                )
        match callee.returns:
            case "the carry":
                for missing in (n for n in carry if n not in outputs):
                    self.report.error(
                        "carry",
                        f"{path}.carry.{missing}",
                        f"expected {name} to return the next {quote(missing)}, found "
                        f"{listing(outputs)}",
                    )
            case "the elements" if set(outputs) != set(callee.pairs or ()):
                self.report.error(
                    "carry",
                    path,
                    f"expected {name} to return the elements "
                    f"({listing(callee.pairs or ())}), found {listing(outputs)}",
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


def _kind(given: Input) -> tuple[bool, bool, bool]:
    """What a caller has to know of an input: is it a key, is it optional, is it a list."""
    return given.dtype == "key", given.optional, given.copies is not None


def _kinds(inputs: Mapping[str, Input]) -> list[tuple[str, bool]]:
    """The names of inputs, and whether each is a list."""
    return [(name, given.copies is not None) for name, given in inputs.items()]
