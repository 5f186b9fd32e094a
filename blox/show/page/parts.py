"""The content of the page as plain data: every function of the model once, resolved."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from blox.schema import Leaf
from blox.schema.content import Input, Output, type_text
from blox.schema.dtypes import FLOATS
from blox.schema.known import Known
from blox.schema.op import Op, ScopeOp
from blox.schema.resolve.program import Arg, Called, Instance, Program, Step
from blox.schema.resolve.trees import flatten, nest
from blox.show.flops import Measured
from blox.show.rows import copy_runs
from blox.weights.dtypes import nbytes_of

from .costs import Costs
from .texts import initial, lines, literal, text_of, type_of

Data = dict[str, Any]


class Parts:
    """Makes the data of each function; `part` numbers of callees are places in a list.

    Args:
        program: of the Graph.
        floats: the model's floating type.
        measured: what is known of the arrays that flow, and what their making costs.
    """

    def __init__(self, program: Program, floats: str, measured: Measured) -> None:
        self.floats, self.shapes = floats, measured.shapes
        self.costs = Costs(program, measured)
        self.instances = program.instances
        self.places = {id(found): i for i, found in enumerate(program.instances)}

    def all(self) -> list[Data]:
        """Callees before callers."""
        return [self._function(instance) for instance in self.instances]

    def place(self, instance: Instance) -> int:
        """The number of the part that an instance is."""
        return self.places[id(instance)]

    def sizes(self, leaves: Iterable[Leaf]) -> Data:
        """Elements and bytes of arrays, less those whose sizes a caller's node decides."""
        count = nbytes = 0
        for leaf in leaves:
            if None in leaf.full_shape:
                continue
            own = math.prod(leaf.full_shape)
            count += own
            nbytes += nbytes_of(self._dtype(leaf.dtype), own)
        return {"count": count, "bytes": nbytes}

    # --- A function ------------------------------------------------------------------

    def _function(self, instance: Instance) -> Data:
        known = self.shapes.get(instance, {})
        function = instance.function
        leaves = dict(flatten(instance.tree))
        counted: set[str] = set()
        return _given(
            name=instance.name,
            doc=lines(function.doc),
            values=[[name, text_of(value)] for name, value in instance.own.items()],
            inputs=[
                self._input(name, given, known.get(name, ()))
                for name, given in function.inputs.items()
            ],
            nodes=[
                self._step(instance, step, known.get(step.name, ()), leaves, counted)
                for step in instance.steps
            ],
            outputs=[
                _output(name, function.outputs[name], arg)
                for name, arg in instance.outputs.items()
            ],
            flops=self.costs.function(instance),
            **self.sizes(leaves.values()),
        )

    def _input(self, name: str, given: Input, known: tuple[Known | None, ...]) -> Data:
        declared = type_text(given)
        found = known[0] if known and known[0] is not None else None
        return _given(
            name=name,
            type=declared if found is None or given.dtype == "key" else type_of(found),
            declared=declared,
            optional=given.optional,
            doc=lines(given.doc),
        )

    # --- A node ----------------------------------------------------------------------

    def _step(
        self,
        instance: Instance,
        step: Step,
        known: tuple[Known | None, ...],
        every: Mapping[str, Leaf],
        counted: set[str],
    ) -> Data:
        # As they are once all nodes that have them have said their sizes.
        leaves = {p: every[p] for p, _ in flatten(nest(step.scope, step.tree))}
        seen = leaves.keys() & counted
        counted.update(leaves)
        below = len(".".join(step.scope)) + 1 if step.scope else 0
        own = {path[below:]: leaf for path, leaf in leaves.items()}
        own_name = step.scope == (step.name,)
        return _given(
            name=step.name,
            op=step.op.op,
            scope=None if own_name else ".".join(step.scope),
            unused=not step.live,
            set=list(_attributes(step.op)),
            takes=list(_takes(step)),
            gives=[
                [name, "" if found is None else type_of(found)]
                for name, found in _outputs(step, known)
            ],
            arrays=None if isinstance(step.op, ScopeOp) else self._arrays(own),
            calls=[self._callee(called) for called in step.callees],
            flops=self.costs.node(instance, step.name),
            shared=bool(leaves) and len(seen) == len(leaves),
            **self.sizes(leaves.values()),
        )

    def _arrays(self, leaves: Mapping[str, Leaf]) -> list[Data]:
        return [
            _given(
                name=path,
                type=type_of(Known(leaf.full_shape, self._dtype(leaf.dtype))),
                kind=leaf.kind,
                frozen=leaf.frozen,
                init=initial(leaf.init) if leaf.kind == "param" else "",
                **self.sizes([leaf]),
            )
            for path, leaf in leaves.items()
        ]

    def _callee(self, called: Called) -> Data:
        """The function in one role; `copies` of its own are first, last and part each."""
        declared = called.declared
        unrolled = declared.unrolled
        times = declared.runs if declared.copies is None else declared.copies
        return _given(
            role=declared.role,
            times=None if times in (None, 1) else str(times),
            stacked=declared.layout == "stacked",
            part=self.place(called.instance),
            copies=[
                [first, last, self.place(called.copy(first))]
                for first, last in copy_runs(called)
            ]
            if unrolled
            else None,
        )

    def _dtype(self, declared: str) -> str:
        return self.floats if declared == "float" else declared


def _given(**fields: Any) -> Data:
    """Less what says nothing; a number of 0 says something."""
    return {
        name: value
        for name, value in fields.items()
        if value is not None and value is not False and value not in ("", [], {})
    }


def _output(name: str, declared: Output, arg: Arg) -> Data:
    return _given(
        name=name,
        source=arg.source,
        output=arg.output or None,
        value=None if arg.is_reference else literal(arg),
        next=declared.next,
        type=type_text(declared),
        doc=lines(declared.doc),
    )


def _takes(step: Step) -> Iterator[list[Any]]:
    """[field, source, output, text]: an edge, or a number that stands in the file."""
    for field, arg in _arguments(step):
        if arg.is_reference:
            yield [field, arg.source, arg.output]
        elif arg.value is not None:
            yield [field, None, 0, literal(arg)]


def _arguments(step: Step) -> Iterator[tuple[str, Arg]]:
    for field, given in step.args.items():
        if isinstance(given, list):
            yield from ((f"{field}.{i}", arg) for i, arg in enumerate(given))
        else:
            yield field, given
    for group in step.groups.values():
        yield from group.items()


def _outputs(
    step: Step, known: tuple[Known | None, ...]
) -> Iterator[tuple[str, Known | None]]:
    padded = (*known, *(None for _ in step.outputs[len(known) :]))
    yield from zip(step.outputs, padded, strict=False)


def _attributes(op: Op) -> Iterator[list[str]]:
    """[name, value] of the attributes that are not as the op's class has them."""
    infos = type(op).model_fields
    for name in op.fields().attributes:
        value = getattr(op, name)
        if value != infos[name].default or infos[name].is_required():
            yield [name, text_of(value)]


def dtype_of_model(leaves: Mapping[str, Leaf], dtypes: Mapping[str, str]) -> str:
    """The model's floating type, as its weights have it; float32 without them."""
    found = (dtypes.get(path) for path, a in leaves.items() if a.dtype == "float")
    return next((dtype for dtype in found if dtype in FLOATS), "float32")
