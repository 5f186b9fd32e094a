"""all-MiniLM-L6-v2 with LoRA and as int8, against PyTorch."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
import torch.nn.functional as F
from generated_files import executed
from parity.hf.test_minilm import folder, reference, tokenised
from torch.ao.quantization import PerChannelMinMaxObserver

import blox as bx
from blox.runtime.given import flat
from blox.surgery.edit import Edit

__all__ = ["folder", "reference"]

pytestmark = pytest.mark.parity

RANK, ALPHA = 8, 16


@cache
def minilm(folder: Path) -> tuple[bx.Graph, Any]:
    return bx.from_hf(folder, name="minilm")


@cache
def tuned(folder: Path) -> tuple[Edit, Any]:
    """LoRA on every query and value, after some training's worth of noise."""
    graph, params = minilm(folder)
    edit = bx.edit(graph).lora("*.query", "*.value", rank=RANK, alpha=ALPHA)
    found = dict(flat(edit.carry_over(params, jax.random.key(0))))
    for i, path in enumerate(found):
        if path.endswith("_lora.b"):
            drawn = jax.random.normal(jax.random.key(i), found[path].shape)
            found[path] = drawn * 0.02
    return edit, bx.init(edit.graph, jax.random.key(0), given=found)


def hidden(graph: bx.Graph, params: Any, inputs: Any) -> Any:
    return jax.jit(bx.build(graph))(params, **inputs)[0]["last_hidden_state"]


def tokens(folder: Path) -> tuple[Any, Any]:
    inputs = tokenised(folder)
    return inputs, np.asarray(inputs["attention_mask"]) == 1


def adapted(own: Any, i: int) -> Any:
    """peft's formula, as a hook: result + lora_B(lora_A(x)) * alpha / r."""
    a, b = (torch.tensor(np.asarray(own[n][i]).T) for n in "ab")

    def hook(module: Any, args: Any, result: Any) -> Any:
        return result + F.linear(F.linear(args[0], a), b) * (ALPHA / RANK)

    return hook


def test_lora_is_that_of_peft_and_merges(folder: Path, reference: Any) -> None:
    edit, params = tuned(folder)
    inputs, real = tokens(folder)
    found = hidden(edit.graph, params, inputs)
    own = params["encoder"]["attention"]
    hooks = [
        getattr(layer.attention.self, name).register_forward_hook(
            adapted(own[f"{name}_lora"], i)
        )
        for i, layer in enumerate(reference.encoder.layer)
        for name in ("query", "value")
    ]
    with torch.no_grad():
        given = {n: torch.tensor(v, dtype=torch.long) for n, v in inputs.items()}
        wanted = reference(**given).last_hidden_state.numpy()
    for hook in hooks:
        hook.remove()
    merged = bx.edit(edit.graph).merge_lora()
    folded = hidden(merged.graph, merged.carry_over(params), inputs)
    graph, base = minilm(folder)
    moved = np.abs(found - hidden(graph, base, inputs))[real].max()
    theirs, ours = (np.abs(x - found)[real].max() for x in (wanted, folded))
    print(
        f"LoRA moves {moved:.1e}; peft's formula {theirs:.1e}, merged {ours:.1e} away"
    )
    assert moved > 0.1
    assert theirs < 2e-5
    assert ours < 1e-5


def test_lora_alone_is_trained(folder: Path) -> None:
    graph, base = minilm(folder)
    edit = bx.edit(graph).lora("*.query", "*.value", rank=RANK, alpha=ALPHA)
    params = edit.carry_over(base, jax.random.key(0))
    trainable, rest = bx.split(edit.graph, params)
    count = sum(array.size for _, array in flat(trainable))
    assert count == 6 * 2 * (384 * RANK + RANK * 384)
    inputs, _ = tokens(folder)
    model = bx.build(edit.graph, "sentence_embedding")
    optimizer = optax.adam(1e-3)

    @jax.jit
    def step(trainable: Any, state: Any) -> Any:
        def loss(trainable: Any) -> Any:
            return -model(bx.merge(trainable, rest), **inputs)[0][:, 0].mean()

        value, grads = jax.value_and_grad(loss)(trainable)
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(trainable, updates), state, value

    state, losses = optimizer.init(trainable), []
    for _ in range(3):
        trainable, state, value = step(trainable, state)
        losses.append(float(value))
    print(f"{count} numbers trained: {losses[0]:.4f} -> {losses[-1]:.4f}")
    assert losses[-1] < losses[0]
    for path, array in flat(bx.merge(trainable, rest)):
        old = dict(flat(params))[path]
        assert np.array_equal(array, old) == ("_lora." not in path), path


