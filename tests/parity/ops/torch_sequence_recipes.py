"""Writes torch_sequence_recipes.safetensors: recipes of sequences, by other people's code.

    python tests/parity/ops/torch_sequence_recipes.py     (extra `parity`)

Modules of PyTorch and transformers with random numbers, gradients too.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_blocks import (
    GATED,
    SMALL,
    TIME,
    added,
    attention_of_torch,
    attention_of_transformers,
    layers_of_transformers,
    torch_layers,
)
from torch_modules import Numbers, leaf, recorded
from torch_reference import FILE as REFERENCE
from torch_reference import case, save
from transformers.models.llama import modeling_llama as llama
from transformers.models.mamba import modeling_mamba as mamba
from transformers.models.perceiver import modeling_perceiver as perceiver

FILE = REFERENCE.parents[1] / "builder" / "torch_sequence_recipes.safetensors"


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
