"""Families of checkpoints: a module each, that is imported when one is met."""

MODULES: dict[str, str] = {
    "bert": "bert",
    "gpt2": "gpt2",
    "llama": "llama",
    "mistral": "llama",
    "qwen2": "llama",
    "qwen3": "llama",
}
"""`model_type` of a config, and the module whose `FAMILIES` has it."""