def test_int8_is_that_of_torch(folder: Path) -> None:
    graph, params = minilm(folder)
    edit = bx.edit(graph).quantize()
    old, new = dict(flat(params)), dict(flat(edit.carry_over(params)))
    axes = {"kernel": -1, "embedding": 0}
    checked = 0
    for path, array in old.items():
        if f"{path}.values" not in new:
            continue
        stacked = array if path.startswith("encoder.") else array[None]
        copies = zip(
            stacked,
            new[f"{path}.values"].reshape(stacked.shape),
            new[f"{path}.scale"].reshape(len(stacked), -1),
            strict=True,
        )
        for weight, values, scale in copies:
            axis = axes[path.rpartition(".")[2]] % 2
            tensor = torch.tensor(np.asarray(weight))
            observer = PerChannelMinMaxObserver(
                axis, torch.qint8, torch.per_channel_symmetric, quant_min=-127,
                quant_max=127, eps=0.0,
            )  # fmt: skip
            observer(tensor)
            theirs, zeros = observer.calculate_qparams()
            theirs[theirs == 0] = 1  # a row of zeros: the token of padding
            assert np.allclose(theirs.numpy(), scale, rtol=2e-7, atol=0)
            step = torch.tensor(np.asarray(scale))
            rounded = torch.fake_quantize_per_channel_affine(
                tensor, step, zeros.int(), axis, -127, 127
            )
            rows = np.moveaxis(rounded.numpy(), axis, 0) / np.asarray(scale)[:, None]
            # torch multiplies by 1 / scale: next to a tie it may round to the other side
            apart = np.abs(rows - np.moveaxis(np.asarray(values, "float32"), axis, 0))
            assert apart.max() < 1.001
            assert (apart > 1e-3).mean() < 1e-4
            checked += 1
    assert checked == 6 * 6 + 4


def test_int8_keeps_sentences_where_they_were(folder: Path, tmp_path: Path) -> None:
    graph, params = minilm(folder)
    edit = bx.edit(graph).quantize()
    small = edit.carry_over(params)
    inputs, _ = tokens(folder)

    def embedded(graph: bx.Graph, params: Any) -> Any:
        return jax.jit(bx.build(graph, "sentence_embedding"))(params, **inputs)[0]

    exact, found = embedded(graph, params), embedded(edit.graph, small)
    apart = 1 - jnp.sum(exact * found, -1)
    rows = edit.roundings(params)
    sizes = [sum(x.nbytes for _, x in flat(p)) / 2**20 for p in (params, small)]
    print(rows)
    print(
        f"cosine distance at most {apart.max():.1e}; {sizes[0]:.0f} -> {sizes[1]:.0f} MiB"
    )
    assert apart.max() < 5e-3  # the empty text; of others 2e-3
    assert max(row.relative for row in rows) < 0.05
    bx.save(tmp_path / "small", edit.graph, small)
    assert bx.validate(tmp_path / "small").ok
    loaded, again = bx.load(tmp_path / "small")
    source = executed(bx.generate(loaded))
    written = jax.jit(source["sentence_embedding"])(
        source["load_params"](tmp_path / "small"), **inputs
    )
    assert np.array_equal(written, embedded(loaded, again))
    assert np.array_equal(written, found)
    back = bx.edit(edit.graph).dequantize()
    assert back.graph == graph
    for path, array in flat(back.carry_over(small)):
        if f"{path}.values" in dict(flat(small)):
            flats = dict(flat(small))
            exact = np.asarray(flats[f"{path}.values"], "float32")
            assert np.array_equal(array, exact * flats[f"{path}.scale"])
