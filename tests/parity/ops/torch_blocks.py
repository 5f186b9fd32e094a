"""Attention and blocks of it for torch_sequence_recipes.py, by PyTorch and transformers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_modules import Numbers, leaf, recorded
from torch_reference import case
from transformers.models.gemma2 import modeling_gemma2 as gemma
from transformers.models.gpt_oss import modeling_gpt_oss as gpt_oss
from transformers.models.llama import modeling_llama as llama
from transformers.models.phi import modeling_phi as phi
from transformers.models.qwen3 import modeling_qwen3 as qwen

ATTENTION = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "o_proj": "out"}
GATED = {"gate_proj": "gate", "up_proj": "up", "down_proj": "down"}
SMALL: dict[str, Any] = {
    "hidden_size": 8,
    "intermediate_size": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 4,
    "attn_implementation": "eager",
    "num_hidden_layers": 2,
}
HEADS: dict[str, Any] = {"heads": 4, "kv_heads": 2, "head_dim": 4, "use_bias": False}
TIME = 5


def at(place: str, names: dict[str, str]) -> dict[str, str]:
    """The same within a part: `attn` at `self_attn` as `self_attn=attn`."""
    theirs, _, ours = place.partition("=")
    return {f"{theirs}.{k}": f"{ours}.{v}" for k, v in names.items()}


def near(window: int = TIME) -> Tensor:
    """True for a key at or less than so many positions before the query."""
    away = torch.arange(TIME)[:, None] - torch.arange(TIME)
    return (away >= 0) & (away < window)


def added(allowed: Tensor) -> Tensor:
    """A mask as transformers adds it."""
    return torch.where(allowed, 0.0, -1e30)[None, None]


def angles() -> tuple[dict[str, Tensor], tuple[Tensor, Tensor]]:
    """cos and sin as ours have them, and theirs."""
    turned = torch.arange(TIME)[:, None] * torch.tensor([1.0, 0.25])
    cos, sin = turned.cos().float().double(), turned.sin().float().double()
    double = [torch.cat([a, a], -1)[None] for a in (cos, sin)]
    return {"cos": cos, "sin": sin}, (double[0], double[1])


def torch_attention(
    own: dict[str, Tensor], x: Tensor, context: Tensor, mask: Tensor
) -> Tensor:
    """`F.multi_head_attention_forward` of two heads, with one kernel for each."""
    bias = torch.cat([own[f"net.{n}.bias"] for n in ("query", "key", "value")])
    y, _ = F.multi_head_attention_forward(
        *(a.movedim(0, 1) for a in (x, context, context)), 8, 2, None, bias, None,
        None, False, 0.0, own["net.out.kernel"].T, own["net.out.bias"],
        attn_mask=mask, use_separate_proj_weight=True,
        q_proj_weight=own["net.query.kernel"].T, k_proj_weight=own["net.key.kernel"].T,
        v_proj_weight=own["net.value.kernel"].T,
    )  # fmt: skip
    return y.movedim(0, 1)


def attention_of_torch() -> None:
    x, context = leaf(2, TIME, 8), leaf(2, 3, 6)
    for other in (False, True):
        own = {}
        for name in ("query", "key", "value", "out"):
            features = 6 if other and name in ("key", "value") else 8
            own[f"net.{name}.kernel"] = leaf(features, 8, scale=0.5)
            own[f"net.{name}.bias"] = leaf(8)
        source = context if other else x
        mask = torch.rand(2, 1, TIME, source.shape[1]) < 0.7
        mask[..., 0] = True
        bias = leaf(2, 2, TIME, source.shape[1])
        scores = torch.where(mask, bias, -torch.inf).flatten(0, 1)
        given = {"x": x} | ({"context": context} if other else {})
        y = torch_attention(own, x, source, scores)
        given |= {"mask": mask, "bias": bias}
        case("multi_head_attention", {**given, **own}, y, heads=2)


def attention_of_transformers() -> None:
    x = leaf(2, TIME, 8)
    turned, theirs = angles()
    given = {"x": x, **turned}

    def run(mask: Tensor, table: Any = theirs) -> Any:
        return lambda f: f(x, position_embeddings=table, attention_mask=added(mask))[0]

    record = partial(recorded, "multi_head_attention", inputs=given)
    module: nn.Module = llama.LlamaAttention(llama.LlamaConfig(**SMALL), 0)
    record(module, ATTENTION, run=run(near()), causal=True, **HEADS)
    module = qwen.Qwen3Attention(qwen.Qwen3Config(**SMALL, rms_norm_eps=1e-3), 0)
    norms = {"q_norm": "query_norm", "k_norm": "key_norm"}
    record(
        module, ATTENTION | norms, run=run(near()), causal=True, qk_norm="rms_norm",
        eps=1e-3, **HEADS,
    )  # fmt: skip
    config = gemma.Gemma2Config(
        **SMALL, attn_logit_softcapping=2.0, query_pre_attn_scalar=9, sliding_window=2
    )
    record(
        gemma.Gemma2Attention(config, 0), ATTENTION, run=run(near(2)), causal=True,
        window=2, softcap=2.0, scale=1 / 3, **HEADS,
    )  # fmt: skip
    biased: dict[str, Any] = HEADS | {"use_bias": True}
    module = gpt_oss.GptOssAttention(
        gpt_oss.GptOssConfig(**SMALL, attention_bias=True), 0
    )
    record(
        module, ATTENTION | {"sinks": "sinks"}, causal=True, sinks=True,
        run=run(near(), (turned["cos"][None], turned["sin"][None])),
        **biased,
    )  # fmt: skip


def torch_layers() -> None:
    x, context = leaf(2, TIME, 8), leaf(2, 3, 8)
    names = ("query", "key", "value", "out")
    for first in (True, False):
        own = {f"net.attn.{n}.kernel": leaf(8, 8, scale=0.5) for n in names}
        own |= {f"net.cross.{n}.kernel": leaf(8, 8, scale=0.5) for n in names}
        own |= {n.replace("kernel", "bias"): leaf(8) for n in own}
        common: dict[str, Any] = {
            "norm_first": first, "batch_first": True, "dropout": 0.0,
            "activation": "gelu" if first else "relu", "layer_norm_eps": 1e-3,
        }  # fmt: skip
        options: dict[str, Any] = {
            "heads": 2, "hidden": 6, "order": "pre" if first else "post", "eps": 1e-3,
            "activation": common["activation"],
        }  # fmt: skip
        mask = near()
        encoder = nn.TransformerEncoderLayer(8, 2, 6, **common)
        parts = {"linear1": "mlp.up", "linear2": "mlp.down"}
        norms = {"norm1": "ln_1", "norm2": "ln_2", "norm3": "ln_3"}
        numbers, arrays = layer(encoder, parts | norms, {"self_attn": "attn"}, own)
        y = torch.func.functional_call(
            encoder, arrays, (x,), {"src_mask": added_2d(mask)}
        )
        given = {"x": x, "mask": mask.expand(2, 1, TIME, TIME)}
        case("transformer_block", {**given, **numbers}, y, **options)
        decoder = nn.TransformerDecoderLayer(8, 2, 6, **common)
        attentions = {"self_attn": "attn", "multihead_attn": "cross"}
        numbers, arrays = layer(decoder, parts | norms, attentions, own)
        seen = torch.tensor([[True, True, False], [True, True, True]])
        y = torch.func.functional_call(
            decoder, arrays, (x, context),
            {"tgt_mask": added_2d(mask), "memory_key_padding_mask": ~seen},
        )  # fmt: skip
        given = {"x": x, "context": context, "context_mask": seen[:, None, None]}
        case("decoder_block", {**given, **numbers}, y, **options)


def added_2d(allowed: Tensor) -> Tensor:
    return added(allowed)[0, 0]


def layer(
    module: nn.Module,
    places: dict[str, str],
    attentions: dict[str, str],
    own: dict[str, Tensor],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Our numbers and those of a layer of torch, which packs three kernels in one."""
    module.double().eval()
    rest = nn.Module()
    for name, part in module.named_children():
        if name in places:
            rest.add_module(name, part)
    numbers = Numbers()
    arrays = numbers.of(rest, places)
    for theirs, ours in attentions.items():
        numbers.own |= {n: a for n, a in own.items() if n.startswith(f"net.{ours}.")}
        three = [f"net.{ours}.{n}" for n in ("query", "key", "value")]
        arrays |= {
            f"{theirs}.in_proj_weight": torch.cat(
                [own[f"{n}.kernel"].T for n in three]
            ),
            f"{theirs}.in_proj_bias": torch.cat([own[f"{n}.bias"] for n in three]),
            f"{theirs}.out_proj.weight": own[f"net.{ours}.out.kernel"].T,
            f"{theirs}.out_proj.bias": own[f"net.{ours}.out.bias"],
        }
    return numbers.own, arrays


