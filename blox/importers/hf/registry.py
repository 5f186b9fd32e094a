"""The family of a `config.json`, by its `model_type`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from blox.schema.diagnostics import Diagnostic, SpecError, listing, quote

from .family.family import Family

MODULES: dict[str, str] = {
    "albert": "albert",
    "bert": "bert",
    "bloom": "bloom",
    "camembert": "roberta",
    "data2vec-text": "roberta",
    "deberta-v2": "deberta",
    "distilbert": "distilbert",
    "electra": "electra",
    "ernie": "ernie",
    "gemma": "gemma",
    "gemma2": "gemma",
    "gemma3_text": "gemma",
    "gpt2": "gpt2",
    "gpt_neox": "gpt_neox",
    "granite": "granite",
    "llama": "llama",
    "mamba": "mamba",
    "megatron-bert": "prenorm",
    "mistral": "llama",
    "mixtral": "mixtral",
    "modernbert": "modernbert",
    "mpnet": "mpnet",
    "nomic_bert": "nomic_bert",
    "olmo2": "granite",
    "opt": "opt",
    "phi3": "phi3",
    "qwen2": "llama",
    "qwen2_moe": "mixtral",
    "qwen3": "llama",
    "qwen3_moe": "mixtral",
    "roberta": "roberta",
    "roberta-prelayernorm": "prenorm",
    "starcoder2": "granite",
    "xlm-roberta": "roberta",
    "xlm-roberta-xl": "prenorm",
}
"""`model_type` of a config, and the module of `families` whose `FAMILIES` has it."""


def family_of(raw: Mapping[str, Any], path: str) -> Family:
    """The family of a config.

    Raises:
        SpecError: one that is not known.
    """
    name = raw.get("model_type")
    module = MODULES.get(name) if isinstance(name, str) else None
    if module is None:
        message = f"expected one of {listing(MODULES, 100)}, found {quote(name)}"
        hint = "others can't be imported yet: write the Graph with bx.GraphBuilder"
        raise SpecError(Diagnostic("hf-family", f"{path}.model_type", message, hint))
    found = import_module(f".families.{module}", __package__).FAMILIES[name]
    assert isinstance(found, Family)
    return found
