"""Every entry in lanes: symbolic sizes, small samples, training, a narrow float.

JAX decides most of what holds for all sizes within the bounds of `dims`. Where it can't,
and as a check where it did (it lets wrong reshapes pass), concrete sizes are tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from blox.schema import Graph, Report
from blox.schema.dtypes import NEEDS_X64
from blox.schema.expressions import ExpressionError
from blox.schema.frozen import EMPTY
from blox.schema.op import ScopeOp
from blox.schema.resolve.bounds import Limits
from blox.schema.resolve.program import Instance, Program

from .binding import input_dtype
from .control.base import Inputs
from .declared import Declared, bounds_of, relations_of
from .engine import Engine
from .faults import Fault
from .infer import SKIPPED
from .inferred import Inferred
from .kinds import Lane
from .op_engine import OpEngine, plain_tracebacks, x64
from .promised import promises
from .samples import Samples, Sizes, symbolic
from .symbolic import Symbols
from .values import Value
from .verdict import UNTRIED, Severity, verdict

WORK = 20_000
"""Equations of JAX and the like that any file may take, about 0.1 ms each."""
WORK_PER_NODE = 40
_MANY = 20
"""Faults for which more than one choice of sizes is tried."""
_PLAIN = Lane()
NARROW = Lane(dtype=jnp.dtype("bfloat16"))


def check_shapes(graph: Graph, report: Report, ops: OpEngine | None = None) -> None:
    """Adds to `report` what is wrong with the shapes of a sound Graph, all of it.

    Args:
        ops: what the Graph was written with, which knows most of its nodes.

    Errors have the code `shape` (or the runtime's own) and the path of the node along
    the calls. Warnings: `shape-undecided` where JAX can't decide and the sizes that
    were tried pass, `shape-skipped` where a file takes more work than it may.
    """
    program = graph.program()
    with tracing(program):
        Checker(program, report, ops).check()


@contextmanager
def tracing(program: Program) -> Iterator[None]:
    """64-bit types where the model has some, and errors of JAX as they are."""
    wide = any(leaf.dtype in NEEDS_X64 for leaf in program.leaves().values()) or any(
        spec.dtype in NEEDS_X64
        for instance in program.entries.values()
        for spec in instance.function.inputs.values()
    )
    with plain_tracebacks(), jax.enable_x64(wide or x64()):
        yield


@dataclass(slots=True)
class _Findings:
    """The faults of one path, by the lanes that have them."""

    path: str
    symbolic: Fault | None = None
    samples: dict[int, Fault] = field(default_factory=dict)


class Checker:
    """Checks all entries of a Program with one engine.

    Args:
        program: the resolved Graph.
        report: where findings go.
        ops: an engine of this Graph that knows some of its nodes, if there is one.
    """

    def __init__(
        self, program: Program, report: Report, ops: OpEngine | None = None
    ) -> None:
        graph = program.graph
        self.program, self.report = program, report
        self._bounds = bounds_of(graph)
        self._relations = relations_of(graph)
        if ops is None or ops.wide != x64():
            ops = self._new_ops()
        self.symbols = ops.symbols
        entries = {i: Limits(graph, i.dims) for i in program.entries.values()}
        self.engine = Engine(ops, entries)
        self._reported: set[str] = set()

    def _new_ops(self) -> OpEngine:
        program, graph = self.program, self.program.graph
        declared = [
            Declared(i.function.inputs, i.values) for i in program.entries.values()
        ]
        dims = {dim: None for d in declared for dim in d.dims(d.inputs)}
        symbols = Symbols(iter(dims), self._bounds, self._relations, graph.attributes)
        steps = sum(len(instance.steps) for instance in program.instances)
        return OpEngine(symbols, WORK + WORK_PER_NODE * steps)

    def check(self) -> None:
        for name, instance in self.program.entries.items():
            declared = Declared(instance.function.inputs, instance.values)
            for given in declared.variants():
                self._entry(name, instance, declared, given)

    def infer(
        self,
        lane: Lane = _PLAIN,
        *,
        every: bool = False,
        keys: bool = True,
        dims: Mapping[str, int] = EMPTY,
    ) -> dict[str, Inferred]:
        """Infers all entries with all inputs at symbolic sizes, and reports nothing.

        `every`: also without optional inputs, and with other numbers of leading axes.
        `keys`: with optional keys, without which nothing is dropped out.
        `dims`: sizes that are numbers.

        Returns:
            Entries by name, as inferred last; less those whose inputs have no shape.
        """
        found: dict[str, Inferred] = {}
        for name, instance in self.program.entries.items():
            declared = Declared(instance.function.inputs, instance.values)
            for given in declared.variants() if every else [declared.given(keys=keys)]:
                sizes = symbolic(declared, given, self.symbols, dims)
                leads = {sizes.leading}
                if every and sizes.leading:
                    leads |= {(), (*sizes.leading, self.symbols.axis("outer"))}
                for leading in leads:
                    at = replace(sizes, leading=leading)
                    with suppress(ExpressionError):
                        found[name] = self._inferred(
                            instance, declared, given, at, lane
                        )
        return found

    def _entry(
        self, name: str, instance: Instance, declared: Declared, given: list[str]
    ) -> None:
        run = partial(self._run, name, instance, declared, given)
        lanes = [Lane(), *([Lane(train=True)] if instance.uses_train else [])]
        found: dict[Any, _Findings] = {}
        free = declared.is_free(given)
        sizes = symbolic(declared, given, self.symbols)
        for lane in lanes:
            run(sizes, lane, None, found)
        keeps_types = _keeps_types(instance)
        samples = Samples(declared, given, self._bounds, self._relations)
        first = (
            next(iter(samples), None) if free and keeps_types and not found else None
        )
        if first is not None:
            # Concrete sizes and a narrow float at once; apart where a fault is found.
            both: dict[Any, _Findings] = {}
            for lane in lanes:
                run(first, replace(lane, dtype=NARROW.dtype), 0, both)
            if not both:
                return
        cases: list[Sizes] = []
        for case in samples if free else ():
            if cases and not 0 < len(found) <= _MANY:
                break
            for lane in lanes:
                run(case, lane, len(cases), found)
            cases.append(case)
        if free and not cases:
            self._report("warning", name, UNTRIED)
        for findings in found.values():
            self._judge(findings, cases if free else None)
        if keeps_types:
            narrow: dict[Any, _Findings] = {}
            run(sizes, NARROW, None, narrow)
            self._judge_narrow(narrow, found)

    def _run(
        self,
        name: str,
        instance: Instance,
        declared: Declared,
        given: list[str],
        sizes: Sizes,
        lane: Lane,
        sample: int | None,
        found: dict[Any, _Findings],
    ) -> None:
        try:
            inferred = self._inferred(instance, declared, given, sizes, lane)
        except ExpressionError as error:
            faults: Iterator[Any] = iter([("", name, Fault("shape", str(error)))])
        else:
            faults = inferred.found(name)
        for key, path, fault in faults:
            findings = found.setdefault(key, _Findings(path))
            if sample is None:
                findings.symbolic = findings.symbolic or fault
            else:
                findings.samples.setdefault(sample, fault)

    def _inferred(
        self,
        instance: Instance,
        declared: Declared,
        given: list[str],
        sizes: Sizes,
        lane: Lane,
    ) -> Inferred:
        inputs: Inputs = {n: self._input(declared, n, sizes, lane) for n in given}
        place = self.engine.places.at(instance, self.program.tree)
        return self.engine.inferred(place, inputs, lane)

    def _input(self, declared: Declared, name: str, sizes: Sizes, lane: Lane) -> Value:
        spec = declared.inputs[name]
        shape = sizes.shape(name, spec.shape or [], declared.values)
        return self.engine.values.array(shape, input_dtype(spec.dtype, lane.dtype))

    def _judge(self, found: _Findings, cases: list[Sizes] | None) -> None:
        if SKIPPED in (found.symbolic, *found.samples.values()):
            self._report("warning", found.path, SKIPPED)
            return
        result = verdict(found.symbolic, found.samples, cases)
        if result is not None:
            self._report(result[0], found.path, result[1])

    def _judge_narrow(
        self, narrow: Mapping[Any, _Findings], found: Mapping[Any, _Findings]
    ) -> None:
        """Reports what a narrow float alone is refused for."""
        for key, findings in narrow.items():
            fault = findings.symbolic
            if key not in found and fault is not None and fault.decided:
                text = f"{fault.message}, where the model's float is bfloat16"
                self._report("error", findings.path, replace(fault, message=text))

    def _report(self, severity: Severity, path: str, fault: Fault) -> None:
        """Reports the first finding of each path."""
        if path not in self._reported:
            self._reported.add(path)
            report = self.report.error if severity == "error" else self.report.warn
            report(fault.code, path, fault.message, fault.hint)


def _keeps_types(instance: Instance, seen: set[int] | None = None) -> bool:
    """True where some loop below carries values, whose types must stay, where branches
    must give the same types, or where the type of an output is promised."""
    seen = set() if seen is None else seen
    if id(instance) in seen:
        return False
    seen.add(id(instance))
    if promises(instance):
        return True
    for step in instance.steps:
        if not isinstance(step.op, ScopeOp):
            continue
        alike = any(called.declared.returns == "the same" for called in step.callees)
        if alike or step.group("carry"):
            return True
        if any(_keeps_types(i, seen) for i in step.instances):
            return True
    return False
