"""Writes torch_sequence_recipes.safetensors: recipes of sequences, by other people's code.

    python tests/parity/ops/torch_sequence_recipes.py     (extra `parity`)

Modules of PyTorch and transformers with random numbers, gradients too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_modules import Numbers, leaf, recorded
from torch_reference import FILE as REFERENCE
from torch_reference import case, save
from transformers.models.gemma2 import modeling_gemma2 as gemma
from transformers.models.gpt_oss import modeling_gpt_oss as gpt_oss
from transformers.models.llama import modeling_llama as llama
from transformers.models.mamba import modeling_mamba as mamba
from transformers.models.perceiver import modeling_perceiver as perceiver
from transformers.models.phi import modeling_phi as phi
from transformers.models.qwen3 import modeling_qwen3 as qwen

FILE = REFERENCE.parents[1] / "builder" / "torch_sequence_recipes.safetensors"
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


def maps() -> None:
    x = leaf(2, 3, 4)
    module: nn.Module = nn.Sequential(
        nn.Linear(4, 6), nn.SiLU(), nn.Linear(6, 5), nn.SiLU(), nn.Linear(5, 4)
    )
    places = {"0": "up", "2": "up_2", "4": "down"}
    recorded(
        "mlp", module, places, {"x": x}, lambda f: f(x), hidden=[6, 5],
        activation="silu",
    )  # fmt: skip
    module = nn.Sequential(nn.Linear(4, 6), nn.GELU("tanh"), nn.Linear(6, 3))
    recorded(
        "mlp", module, {"0": "up", "2": "down"}, {"x": x}, lambda f: f(x), hidden=6,
        activation="gelu_tanh", features=3,
    )  # fmt: skip
    for kind, name in (("swiglu", "silu"), ("geglu", "gelu"), ("reglu", "relu")):
        config = llama.LlamaConfig(**SMALL | {"hidden_size": 4, "hidden_act": name})
        module = llama.LlamaMLP(config)
        recorded(kind, module, GATED, {"x": x}, lambda f: f(x), hidden=6)


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


def perceivers() -> None:
    x, context = leaf(3, 8), leaf(2, TIME, 6)
    config = perceiver.PerceiverConfig(
        d_latents=8, num_latents=3, d_model=6, num_blocks=1, num_self_attends_per_block=2,
        num_self_attention_heads=2, num_cross_attention_heads=1,
        cross_attention_widening_factor=2, self_attention_widening_factor=2,
        cross_attention_shape_for_attention="q", attention_probs_dropout_prob=0.0,
        hidden_act="gelu",
    )  # fmt: skip
    inner = {
        "self.layernorm1": "ln_1", "self.query": "attn.query", "self.key": "attn.key",
        "self.value": "attn.value", "output.dense": "attn.out",
    }  # fmt: skip
    block = {f"attention.{k}": v for k, v in inner.items()}
    block |= {"layernorm": "ln_2", "mlp.dense1": "mlp.up", "mlp.dense2": "mlp.down"}
    cross = block | {"attention.self.layernorm2": "ln_context"}
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])[:, None, None]
    encoder = perceiver.PerceiverEncoder(config, kv_dim=6).double().eval()
    queries = leaf(2, 3, 8)
    given = {"x": queries, "context": context, "mask": mask}
    recorded(
        "perceiver_block", encoder.cross_attention, cross, given,
        lambda f: f(queries, inputs=context, inputs_mask=added(mask)[0, 0])[0],
        heads=1, hidden=16,
    )  # fmt: skip
    numbers = Numbers()
    arrays = numbers.of(
        encoder.cross_attention, {k: f"cross.{v}" for k, v in cross.items()}
    )
    arrays = {f"cross_attention.{k}": v for k, v in arrays.items()}
    blocks = {k: f"blocks.{v}" for k, v in block.items()}
    for i, own in enumerate(numbers.stacked([*encoder.self_attends], blocks)):
        arrays |= {f"self_attends.{i}.{k}": v for k, v in own.items()}
    y = torch.func.functional_call(
        encoder, arrays, (x.expand(2, 3, 8),),
        {"inputs": context, "inputs_mask": added(mask)[0, 0]},
    ).last_hidden_state  # fmt: skip
    case(
        "perceiver", {"context": context, "mask": mask, "net.latents": x} | numbers.own,
        y, latents=3, features=8, heads=2, hidden=16, depth=2,
    )  # fmt: skip


def scans() -> None:
    x = leaf(2, TIME, 8)
    config = mamba.MambaConfig(
        hidden_size=8, state_size=3, conv_kernel=3, time_step_rank=2, expand=1,
        num_hidden_layers=1, use_mambapy=False,
    )  # fmt: skip
    places = {n: n for n in ("in_proj", "x_proj", "dt_proj", "out_proj")}
    places |= {"conv1d": "conv", "A_log": "a_log", "D": "d"}
    recorded(
        "mamba", mamba.MambaMixer(config, 0), places, {"x": x}, lambda f: f(x),
        inner=8, state_size=3, kernel=3, rank=2,
    )  # fmt: skip


class Mixer(nn.Module):  # type: ignore[misc]
    """What arXiv:2105.01601 writes in Figure 1."""

    def __init__(self) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(8, 1e-6), nn.LayerNorm(8, 1e-6)
        self.tokens = nn.Sequential(nn.Linear(TIME, 3), nn.GELU(), nn.Linear(3, TIME))
        self.mlp = nn.Sequential(nn.Linear(8, 6), nn.GELU(), nn.Linear(6, 8))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.tokens(self.ln_1(x).mT).mT
        y: Tensor = x + self.mlp(self.ln_2(x))
        return y


class GatedMixer(nn.Module):  # type: ignore[misc]
    """What arXiv:2105.08050 writes in Figure 1."""

    def __init__(self) -> None:
        super().__init__()
        self.ln, self.ln_gate = nn.LayerNorm(8), nn.LayerNorm(3)
        self.up, self.down = nn.Linear(8, 6), nn.Linear(3, 8)
        self.mix = nn.Linear(TIME, TIME)

    def forward(self, x: Tensor) -> Tensor:
        u, v = F.gelu(self.up(self.ln(x))).chunk(2, -1)
        y: Tensor = x + self.down(u * self.mix(self.ln_gate(v).mT).mT)
        return y


def mixers() -> None:
    x = leaf(2, TIME, 8)
    places = {"ln_1": "ln_1", "ln_2": "ln_2"}
    for part in ("tokens", "mlp"):
        places |= {f"{part}.0": f"{part}.up", f"{part}.2": f"{part}.down"}
    recorded(
        "mixer_block", Mixer(), places, {"x": x}, lambda f: f(x), tokens_hidden=3,
        hidden=6,
    )  # fmt: skip
    names = ("ln", "ln_gate", "up", "down", "mix")
    module = GatedMixer()
    recorded(
        "gmlp_block", module, {n: n for n in names}, {"x": x}, lambda f: f(x), hidden=6
    )


def make() -> None:
    """All cases, in order."""
    torch.manual_seed(4)
    for family in (
        maps, attention_of_torch, attention_of_transformers, torch_layers,
        layers_of_transformers, perceivers, scans, mixers,
    ):  # fmt: skip
        family()


if __name__ == "__main__":
    make()
    save(FILE)
