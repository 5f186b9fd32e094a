"""Writes torch_attention.safetensors: attention, masks and rotary tables as elsewhere.

    python tests/parity/ops/torch_attention.py     (extra `parity`)

As torch_reference.py, with gradients: PyTorch's scaled_dot_product_attention, softcaps as
in transformers' Gemma 2, sinks as in its gpt-oss, scaled rotary angles as in its
modeling_rope_utils.
"""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch_reference import FILE as REFERENCE
from torch_reference import case, randn, save
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.gemma2 import modeling_gemma2 as gemma2
from transformers.models.gpt_oss import modeling_gpt_oss as gpt_oss

FILE = REFERENCE.with_name("torch_attention.safetensors")
HEADS, QUERIES, KEYS, DIM = 4, 5, 6, 4


def leaf(*shape: int) -> Tensor:
    return randn(*shape).requires_grad_()


def masks() -> dict[str, Tensor]:
    """(batch, 1, queries, keys), each also a case of `attention_mask` as it is made."""
    queries, keys = torch.arange(1, 1 + QUERIES), torch.arange(KEYS)
    ahead = queries[:, None] - keys
    padding = torch.tensor([[1, 1, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0]])
    of_queries = torch.tensor([[0, 0, 1, 1, 1], [0, 1, 1, 2, 2]])
    of_keys = torch.tensor([[0, 0, 0, 1, 1, 1], [1, 1, 1, 2, 2, 2]])
    parts: dict[str, Tensor] = {
        "causal": ahead >= 0,
        "window": ahead.abs() < 2,
        "padding": padding[:, None, None].bool(),
        "segments": (of_queries[..., None] == of_keys[:, None])[:, None],
    }
    found = {}
    for kind in ("causal", "window", "causal window", "padding", "segments", "all"):
        names = list(parts) if kind == "all" else kind.split()
        mask = torch.ones(1, 1, QUERIES, KEYS, dtype=torch.bool)
        for name in names:
            mask = mask & parts[name]
        given = {"query_positions": queries.int(), "key_positions": keys.int()}
        if "padding" in names:
            given["padding"] = padding.int()
        if "segments" in names:
            given |= {"query_segments": of_queries.int(), "key_segments": of_keys.int()}
        batched = {"padding", "segments"} & {*names}
        case(
            "attention_mask", given, mask if batched else mask[0],
            causal="causal" in names, window=2 if "window" in names else None,
        )  # fmt: skip
        found[kind] = mask.expand(2, 1, QUERIES, KEYS)
    return found


def heads_first(arrays: dict[str, Tensor]) -> list[Tensor]:
    """Query, key, value. Where masks are added, a query that may attend to nothing still
    has a gradient; as 0 it has none, and gets the mean of all values.
    """
    q, k, v = (arrays[n].transpose(1, 2) for n in ("query", "key", "value"))
    if "mask" in arrays:
        q = torch.where(arrays["mask"].any(-1, keepdim=True), q, 0.0)
    return [q, k, v]


def scaled(arrays: dict[str, Tensor], scale: float | None) -> Tensor:
    """PyTorch's."""
    q, k, v = heads_first(arrays)
    bias = torch.zeros(1, 1, QUERIES, KEYS)
    if "bias" in arrays:
        bias = bias + arrays["bias"]
    if "mask" in arrays:
        bias = torch.where(arrays["mask"], bias, -1e30)
    # Its kernel for CPUs has another gradient where all scores are -1e30.
    with sdpa_kernel(SDPBackend.MATH):
        y = F.scaled_dot_product_attention(q, k, v, bias, scale=scale, enable_gqa=True)
    return y.transpose(1, 2)


def eager(arrays: dict[str, Tensor], scale: float, **more: Any) -> Tensor:
    """Those of transformers, whose masks are added."""
    q, k, v = heads_first(arrays)
    groups = HEADS // k.shape[1]
    own: dict[str, Any] = {"num_key_value_groups": groups, "training": False}
    mask = arrays.get("mask")
    added = None if mask is None else torch.where(mask, 0.0, -1e30)
    if "sinks" in arrays:
        module: Any = SimpleNamespace(sinks=arrays["sinks"], **own)
        run = gpt_oss.eager_attention_forward
    else:
        module = SimpleNamespace(head_dim=q.shape[-1], **own)
        run = gemma2.eager_attention_forward
    y: Tensor = run(module, q, k, v, added, scaling=scale, dropout=0.0, **more)[0]
    return y


