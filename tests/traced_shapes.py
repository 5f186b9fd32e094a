"""The shape engine at concrete sizes against a trace of the loaded model."""

from __future__ import annotations

from typing import Any

import jax

import blox as bx
from blox.schema import Graph, Report
from blox.shapes.binding import input_dtype
from blox.shapes.check import Checker, tracing
from blox.shapes.declared import Declared, bounds_of, relations_of
from blox.shapes.kinds import Lane
from blox.shapes.samples import Samples


def compare(graph: Graph, *, train: bool) -> bool:
    """The outputs of all entries, where some trace succeeds; True if one fails."""
    program = graph.program()
    params = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
    failed = False
    with tracing(program):
        engine = Checker(program, Report()).engine
        for name, instance in program.entries.items():
            declared = Declared(instance.function.inputs, instance.values)
            given = declared.variants()[-1]
            samples = Samples(declared, given, bounds_of(graph), relations_of(graph))
            sizes = next(iter(samples))
            inputs = {
                n: jax.ShapeDtypeStruct(
                    sizes.shape(n, declared.inputs[n].shape or (), declared.values),
                    input_dtype(declared.inputs[n].dtype, "float32"),
                )
                for n in given
            }
            values = {
                n: engine.values.array(x.shape, x.dtype) for n, x in inputs.items()
            }
            place = engine.places.at(instance, program.tree)
            inferred = engine.inferred(place, dict(values), Lane(train=train))
            # That inputs of called functions are as declared is checked here alone.
            faults = [
                path
                for _, path, fault in inferred.found(name)
                if not fault.message.startswith("expected shape [")
            ]
            first: str | None = None
            found: Any = None
            try:
                found, _ = jax.eval_shape(
                    bx.build(graph, name, train=train), params, **inputs
                )
            except bx.ModelError as error:
                first = error.diagnostics[0].path
            if first is not None:
                failed = True
                assert first in faults
                continue
            outputs = (
                [found[n] for n in instance.outputs]
                if isinstance(found, dict)
                else [found]
            )
            for output, value in zip(outputs, inferred.outputs, strict=True):
                array = engine.values.as_array(value)
                assert (array.shape, array.dtype) == (output.shape, output.dtype)
            # What nothing uses is checked too, but doesn't run.
            dead = {s.name for i in program.instances for s in i.steps if not s.live}
            assert all(dead & set(path.split(".")) for path in faults)
    return failed