def layers_of_transformers() -> None:
    x = leaf(2, TIME, 8)
    turned, theirs = angles()
    given = {"x": x, **turned}
    parts = at("self_attn=attn", ATTENTION) | at("mlp=mlp", GATED)
    gated: dict[str, Any] = {"hidden": 6, "gated": True, "causal": True}

    def run(f: Callable[..., Any]) -> Tensor:
        y: Tensor = f(x, position_embeddings=theirs, attention_mask=added(near()))
        return y

    norms = {"input_layernorm": "ln_1", "post_attention_layernorm": "ln_2"}
    module: nn.Module = llama.LlamaDecoderLayer(
        llama.LlamaConfig(**SMALL, rms_norm_eps=1e-3), 0
    )
    recorded(
        "transformer_block", module, parts | norms, given, run, norm="rms_norm",
        eps=1e-3, activation="silu", **gated, **HEADS,
    )  # fmt: skip
    norms = {
        "input_layernorm": "ln_1", "post_attention_layernorm": "ln_1_out",
        "pre_feedforward_layernorm": "ln_2", "post_feedforward_layernorm": "ln_2_out",
    }  # fmt: skip
    config = gemma.Gemma2Config(**SMALL, attn_logit_softcapping=3.0, rms_norm_eps=1e-3)
    recorded(
        "transformer_block", gemma.Gemma2DecoderLayer(config, 0), parts | norms, given,
        run, [*norms], norm="rms_norm", eps=1e-3, order="sandwich", softcap=3.0,
        scale=256**-0.5, activation="gelu_tanh", **gated, **HEADS,
    )  # fmt: skip
    biased = SMALL | {"hidden_size": 16, "layer_norm_eps": 1e-3}
    config = phi.PhiConfig(**biased, partial_rotary_factor=1.0)
    given["x"] = wide = leaf(2, TIME, 16)
    parts = at("self_attn=attn", ATTENTION | {"dense": "out"})
    parts |= {"mlp.fc1": "mlp.up", "mlp.fc2": "mlp.down", "input_layernorm": "ln_1"}
    recorded(
        "transformer_block", phi.PhiDecoderLayer(config, 0), parts, given,
        lambda f: f(wide, position_embeddings=theirs, attention_mask=added(near())),
        eps=1e-3, order="parallel", activation="gelu_tanh", hidden=6, causal=True,
        heads=4, kv_heads=2,
    )  # fmt: skip
