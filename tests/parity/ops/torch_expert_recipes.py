"""Writes torch_expert_recipes.safetensors: mixtures of experts of transformers.

    python tests/parity/ops/torch_expert_recipes.py     (extra `parity`)

Blocks of Mixtral, Qwen2-MoE and DeepSeek V3 with random numbers, gradients too.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch_modules import leaf
from torch_reference import FILE as REFERENCE
from torch_reference import case, randn, save
from transformers.models.deepseek_v3 import modeling_deepseek_v3 as deepseek
from transformers.models.mixtral import modeling_mixtral as mixtral
from transformers.models.qwen2_moe import modeling_qwen2_moe as qwen

FILE = REFERENCE.parents[1] / "builder" / "torch_expert_recipes.safetensors"
WIDTH, HIDDEN, EXPERTS = 6, 4, 8
SHARED = {
    "gate_proj": "shared_gate",
    "up_proj": "shared_up",
    "down_proj": "shared_down",
}


def recorded(module: nn.Module, shared: str = "", **options: Any) -> None:
    """A block with numbers of ours, and what it gives."""
    x = leaf(2, 5, WIDTH)
    own = {
        "router.kernel": leaf(WIDTH, EXPERTS),
        "gate.kernel": leaf(EXPERTS, WIDTH, HIDDEN),
        "up.kernel": leaf(EXPERTS, WIDTH, HIDDEN),
        "down.kernel": leaf(EXPERTS, HIDDEN, WIDTH),
    }
    both = torch.cat([own["gate.kernel"], own["up.kernel"]], -1)
    theirs = {
        "gate.weight": own["router.kernel"].T,
        "experts.gate_up_proj": both.mT,
        "experts.down_proj": own["down.kernel"].mT,
    }
    if shared:
        for name, ours in SHARED.items():
            old = module.get_parameter(f"{shared}.{name}.weight")
            own[f"{ours}.kernel"] = leaf(*old.T.shape)
            theirs[f"{shared}.{name}.weight"] = own[f"{ours}.kernel"].T
    if options.get("shared_gate"):
        own["shared_weight.kernel"] = leaf(WIDTH, 1)
        theirs["shared_expert_gate.weight"] = own["shared_weight.kernel"].T
    if options.get("balance"):
        own["balance"] = randn(EXPERTS)
        theirs["gate.e_score_correction_bias"] = own["balance"]
    y = torch.func.functional_call(module, theirs, (x,))
    arrays: dict[str, Tensor] = {"x": x} | {f"net.{n}": a for n, a in own.items()}
    case(
        "mixture_of_experts", arrays, y, experts=EXPERTS, hidden=HIDDEN, **options
    )  # fmt: skip


def config(cls: Any, **settings: Any) -> Any:
    found = cls(hidden_size=WIDTH, **settings)
    found._experts_implementation = "eager"
    return found


def make() -> None:
    """All cases, in order."""
    torch.manual_seed(6)
    for top_k, scores in ((2, "softmax"), (2, "softmax_of_chosen"), (1, "softmax")):
        settings = config(
            mixtral.MixtralConfig, intermediate_size=HIDDEN, num_local_experts=EXPERTS,
            num_experts_per_tok=top_k,
        )  # fmt: skip
        recorded(mixtral.MixtralSparseMoeBlock(settings), top_k=top_k, scores=scores)
    for normalize in (False, True):
        settings = config(
            qwen.Qwen2MoeConfig, moe_intermediate_size=HIDDEN, num_experts=EXPERTS,
            num_experts_per_tok=3, shared_expert_intermediate_size=5,
            norm_topk_prob=normalize,
        )  # fmt: skip
        recorded(
            qwen.Qwen2MoeSparseMoeBlock(settings), "shared_expert", top_k=3,
            normalize=normalize, shared_hidden=5, shared_gate=True,
        )  # fmt: skip
    for groups, normalize in ((1, True), (4, True), (4, False)):
        settings = config(
            deepseek.DeepseekV3Config, moe_intermediate_size=HIDDEN,
            n_routed_experts=EXPERTS, num_experts_per_tok=3, n_shared_experts=2,
            n_group=groups, topk_group=max(1, groups // 2), norm_topk_prob=normalize,
            routed_scaling_factor=2.5,
        )  # fmt: skip
        recorded(
            deepseek.DeepseekV3MoE(settings), "shared_experts", top_k=3,
            scores="sigmoid", normalize=normalize, scale=2.5, balance=True,
            groups=groups, top_groups=max(1, groups // 2), shared_hidden=2 * HIDDEN,
        )  # fmt: skip


if __name__ == "__main__":
    make()
    save(FILE)
