"""`examples.safetensors`: inputs, the outputs that a model must give, and a tolerance.

Tensors are named `0.inputs.tokens`, `0.outputs.logits`, by the number of the example, and
those of a list `0.inputs.k.0`, `0.inputs.k.1`; the metadata key `blox.examples` holds a JSON
list of one `{"entry", "tolerance"}` each.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
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
_NUMBER = "0|[1-9][0-9]{0,5}"
_NAME = re.compile(rf"({_NUMBER})\.(inputs|outputs)\.([A-Za-z0-9_]+)(?:\.({_NUMBER}))?")


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
    """An example in a file: the names of its tensors by input and output; of a list a
    list of them.
    """

    entry: str
    tolerance: float
    inputs: dict[str, str | list[str]] = field(default_factory=dict)
    outputs: dict[str, str | list[str]] = field(default_factory=dict)


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
            tolerance = _tolerance(_leaves((params, outputs)))
        try:
            tolerance = float(tolerance)
        except (TypeError, ValueError):
            tolerance = math.nan
        if not 0 <= tolerance < math.inf:
            found = quote(example.tolerance)
            _refuse(f"{number}.tolerance", f"expected at least 0, found {found}")
        described.append({"entry": entry, "tolerance": tolerance})
        for kind, values in (("inputs", inputs), ("outputs", outputs)):
            for name, value in values.items():
                tensors |= _named(f"{number}.{kind}.{name}", value)
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


def _named(name: str, value: Any) -> dict[str, Any]:
    """An array by its name in the file, those of a list by their numbers."""
    if not isinstance(value, list):
        return {name: value}
    return {f"{name}.{i}": part for i, part in enumerate(value)}


def _array(value: Any, path: str, is_list: bool) -> Any:
    import jax.numpy as jnp

    if is_list and isinstance(value, (list, tuple)):
        return [_array(part, f"{path}.{i}", False) for i, part in enumerate(value)]
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
    instance = graph.program().entries[entry]
    arrays = {
        n: _array(
            a,
            f"{number}.inputs.{n if isinstance(n, str) else quote(n)}",
            n in instance.input_copies,
        )
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

    def stored(a: Any) -> Any:
        is_key = jnp.issubdtype(a.dtype, jax.dtypes.prng_key)
        return jax.random.key_data(a) if is_key else a

    lists = instance.output_copies
    found = {n: [*a] if n in lists else a for n, a in outputs.items()}
    return jax.tree.map(stored, arrays), jax.tree.map(np.asarray, found)


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
    parts: Parts = {}
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
        part = parts.setdefault((number, match[2], match[3]), {})
        part[None if match[4] is None else int(match[4])] = name
    faults += _assigned(parts, stored, graph)
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


Parts = dict[tuple[int, str, str], dict[int | None, str]]
"""Tensors by example, `inputs` or `outputs`, and name; those of a list by their numbers."""


def _assigned(parts: Parts, stored: list[Stored], graph: Graph) -> Iterator[Diagnostic]:
    """Gives examples their tensors, a list where the Graph has one of as many."""
    for (number, kind, name), part in parts.items():
        instance = graph.program().entries[stored[number].entry]
        copies = instance.input_copies if kind == "inputs" else instance.output_copies
        count = copies.get(name)
        places: list[int | None] = [None] if count is None else [*range(count)]
        if part.keys() != {*places}:
            kinds = "one array" if count is None else f"those of {count} arrays"
            text = f"expected {kinds}, found {quote(sorted(part.values()))}"
            yield Diagnostic("example", f"examples.{number}.{kind}.{name}", text)
        tensors = [part.get(i, "") for i in places]
        getattr(stored[number], kind)[name] = tensors[0] if count is None else tensors


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
