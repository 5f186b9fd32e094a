"""Small random models of each family and head, with the flags that matter.

A row is a class of transformers and its config. The first of each family runs in CI, the
rest by `pytest -m "parity and slow" tests/parity/hf/test_families.py`.
"""

from __future__ import annotations

from typing import Any

from parity.hf.encoders import ROWS as ENCODERS
from parity.hf.encoders import Row

IDS = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
GPT2 = {"vocab_size": 61, "n_embd": 24, "n_layer": 3, "n_head": 3, "n_positions": 20,
        **IDS}  # fmt: skip
LLAMA = {"vocab_size": 61, "hidden_size": 24, "num_hidden_layers": 3,
         "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 40,
         "max_position_embeddings": 20, **IDS}  # fmt: skip
QWEN3 = {**LLAMA, "head_dim": 8}

NEOX = {"vocab_size": 61, "hidden_size": 48, "num_hidden_layers": 3,
        "num_attention_heads": 3, "intermediate_size": 40,
        "max_position_embeddings": 20, **IDS}  # fmt: skip
OPT = {"vocab_size": 61, "hidden_size": 24, "num_hidden_layers": 3,
       "num_attention_heads": 3, "ffn_dim": 40, "max_position_embeddings": 20,
       "word_embed_proj_dim": 24, **IDS}  # fmt: skip
BLOOM = {"vocab_size": 61, "hidden_size": 30, "n_layer": 3, "n_head": 5, **IDS}

GEMMA = {**LLAMA, "head_dim": 8}
GEMMA2 = {**GEMMA, "sliding_window": 4, "query_pre_attn_scalar": 20}

PHI3 = {**LLAMA, "original_max_position_embeddings": 12}

MOE = {**LLAMA, "num_experts_per_tok": 2, "num_local_experts": 5}
QWEN_MOE = {**LLAMA, "num_experts_per_tok": 3, "num_experts": 5,
            "moe_intermediate_size": 20}  # fmt: skip
QWEN2_MOE = {**QWEN_MOE, "shared_expert_intermediate_size": 28}

MAMBA = {"vocab_size": 61, "hidden_size": 24, "num_hidden_layers": 3, "state_size": 5,
         "pad_token_id": 0}  # fmt: skip


def rope(kind: str, **more: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 500.0, **more}}


YARN = {"factor": 2.5, "original_max_position_embeddings": 8}

