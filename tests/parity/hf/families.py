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
    "mistral": [
        ("MistralForCausalLM", {**LLAMA, "sliding_window": 4}),
        ("MistralModel", {**LLAMA, "sliding_window": None}),
        ("MistralForSequenceClassification", {**LLAMA, "head_dim": 8}),
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
    "qwen2": [
        ("Qwen2ForCausalLM", {**LLAMA, "use_sliding_window": True, "sliding_window": 3,
                              "max_window_layers": 1}),
        ("Qwen2ForCausalLM", {**LLAMA, "sliding_window": 3}),
        ("Qwen2ForTokenClassification", LLAMA),
    ],
    "qwen3": [
        ("Qwen3ForCausalLM", QWEN3),
        ("Qwen3Model", {**QWEN3, "attention_bias": True}),
        ("Qwen3ForSequenceClassification", QWEN3),
    ],
}  # fmt: skip