def attention() -> None:
    kinds = masks()
    forms = product((HEADS, 2, 1), (None, *kinds), (None, 0.3), (False, True))
    for number, (kv_heads, kind, scale, biased) in enumerate(forms):
        arrays = {
            "query": leaf(2, QUERIES, HEADS, DIM),
            "key": leaf(2, KEYS, kv_heads, DIM),
            "value": leaf(2, KEYS, kv_heads, 3 if number % 3 else DIM),
        }
        if kind is not None:
            arrays["mask"] = kinds[kind]
        if biased:
            arrays["bias"] = leaf(HEADS, QUERIES, KEYS)
        case(
            "dot_product_attention", arrays, scaled(arrays, scale),
            heads_per_kv=HEADS // kv_heads, scale=scale, slow=bool(number % 8),
            query_chunk=(None, 1, 2, 3, 8)[number % 7 % 5],
        )  # fmt: skip
    for number, (kv_heads, kind, sunk) in enumerate(
        product((HEADS, 2, 1), (None, "causal", "all"), (False, True))
    ):
        arrays = {
            "query": leaf(2, QUERIES, HEADS, DIM),
            "key": leaf(2, KEYS, kv_heads, DIM),
            "value": leaf(2, KEYS, kv_heads, DIM),
        }
        if kind is not None:
            arrays["mask"] = kinds[kind]
        if sunk:
            arrays["sinks"] = leaf(HEADS)
        more = {} if sunk else {"softcap": 1.5}
        case(
            "dot_product_attention", arrays, eager(arrays, 0.5, **more),
            heads_per_kv=HEADS // kv_heads, scale=0.5, slow=bool(number % 3), **more,
            query_chunk=(None, 2)[number // 2 % 2],
        )  # fmt: skip


def near() -> None:
    """`is_causal` of PyTorch, and bands around a diagonal that starts at the first two."""
    forms = product((HEADS, 2), ((4, 6), (6, 4), (5, 5)), (True, False), (None, 2, 3))
    for number, (kv_heads, (queries, keys), causal, window) in enumerate(forms):
        if not causal and window is None:
            continue
        arrays = {
            "query": leaf(2, queries, HEADS, DIM),
            "key": leaf(2, keys, kv_heads, DIM),
            "value": leaf(2, keys, kv_heads, DIM),
        }
        q, k, v = heads_first(arrays)
        band = torch.ones(queries, keys, dtype=torch.bool)
        if window is not None:
            band = band.triu(1 - window).tril(0 if causal else window - 1)
            q = torch.where(band.any(-1, keepdim=True), q, 0.0)
        added = None if window is None else torch.where(band, 0.0, -1e30)
        with sdpa_kernel(SDPBackend.MATH):
            y = F.scaled_dot_product_attention(
                q, k, v, added, is_causal=window is None, enable_gqa=True
            )
        case(
            "dot_product_attention", arrays, y.transpose(1, 2),
            heads_per_kv=HEADS // kv_heads, causal=causal, window=window,
            query_chunk=(None, 3)[number // 4 % 2], slow=bool(number % 4),
        )  # fmt: skip


def rotary() -> None:
    """Angles of inverse frequencies, whose cosines and sines may be scaled too."""
    yarn = {"factor": 4.0, "original_length": 16}
    llama3 = {"factor": 8.0, "original_length": 16}
    forms: list[tuple[str, dict[str, Any]]] = [
        ("none", {}),
        ("linear", {"factor": 4.0}),
        ("dynamic", {"factor": 2.0, "original_length": 16}),
        ("dynamic", {"factor": 2.0, "original_length": 64}),
        ("yarn", yarn),
        ("yarn", yarn | {"beta_fast": 8.0, "beta_slow": 0.25, "truncate": False}),
        ("yarn", yarn | {"attention_factor": 1.0, "theta": 500.0}),
        ("llama3", llama3),
        ("llama3", llama3 | {"low_freq_factor": 0.5, "high_freq_factor": 2.0}),
    ]
    theirs = {
        "original_length": "original_max_position_embeddings", "theta": "rope_theta"
    }  # fmt: skip
    for dim, (kind, given) in product((8, 32), forms):
        positions = torch.arange(3, 40, 4)
        settings = {theirs.get(n, n): v for n, v in given.items()}
        settings = {"rope_theta": 10000.0, "rope_type": kind, **settings}
        if kind == "llama3":
            settings = {"low_freq_factor": 1.0, "high_freq_factor": 4.0} | settings
        if kind == "none":
            rates, scale = 10000.0 ** (-torch.arange(0, dim, 2) / dim), 1.0
        else:
            config = LlamaConfig(
                hidden_size=dim, num_attention_heads=1, head_dim=dim,
                max_position_embeddings=64 if kind != "dynamic" else settings.pop(
                    "original_max_position_embeddings"
                ),
                rope_parameters=settings,
            )  # fmt: skip
            length = int(positions.max()) + 1
            rates, scale = ROPE_INIT_FUNCTIONS[kind](config, None, seq_len=length)
        angles = positions[:, None] * rates.double()
        case(
            "rope_table", {"positions": positions.int()},
            (scale * angles.cos()).float(), (scale * angles.sin()).float(),
            dim=dim, scaling=kind, slow=dim > 8, **given,
        )  # fmt: skip


def make() -> None:
    """All cases, in order."""
    torch.manual_seed(5)
    attention()
    rotary()
    near()


if __name__ == "__main__":
    make()
    save(FILE)
