"""A small random model of transformers, and what has to hold of the same in blox."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch
from generated_files import assert_same_program
from generated_files import inputs_of as shapes_of
from safetensors.numpy import load_file

import blox as bx

SEQ = 11
NAMES = ("logits", "prediction_logits", "start_logits", "last_hidden_state")
"""Outputs that a loss is made of."""


class Found(NamedTuple):
    """A model in both libraries."""

    theirs: Any
    graph: bx.Graph
    params: Any
    folder: Path


def made(cls: str, config: dict[str, Any]) -> Any:
    """A random model; nothing in it is 0 or 1."""
    import transformers

    torch.manual_seed(zlib.crc32(f"{cls}{sorted(config)}".encode()))
    kind = getattr(transformers, cls)
    model = kind(kind.config_class(**config)).eval().float()
    with torch.no_grad():
        for value in model.parameters():
            value.add_(0.15 * torch.randn_like(value))
    return model


def imported(cls: str, config: dict[str, Any], folder: Path, **options: Any) -> Found:
    model = made(cls, config)
    model.save_pretrained(folder)
    return Found(model, *bx.from_hf(folder, **options), folder)


def inputs_of(found: Found) -> dict[str, Any]:
    """What a model is called with."""
    if found.theirs.__class__.__name__.endswith("MultipleChoice"):
        given = text_inputs(found, batch=4)
        return {name: array.reshape(2, 2, -1) for name, array in given.items()}
    return text_inputs(found)


def text_inputs(found: Found, batch: int = 3, seq: int = SEQ) -> dict[str, Any]:
    """Ids of which two rows end in padding."""
    config = found.theirs.config
    rng = np.random.default_rng(0)
    ids = rng.integers(3, config.vocab_size, (batch, seq)).astype(np.int32)
    lengths = np.array([seq, seq - 3, 5, 1][:batch])
    mask = (np.arange(seq) < lengths[:, None]).astype(np.int32)
    pad = config.pad_token_id
    ids = np.where(mask == 1, ids, 0 if pad is None else pad).astype(np.int32)
    return {"input_ids": ids, "attention_mask": mask}


def torch_given(inputs: dict[str, Any]) -> dict[str, Any]:
    tensors = {name: torch.tensor(np.asarray(a)) for name, a in inputs.items()}
    return {n: t if t.is_floating_point() else t.long() for n, t in tensors.items()}


def torch_outputs(model: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """Its outputs that are arrays, in NumPy."""
    with torch.no_grad():
        found = model(**torch_given(inputs), return_dict=True)
    return {
        name: value.numpy() for name, value in found.items() if torch.is_tensor(value)
    }


def outputs_of(found: Found, inputs: dict[str, Any], entry: str | None = None) -> Any:
    model = bx.build(found.graph, entry) if entry else bx.build(found.graph)
    outputs, _ = jax.jit(model)(found.params, **inputs)
    if not isinstance(outputs, dict):
        names = list(found.graph.functions[entry or "main"].outputs)
        outputs = {names[0]: outputs}
    return outputs


def relative(found: Any, wanted: Any, least: float = 1e-6) -> float:
    """The greatest difference, of the greatest number, or of the `least` that counts."""
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    assert found.shape == wanted.shape, (found.shape, wanted.shape)
    return float(np.abs(found - wanted).max() / max(least, np.abs(wanted).max()))


def check_outputs(found: Found, inputs: dict[str, Any], most: float = 1e-4) -> float:
    """Outputs are those of transformers, where tokens are no padding."""
    ours, theirs = outputs_of(found, inputs), torch_outputs(found.theirs, inputs)
    real = inputs.get("attention_mask")
    greatest = 0.0
    for name, value in ours.items():
        wanted = theirs[name]
        mine = np.asarray(value)
        if real is not None and wanted.shape[: real.ndim] == real.shape:
            mine, wanted = mine[real == 1], wanted[real == 1]
        greatest = max(greatest, relative(mine, wanted))
    assert greatest <= most, f"{greatest}"
    return greatest


def check_round_trip(found: Found, folder: Path) -> None:
    """Arrays come back bit for bit, and the config as data."""
    bx.to_hf(folder, found.graph, found.params)
    again, wanted = (load_file(f / "model.safetensors") for f in (folder, found.folder))
    assert again.keys() == wanted.keys()
    for name, value in wanted.items():
        assert again[name].dtype == value.dtype
        assert again[name].shape == value.shape
        assert again[name].tobytes() == value.tobytes(), name
    ours, theirs = (
        json.loads((f / "config.json").read_text()) for f in (folder, found.folder)
    )
    assert ours == theirs


def check_steps(found: Found, chunks: tuple[int, ...] = (4, 3, 1, 1, 1, 1)) -> float:
    """Steps with caches give what the whole text gives."""
    graph, params = found.graph, found.params
    ids = text_inputs(found)["input_ids"]
    [(name, whole)] = outputs_of(found, {"input_ids": ids}).items()
    step = jax.jit(bx.build(graph, "step"))
    inputs = graph.functions["step"].inputs
    state, at, parts = empty_caches(graph, len(ids), SEQ + 2), 0, []
    for count in chunks:
        given = {"position": jnp.int32(at)} if "position" in inputs else {}
        out, _ = step(params, ids[:, at : at + count], **given, **state)
        parts.append(out[name])
        state = {cache: out[cache] for cache in state}
        at += count
    greatest = relative(np.concatenate(parts, axis=1), whole)
    assert greatest <= 1e-5, f"{greatest}"
    return greatest


def empty_caches(graph: bx.Graph, batch: int, cached: int) -> dict[str, Any]:
    """Zeros for what `step` keeps."""
    instance = graph.program().entries["step"]
    kept = {o.next for o in instance.function.outputs.values()} - {None}
    sizes = {"batch": batch, "cached": cached, "seq": 1}
    given = [name for name, i in instance.function.inputs.items() if not i.optional]
    shapes = dict(
        zip(given, shapes_of(instance, optional=False, sizes=sizes), strict=True)
    )
    return {
        name: jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), shapes[name])
        for name in given
        if name in kept
    }


def check_generated(found: Found) -> None:
    """The generated file is the program that the loader makes."""
    assert_same_program(found.graph, bx.generate(found.graph))


def check_gradients(found: Found, inputs: dict[str, Any], folder: Path) -> float:
    """Gradients of a loss are those of transformers, array by array."""
    for module in found.theirs.modules():  # else the row of padding gets no gradient
        if isinstance(module, torch.nn.Embedding):
            module.padding_idx = None
    rng = np.random.default_rng(1)
    name = next(n for n in outputs_of(found, inputs) if n in NAMES)
    wanted = torch_given(inputs)
    output = found.theirs(**wanted, return_dict=True)[name]
    weights = rng.normal(size=output.shape).astype(np.float32)
    real = inputs.get("attention_mask")
    if real is not None and output.shape[: real.ndim] == real.shape:
        weights[real == 0] = 0  # what a token of padding gets means nothing
    (output * torch.tensor(weights)).sum().backward()
    model = bx.build(found.graph)

    def loss(params: Any) -> Any:
        outputs, _ = model(params, **inputs)
        value = outputs[name] if isinstance(outputs, dict) else outputs
        return (value * weights).sum()

    bx.to_hf(folder, found.graph, jax.jit(jax.grad(loss))(found.params))
    ours = load_file(folder / "model.safetensors")
    theirs = {
        path: value.grad.numpy()
        for path, value in found.theirs.named_parameters()
        if path in ours and value.grad is not None
    }
    # That of a bias of keys is 0 but for rounding: it is held against all of them.
    least = 1e-3 * max(np.abs(grad).max() for grad in theirs.values())
    greatest = max(relative(ours[path], grad, least) for path, grad in theirs.items())
    assert greatest <= 2e-4, f"{greatest}"
    return greatest
