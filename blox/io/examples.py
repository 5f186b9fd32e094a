"""`examples.safetensors`: inputs, the outputs that a model must give, and a tolerance.

Tensors are named `0.inputs.tokens`, `0.outputs.logits`, by the number of the example;
the metadata key `blox.examples` holds a JSON list of one `{"entry", "tolerance"}` each.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from blox.schema import Graph, ModelError, WeightsError
from blox.schema.diagnostics import Diagnostic, bounded, quote
from blox.weights import Headers, dump_flat
from blox.weights.files import Source
from blox.weights.json_text import strict_json
from blox.weights.reading import headers_of_file

from .spec import metadata_of

EXAMPLES = "examples.safetensors"
EXAMPLES_KEY = "blox.examples"
MAX_EXAMPLES = 1000
_NAME = re.compile(r"(0|[1-9][0-9]{0,3})\.(inputs|outputs)\.([A-Za-z0-9_]+)")


class Example(NamedTuple):
    """One promise of a model.

    Attributes:
        inputs: of the entry, by name, or in order.
        outputs: by name, or the array of a single output; None has them computed.
        tolerance: t of `|found - expected| <= t * (1 + |expected|)`, for floating
            outputs; others must be equal. By default 1e-4, 2e-2 where 16-bit floats
            take part.
        entry: the first one by default.
    """

    inputs: Mapping[str, Any] | Sequence[Any]
    outputs: Any = None
    tolerance: float | None = None
    entry: str | None = None


@dataclass(slots=True)
class Stored:
    """An example in a file: the names of its tensors by input and output."""

    entry: str
    tolerance: float
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)


def dump_examples(
    graph: Graph,
    params: Mapping[str, Any],
    examples: Sequence[Example | Mapping[str, Any] | tuple[Any, ...]],
) -> bytes:
    """The bytes of `examples.safetensors`.

    Raises:
        ModelError: inputs that the model does not take, outputs that it does not have.
    """
    tensors: dict[str, Any] = {}
    described = []
    if len(examples) > MAX_EXAMPLES:
        _refuse("", f"expected at most {MAX_EXAMPLES} examples, found {len(examples)}")
    for number, given in enumerate(examples):
        example = _example(given, number)
        entry = graph.entries[0] if example.entry is None else example.entry
        inputs, outputs = _complete(graph, params, example, entry, number)
        tolerance = example.tolerance
        if tolerance is None:
            tolerance = _tolerance([*_leaves(params), *outputs.values()])
        try:
            tolerance = float(tolerance)
        except (TypeError, ValueError):
            tolerance = math.nan
        if not 0 <= tolerance < math.inf:
            found = quote(example.tolerance)
            _refuse(f"{number}.tolerance", f"expected at least 0, found {found}")
        described.append({"entry": entry, "tolerance": tolerance})
        tensors |= {f"{number}.inputs.{n}": a for n, a in inputs.items()}
        tensors |= {f"{number}.outputs.{n}": a for n, a in outputs.items()}
    metadata = metadata_of(graph) | {EXAMPLES_KEY: json.dumps(described)}
    return dump_flat(tensors, metadata=metadata)


def _example(given: Any, number: int) -> Example:
    fields: Any = (given,) if isinstance(given, Mapping) else given
    if isinstance(fields, tuple) and 1 <= len(fields) <= len(Example._fields):
        example = Example(*fields)
        if isinstance(example.inputs, (Mapping, list, tuple)):
            return example
    wanted = "an Example, its fields as a tuple, or inputs by name"
    _refuse(str(number), f"expected {wanted}, found {quote(type(given).__name__)}")


def _array(value: Any, path: str) -> Any:
    import jax.numpy as jnp

    try:
        return jnp.asarray(value)
    except (TypeError, ValueError):  # of what is no array, or none of JAX's
        _refuse(path, f"expected an array, found {quote(type(value).__name__)}")


def _refuse(path: str, message: str) -> NoReturn:
    where = f"examples.{path}".rstrip(".")
    raise ModelError(Diagnostic("example", where, message))


def exact_products() -> AbstractContextManager[Any]:
    """Products of float32 in float32: accelerators round their factors by default."""
    import jax

    exact: AbstractContextManager[Any] = jax.default_matmul_precision("highest")
    return exact


def _complete(
    graph: Graph, params: Mapping[str, Any], example: Example, entry: str, number: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    import jax
    import jax.numpy as jnp
    import numpy as np

    from blox.runtime.build import build

    model = build(graph, entry)
    function = graph.functions[entry]
    inputs = example.inputs
    if not isinstance(inputs, Mapping):
        if len(inputs) > len(function.inputs):
            wanted = f"expected at most {len(function.inputs)} inputs"
            _refuse(f"{number}.inputs", f"{wanted}, found {len(inputs)}")
        inputs = dict(zip(function.inputs, inputs, strict=False))
    # As the model will see them: 64-bit values of NumPy become 32-bit ones.
    arrays = {
        n: _array(a, f"{number}.inputs.{n if isinstance(n, str) else quote(n)}")
        for n, a in inputs.items()
        if a is not None
    }
    outputs = example.outputs
    if outputs is None:
        try:
            with exact_products():
                outputs, _ = jax.jit(model)(params, **arrays)
        except ModelError as error:
            raise ModelError(
                Diagnostic(d.code, f"examples.{number}.{d.path}", d.message, d.hint)
                for d in error.diagnostics
            ) from error
    if not isinstance(outputs, Mapping):
        outputs = {next(iter(function.outputs)): outputs}
    if not outputs or not set(outputs) <= set(function.outputs):
        wanted = f"expected outputs of {entry} ({', '.join(function.outputs)})"
        _refuse(f"{number}.outputs", f"{wanted}, found {quote(list(outputs))}")
    stored = {
        n: jax.random.key_data(a) if jnp.issubdtype(a.dtype, jax.dtypes.prng_key) else a
        for n, a in arrays.items()
    }
    return stored, {n: np.asarray(a) for n, a in outputs.items()}


def _leaves(tree: Any) -> list[Any]:
    import jax

    return jax.tree.leaves(tree)


def _tolerance(arrays: Sequence[Any]) -> float:
    import jax.numpy as jnp

    half = any(
        jnp.issubdtype(a.dtype, jnp.floating) and jnp.dtype(a.dtype).itemsize < 4
        for a in arrays
    )
    return 2e-2 if half else 1e-4


def read_examples(source: Source, graph: Graph) -> tuple[Headers, list[Stored]]:
    """The examples of a file, held against the Graph; no array is read.

    Raises:
        WeightsError: the file is not sound, or speaks of what the Graph doesn't have.
    """
    headers = headers_of_file(source)
    stored, faults = _described(source.path, headers, graph)
    for name in headers.tensors:
        match = _NAME.fullmatch(name)
        number = int(match[1]) if match else len(stored)
        if match is None or number >= len(stored):
            wanted = (
                "expected tensors such as 0.inputs.x of examples that are described"
            )
            faults.append(
                Diagnostic("example", EXAMPLES, f"{wanted}, found {quote(name)}")
            )
            continue
        getattr(stored[number], match[2])[match[3]] = name
    for number, example in enumerate(stored):
        function = graph.functions[example.entry]
        needed = {n for n, i in function.inputs.items() if not i.optional}
        for kind, found, known, required in (
            ("inputs", set(example.inputs), set(function.inputs), needed),
            ("outputs", set(example.outputs), set(function.outputs), set()),
        ):
            if not required <= found <= known or (kind == "outputs" and not found):
                wanted = f"expected {kind} of {example.entry} ({', '.join(known)})"
                message = f"{wanted}, found {quote(sorted(found))}"
                faults.append(
                    Diagnostic("example", f"examples.{number}.{kind}", message)
                )
    if faults:
        raise WeightsError(bounded(faults))
    return headers, stored


def _described(
    path: Path, headers: Headers, graph: Graph
) -> tuple[list[Stored], list[Diagnostic]]:
    text = headers.metadata.get(EXAMPLES_KEY, "[]")
    raw = strict_json(f'{{"examples": {text}}}'.encode(), path, floats=True)
    listed = raw.get("examples")
    if not isinstance(listed, list) or len(listed) > MAX_EXAMPLES or len(raw) > 1:
        wanted = f"expected a list of at most {MAX_EXAMPLES} in {EXAMPLES_KEY!r}"
        raise WeightsError(
            Diagnostic("example", EXAMPLES, f"{wanted}, found something else")
        )
    stored, faults = [], []
    for number, item in enumerate(listed):
        sound = (
            isinstance(item, dict)
            and set(item) == {"entry", "tolerance"}
            and isinstance(item["entry"], str)
            and item["entry"] in graph.entries
            and type(item["tolerance"]) in (int, float)
            and 0 <= item["tolerance"] < math.inf
        )
        if not sound:
            wanted = "expected an entry of the Graph and a tolerance"
            message = f"{wanted}, found {quote(item)}"
            faults.append(Diagnostic("example", f"examples.{number}", message))
        else:
            stored.append(Stored(item["entry"], float(item["tolerance"])))
    if faults:
        raise WeightsError(bounded(faults))
    return stored, faults