ROWS: dict[str, list[Row]] = {
    **ENCODERS,
    "bloom": [
        ("BloomForCausalLM", BLOOM),
        ("BloomModel", {**BLOOM, "apply_residual_connection_post_layernorm": True}),
        ("BloomForCausalLM", {**BLOOM, "tie_word_embeddings": False, "n_head": 6}),
        ("BloomForSequenceClassification", {**BLOOM, "layer_norm_epsilon": 1e-3}),
        ("BloomForTokenClassification", {**BLOOM, "num_labels": 4, "n_head": 2}),
        ("BloomForQuestionAnswering", {**BLOOM, "n_head": 1}),
    ],
    "gemma": [
        ("GemmaForCausalLM", GEMMA),
        ("GemmaModel", {**GEMMA, "num_key_value_heads": 1}),
        ("GemmaForCausalLM", {**GEMMA, "attention_bias": True, "hidden_act": "gelu"}),
        ("GemmaForCausalLM", {**GEMMA, "tie_word_embeddings": False, "head_dim": 10}),
        ("GemmaForSequenceClassification", {**GEMMA, "rms_norm_eps": 1e-3}),
        ("GemmaForTokenClassification", {**GEMMA, **rope("linear", factor=2.0)}),
    ],
    "gemma2": [
        ("Gemma2ForCausalLM", GEMMA2),
        ("Gemma2Model", {**GEMMA2, "attn_logit_softcapping": 2.0}),
        ("Gemma2ForCausalLM", {**GEMMA2, "final_logit_softcapping": None,
                               "attn_logit_softcapping": None}),
        ("Gemma2ForCausalLM", {**GEMMA2, "final_logit_softcapping": 1.5,
                               "layer_types": ["full_attention"] * 3}),
        ("Gemma2ForSequenceClassification", {**GEMMA2, "hidden_activation": "silu"}),
        ("Gemma2ForTokenClassification", {**GEMMA2, "attention_bias": True}),
    ],
    "gemma3_text": [
        ("Gemma3ForCausalLM", {**GEMMA2, "sliding_window_pattern": 2}),
        ("Gemma3TextModel", {**GEMMA2, "layer_types": ["full_attention"] * 3}),
        ("Gemma3ForCausalLM", GEMMA2),
        ("Gemma3ForCausalLM", {**GEMMA2, "sliding_window_pattern": 3,
                               "rope_scaling": {"rope_type": "linear", "factor": 8.0},
                               "rope_local_base_freq": 50.0, "rope_theta": 300.0}),
        ("Gemma3ForCausalLM", {**GEMMA2, "final_logit_softcapping": 2.0,
                               "attention_bias": True}),
        ("Gemma3TextForSequenceClassification",
         {**GEMMA2, "layer_types": ["full_attention", *["sliding_attention"] * 2]}),
    ],
    "gpt2": [
        ("GPT2LMHeadModel", GPT2),
        ("GPT2Model", {**GPT2, "n_inner": 36}),
        ("GPT2LMHeadModel", {**GPT2, "scale_attn_weights": False}),
        ("GPT2LMHeadModel", {**GPT2, "tie_word_embeddings": False}),
        ("GPT2ForSequenceClassification", {**GPT2, "activation_function": "relu"}),
        ("GPT2ForTokenClassification", {**GPT2, "num_labels": 4}),
        ("GPT2ForQuestionAnswering", {**GPT2, "layer_norm_epsilon": 1e-3}),
    ],
    "gpt_neox": [
        ("GPTNeoXForCausalLM", NEOX),
        ("GPTNeoXModel", {**NEOX, "use_parallel_residual": False}),
        ("GPTNeoXForCausalLM", {**NEOX, "attention_bias": False,
                                "tie_word_embeddings": True}),
        ("GPTNeoXForCausalLM", {**NEOX, **rope("linear", factor=2.0,
                                               partial_rotary_factor=0.5)}),
        ("GPTNeoXForCausalLM", {**NEOX, "rotary_pct": 1.0, "rotary_emb_base": 500}),
        ("GPTNeoXForSequenceClassification", {**NEOX, "hidden_act": "relu"}),
        ("GPTNeoXForTokenClassification", {**NEOX, "num_labels": 4}),
        ("GPTNeoXForQuestionAnswering", {**NEOX, "layer_norm_eps": 1e-3}),
    ],
    "granite": [
        ("GraniteForCausalLM", {**LLAMA, "embedding_multiplier": 3.0,
                                "logits_scaling": 4.0, "residual_multiplier": 0.3,
                                "attention_multiplier": 0.2}),
        ("GraniteModel", {**LLAMA, "attention_multiplier": 0.5}),
        ("GraniteForCausalLM", {**LLAMA, "attention_bias": True, "mlp_bias": True}),
        ("GraniteForCausalLM", {**LLAMA, "tie_word_embeddings": True,
                                "logits_scaling": 0.5}),
        ("GraniteForCausalLM", {**LLAMA, **rope("linear", factor=2.0)}),
        ("GraniteModel", {**LLAMA, "residual_multiplier": 2.0, "hidden_act": "gelu"}),
    ],
    "llama": [
        ("LlamaForCausalLM", LLAMA),
        ("LlamaModel", LLAMA),
        ("LlamaForCausalLM", {**LLAMA, "head_dim": 10, "tie_word_embeddings": True,
                              "attention_bias": True, "mlp_bias": True,
                              "hidden_act": "gelu"}),
        ("LlamaForCausalLM", {**LLAMA, **rope("linear", factor=2.0)}),
        ("LlamaForCausalLM", {**LLAMA, **rope("dynamic", factor=2.0)}),
        ("LlamaForCausalLM", {**LLAMA, **rope("yarn", **YARN)}),
        ("LlamaForCausalLM", {**LLAMA, **rope("llama3", **YARN, low_freq_factor=1.0,
                                              high_freq_factor=4.0)}),
        ("LlamaForSequenceClassification", {**LLAMA, "num_key_value_heads": 4}),
        ("LlamaForTokenClassification", {**LLAMA, "num_labels": 3}),
        ("LlamaForQuestionAnswering", LLAMA),
    ],
    "mamba": [
        ("MambaForCausalLM", MAMBA),
        ("MambaModel", {**MAMBA, "use_bias": True, "use_conv_bias": False}),
        ("MambaForCausalLM", {**MAMBA, "conv_kernel": 2, "expand": 3}),
        ("MambaForCausalLM", {**MAMBA, "tie_word_embeddings": False, "state_size": 1}),
        ("MambaForCausalLM", {**MAMBA, "time_step_rank": 7, "hidden_act": "gelu"}),
        ("MambaModel", {**MAMBA, "layer_norm_epsilon": 1e-3, "conv_kernel": 6}),
    ],
    "mistral": [
        ("MistralForCausalLM", {**LLAMA, "sliding_window": 4}),
        ("MistralModel", {**LLAMA, "sliding_window": None}),
        ("MistralForSequenceClassification", {**LLAMA, "head_dim": 8}),
    ],
    "mixtral": [
        ("MixtralForCausalLM", MOE),
        ("MixtralModel", {**MOE, "sliding_window": 4}),
        ("MixtralForCausalLM", {**MOE, "tie_word_embeddings": True, "head_dim": 10,
                                "num_experts_per_tok": 1}),
        ("MixtralForSequenceClassification", {**MOE, "hidden_act": "gelu"}),
        ("MixtralForTokenClassification", {**MOE, "num_experts_per_tok": 5}),
        ("MixtralForQuestionAnswering", {**MOE, **rope("linear", factor=2.0)}),
    ],
    "olmo2": [
        ("Olmo2ForCausalLM", LLAMA),
        ("Olmo2Model", {**LLAMA, "attention_bias": True}),
        ("Olmo2ForCausalLM", {**LLAMA, "num_key_value_heads": 4,
                              "tie_word_embeddings": True}),
        ("Olmo2ForCausalLM", {**LLAMA, **rope("yarn", **YARN)}),
        ("Olmo2ForSequenceClassification", {**LLAMA, "rms_norm_eps": 1e-3}),
        ("Olmo2Model", {**LLAMA, "num_key_value_heads": 1, "hidden_act": "gelu"}),
    ],
    "opt": [
        ("OPTForCausalLM", OPT),
        ("OPTModel", {**OPT, "do_layer_norm_before": False}),
        ("OPTForCausalLM", {**OPT, "word_embed_proj_dim": 14,
                            "do_layer_norm_before": False}),
        ("OPTForCausalLM", {**OPT, "tie_word_embeddings": False, "enable_bias": False}),
        ("OPTModel", {**OPT, "_remove_final_layer_norm": True}),
        ("OPTForSequenceClassification", {**OPT, "word_embed_proj_dim": 14,
                                          "num_labels": 3}),
        ("OPTForQuestionAnswering", {**OPT, "layer_norm_elementwise_affine": False,
                                     "activation_function": "gelu"}),
    ],
    "phi3": [
        ("Phi3ForCausalLM", PHI3),
        ("Phi3Model", {**PHI3, "sliding_window": 4, "hidden_act": "gelu"}),
        ("Phi3ForCausalLM", {**PHI3, **rope("longrope", short_factor=[1.0, 1.5, 2.0],
                                            long_factor=[1.0, 2.0, 6.0])}),
        ("Phi3ForCausalLM", {**PHI3, "hidden_size": 32, "num_key_value_heads": 4,
                             "tie_word_embeddings": True,
                             **rope("default", partial_rotary_factor=0.5)}),
        ("Phi3ForSequenceClassification",
         {**PHI3, "original_max_position_embeddings": 6,
          **rope("longrope", short_factor=[1.0, 1.5, 2.0], long_factor=[1.0, 2.0, 6.0])}),
        ("Phi3ForTokenClassification", {**PHI3, "rms_norm_eps": 1e-3}),
    ],
    "qwen2": [
        ("Qwen2ForCausalLM", {**LLAMA, "use_sliding_window": True, "sliding_window": 3,
                              "max_window_layers": 1}),
        ("Qwen2ForCausalLM", {**LLAMA, "sliding_window": 3}),
        ("Qwen2ForTokenClassification", LLAMA),
        ("Qwen2ForQuestionAnswering", LLAMA),
    ],
    "qwen2_moe": [
        ("Qwen2MoeForCausalLM", QWEN2_MOE),
        ("Qwen2MoeModel", {**QWEN2_MOE, "norm_topk_prob": True, "qkv_bias": False}),
        ("Qwen2MoeForCausalLM", {**QWEN2_MOE, "use_sliding_window": True,
                                 "sliding_window": 3, "max_window_layers": 3}),
        ("Qwen2MoeForSequenceClassification", {**QWEN2_MOE, "num_experts_per_tok": 1}),
        ("Qwen2MoeForTokenClassification", {**QWEN2_MOE, "hidden_act": "gelu"}),
        ("Qwen2MoeForQuestionAnswering", {**QWEN2_MOE, "rms_norm_eps": 1e-3}),
    ],
    "qwen3": [
        ("Qwen3ForCausalLM", QWEN3),
        ("Qwen3Model", {**QWEN3, "attention_bias": True}),
        ("Qwen3ForSequenceClassification", QWEN3),
    ],
    "starcoder2": [
        ("Starcoder2ForCausalLM", LLAMA),
        ("Starcoder2Model", {**LLAMA, "sliding_window": 4, "use_bias": False}),
        ("Starcoder2ForCausalLM", {**LLAMA, "tie_word_embeddings": False}),
        ("Starcoder2ForCausalLM", {**LLAMA, "hidden_act": "silu",
                                   "norm_epsilon": 1e-3}),
        ("Starcoder2ForSequenceClassification", {**LLAMA, "num_key_value_heads": 1}),
        ("Starcoder2ForTokenClassification", {**LLAMA, "num_labels": 4}),
    ],
    "qwen3_moe": [
        ("Qwen3MoeForCausalLM", QWEN_MOE),
        ("Qwen3MoeModel", {**QWEN_MOE, "norm_topk_prob": True, "head_dim": 8}),
        ("Qwen3MoeForCausalLM", {**QWEN_MOE, "use_sliding_window": True,
                                 "sliding_window": 4, "attention_bias": True}),
        ("Qwen3MoeForSequenceClassification", {**QWEN_MOE, "num_experts_per_tok": 1}),
        ("Qwen3MoeForTokenClassification", {**QWEN_MOE, "hidden_act": "gelu"}),
        ("Qwen3MoeForQuestionAnswering", {**QWEN_MOE, **rope("yarn", **YARN)}),
    ],
}  # fmt: skip
