"""The closed set of names that a save writes or removes: it touches nothing else.

Names in a log come from a file that anyone may have put into the folder, so these rules
hold for logs as for saves. A name has at most one folder in front.
"""

from __future__ import annotations

import re
from typing import NamedTuple

SUFFIX = ".safetensors"
INDEX_SUFFIX = f"{SUFFIX}.index.json"
MAX_SHARDS = 99_999
"""As many as the five digits in a shard's name can count."""
MAX_NAME = 255

KEPT = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
    "source.spm.model",
    "preprocessor_config.json",
    "processor_config.json",
    "feature_extractor_config.json",
    "chat_template.json",
    "normalizer.json",
)
"""What a checkpoint of transformers has beside its arrays."""

_SOURCE = r"source/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\.(json|txt|model|md)"


class ModelFiles(NamedTuple):
    """The names of one kind of model folder.

    Attributes:
        stem: of the weight files; empty for a single file.
        others: a pattern of what else a save writes.
        stale: of those of them that a save removes where the new model has none.
    """

    stem: str
    others: str
    stale: str

    def weights(self, name: str) -> bool:
        """True for a weight file, a shard or the index."""
        if not self.stem or not name.startswith(self.stem):
            return False
        rest = name[len(self.stem) :]
        return rest in (SUFFIX, INDEX_SUFFIX) or _is_shard(rest)

    def writes(self, name: str) -> bool:
        return self.weights(name) or _fits(self.others, name)

    def removes(self, name: str) -> bool:
        return self.weights(name) or _fits(self.stale, name)

    def temporary(self, name: str) -> bool:
        """True for the last part of a temporary's name: the folder stands with a dot."""
        return self.writes(name) or self.writes(name.replace(".", "/", 1))


def _is_shard(rest: str) -> bool:
    return _fits(r"-[0-9]{5}-of-[0-9]{5}\.safetensors", rest)


def _fits(pattern: str, name: str) -> bool:
    """Patterns are compiled when they are first needed: a load needs none."""
    return re.fullmatch(pattern, name) is not None


BLOX = ModelFiles(
    "params",
    rf"graph\.json|graph\.msgpack|examples\.safetensors|{_SOURCE}",
    r"graph\.msgpack|examples\.safetensors",
)
TRANSFORMERS = ModelFiles(
    "model",
    "|".join(
        map(
            re.escape,
            (
                *KEPT,
                "modules.json",
                "sentence_bert_config.json",
                "config_sentence_transformers.json",
                "1_Pooling/config.json",
            ),
        )
    )
    + r"|[2-9]_Dense/(config\.json|model\.safetensors)",
    r"(?!)",
)
KINDS = {kind.stem: kind for kind in (BLOX, TRANSFORMERS)}


def single(name: str) -> ModelFiles:
    """One self-describing file."""
    return ModelFiles("", re.escape(name), r"(?!)")


def plain_name(name: str) -> bool:
    """True for a name that means one file of a folder, on every system."""
    return (
        0 < len(name) <= MAX_NAME
        and name.isprintable()
        and not set('/\\:*?"<>|') & set(name)
        and name not in (".", "..")
    )


def inner_name(name: str) -> bool:
    """True for a plain name, or one within one folder: `source/vocab.txt`."""
    folder, slash, plain = name.rpartition("/")
    return plain_name(plain) and (not slash or plain_name(folder))
