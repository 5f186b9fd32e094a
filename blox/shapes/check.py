"""Every entry traced with symbolic sizes: shape errors without arrays, by graph path.

JAX decides most of what holds for all sizes within the bounds of `dims`. Where it
can't, and once where it could (it lets wrong reshapes pass), concrete sizes are tried.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from blox.runtime.build import build
from blox.runtime.inputs import Signature
from blox.schema import Graph, ModelError, Report
from blox.schema.diagnostics import Diagnostic
from blox.schema.resolve.program import Instance, Program, Tree
from blox.weights.dtypes import NEEDS_X64

from .sizes import Sizes, concrete, describe, is_free, symbolic

MAX_NODES = 20_000
"""Nodes that a trace may visit; about a millisecond each."""


def check_shapes(graph: Graph, report: Report) -> None:
    """Adds to `report` what is wrong with the shapes of a sound Graph.

    Errors have the code `shape` (or the runtime's own) and the path of the node along
    the calls. Warnings: `shape-undecided` where JAX can't decide and the sizes that
    were tried pass, `shape-skipped` where an entry is too large to be traced here.
    """
    program = graph.program()
    with _widths(program):
        params = _abstract(program.tree)
        for name, instance in program.entries.items():
            if instance.traced > MAX_NODES:
                text = f"expected at most {MAX_NODES} nodes to trace, found more"
                report.warn("shape-skipped", name, text, "its shapes are not checked")
                continue
            for train in (False, True) if instance.uses_train else (False,):
                model = build(graph, name, train=train)
                for given in _variants(instance):
                    _check(program, instance, model, params, given, report)


def _widths(program: Program) -> Any:
    wide = any(leaf.dtype in NEEDS_X64 for leaf in program.leaves().values()) or any(
        spec.dtype in NEEDS_X64
        for instance in program.entries.values()
        for spec in instance.function.inputs.values()
    )
    return jax.enable_x64(wide or bool(jax.config.read("jax_enable_x64")))


def _variants(instance: Instance) -> list[list[str]]:
    """All inputs, and all but the optional ones."""
    inputs = instance.function.inputs
    needed = [name for name, spec in inputs.items() if not spec.optional]
    return [list(inputs)] if len(needed) == len(inputs) else [list(inputs), needed]


def _abstract(tree: Tree) -> Any:
    if isinstance(tree, dict):
        return {name: _abstract(part) for name, part in tree.items()}
    if isinstance(tree, list):
        return [_abstract(part) for part in tree]
    dtype = "float32" if tree.dtype == "float" else tree.dtype
    return jax.ShapeDtypeStruct(tree.full_shape, dtype)


def _check(
    program: Program,
    instance: Instance,
    model: Callable[..., Any],
    params: Any,
    given: list[str],
    report: Report,
) -> None:
    signature = Signature(program, instance)

    def fault(sizes: Sizes) -> Diagnostic | None:
        try:
            inputs = {name: _input(signature, name, sizes) for name in given}
            jax.eval_shape(model, params, **inputs)
        except ModelError as error:
            found = error.diagnostics[0]
            code = "shape" if found.code == "trace" else found.code
            return Diagnostic(code, found.path, found.message, found.hint)
        except Exception as error:  # of JAX, over what a stranger wrote
            lines = [line for line in str(error).splitlines() if line.strip()]
            text = lines[0] if lines else type(error).__name__
            return Diagnostic("shape", instance.name, text)
        return None

    free = is_free(signature, given)
    undecided = fault(symbolic(signature, given))
    if not free:
        if undecided is not None:
            report.error(undecided.code, undecided.path, undecided.message)
        return
    cases = concrete(signature, given)
    tried = cases if undecided is not None else cases[:1]
    for case in tried:
        wrong = fault(case)
        if wrong is not None:
            passing = next((c for c in cases if c != case and not fault(c)), None)
            hint = wrong.hint
            if passing is not None:
                hint = (
                    f"it holds at {describe(passing)}: say in dims (min, max, "
                    "multiple_of) or constraints which sizes are meant"
                )
            where = f" at {describe(case)}" if describe(case) else ""
            report.error(wrong.code, wrong.path, wrong.message + where, hint)
            return
    if undecided is not None:
        held = "; ".join(describe(case) for case in cases if describe(case))
        report.warn(
            "shape-undecided",
            undecided.path,
            f"can't be decided for all sizes: {undecided.message}",
            f"it holds at {held or 'the sizes tried'}; bounds in dims help to decide"
            if cases
            else "found no sizes within the bounds of dims and constraints to try",
        )


def _input(signature: Signature, name: str, sizes: Sizes) -> Any:
    spec = signature.inputs[name]
    shape = sizes.shape(name, spec.shape or [], signature.values)
    if spec.dtype == "key":
        key = jax.eval_shape(lambda: jax.random.key(0))
        return jax.ShapeDtypeStruct(shape, key.dtype)
    dtype = "float32" if spec.dtype in ("float", None) else spec.dtype
    return jax.ShapeDtypeStruct(shape, dtype)
