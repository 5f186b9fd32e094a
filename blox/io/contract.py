"""Running a model's examples: are the numbers those that it promises?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from blox.schema import BloxError, Graph, WeightsError
from blox.schema.diagnostics import Diagnostic
from blox.weights import Headers

from .examples import Stored, exact_products


def run_examples(
    graph: Graph, params: Any, headers: Headers, stored: Sequence[Stored]
) -> list[Diagnostic]:
    """What the model doesn't do as the examples say; empty if all is well."""
    findings: list[Diagnostic] = []
    for number, example in enumerate(stored):
        path = f"examples.{number}"
        try:
            inputs, wanted = arrays_of(graph, headers, example)
            outputs = outputs_of(graph, params, example.entry, inputs)
        except BloxError as error:
            findings += [
                Diagnostic(d.code, _path(path, d.path), d.message, d.hint)
                for d in error.diagnostics
            ]
            continue
        for name, expected in wanted.items():
            where = f"{path}.outputs.{name}"
            for text in differences(outputs[name], expected, example.tolerance):
                findings.append(Diagnostic("example", where, text))
    return findings


def arrays_of(
    graph: Graph, headers: Headers, example: Stored
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The inputs of an example, and the outputs that it promises, by name.

    Raises:
        WeightsError: an array can't be read, or is no key where one is expected.
    """
    import jax

    from blox.weights import load_flat

    tree = (example.inputs, example.outputs)
    arrays = load_flat(headers, jax.tree.leaves(tree))
    inputs, outputs = jax.tree.map(arrays.__getitem__, tree)
    for name, spec in graph.functions[example.entry].inputs.items():
        if spec.dtype == "key" and name in inputs:
            inputs[name] = _key(name, inputs[name])
    return inputs, outputs


def outputs_of(
    graph: Graph, params: Any, entry: str, inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """What a model gives for the inputs of an example, by name.

    Raises:
        ModelError: it has no such entry, or doesn't take them.
    """
    import jax

    from blox.runtime.build import build

    model = jax.jit(build(graph, entry))  # one function for equal Graphs
    with exact_products():
        outputs, _ = model(params, **inputs)
    if isinstance(outputs, dict):
        return outputs
    return {next(iter(graph.functions[entry].outputs)): outputs}


def _path(example: str, path: str) -> str:
    """`path` within an example; those of its tensors begin with its number."""
    number = example.removeprefix("examples.")
    return f"{example}.{path.removeprefix(f'{number}.')}"


def _key(name: str, data: Any) -> Any:
    import jax

    try:
        return jax.random.wrap_key_data(data)
    except TypeError:  # of data that no key has
        found = f"expected the data of a key, found {data.dtype}{list(data.shape)}"
        raise WeightsError(Diagnostic("example", f"inputs.{name}", found)) from None


def differences(found: Any, expected: Any, tolerance: float) -> Iterator[str]:
    """How an output differs from what is expected: an array, or those of a list."""
    if not isinstance(expected, list):
        found, expected = [found], [expected]
    pairs = enumerate(zip(found, expected, strict=True))
    texts = [(i, difference(a, b, tolerance)) for i, (a, b) in pairs]
    many = len(texts) > 1
    yield from (f"{text}, at {i}" if many else text for i, text in texts if text)


def difference(found: Any, expected: Any, tolerance: float) -> str:
    """How an array differs from what is expected, nothing where it does not."""
    import jax.numpy as jnp
    import numpy as np

    if (found.shape, found.dtype) != (expected.shape, expected.dtype):
        wanted = f"expected {expected.dtype}{list(expected.shape)}"
        return f"{wanted}, found {found.dtype}{list(found.shape)}"
    if not jnp.issubdtype(expected.dtype, jnp.inexact):
        count = int((np.asarray(found) != np.asarray(expected)).sum())
        return f"expected equal values, found {count} that differ" if count else ""
    wide = np.complex128 if np.iscomplexobj(expected) else np.float64
    a, b = np.asarray(found, wide), np.asarray(expected, wide)
    with np.errstate(invalid="ignore"):
        off = np.abs(a - b) / (1 + np.abs(b))
    off = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, off)
    worst = float(np.nan_to_num(off, nan=math.inf).max(initial=0.0))
    if worst <= tolerance:
        return ""
    return f"expected values within {tolerance:g}, found one off by {worst:.3g}"
