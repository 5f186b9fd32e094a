"""`config.json` of a BERT: an untrusted file, read strictly, all faults in one go."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from blox.schema.diagnostics import Diagnostic, SpecError, quote
from blox.schema.parse.reader import read_plain
from blox.weights.files import shown
from blox.weights.folder import Folder

CONFIG = "config.json"
FAMILY = "bert"
ARCHITECTURE = "BertModel"
_MAX_BYTES = 4 * 2**20
_MAX_SIZE = 2**24


@dataclass(frozen=True, slots=True, kw_only=True)
class BertConfig:
    """Settings of a BERT that have a meaning here, with the defaults of transformers."""

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int = 0


# The least and the greatest value of each number.
_BOUNDS: dict[str, tuple[float, float]] = {
    "vocab_size": (1, _MAX_SIZE),
    "hidden_size": (1, _MAX_SIZE),
    "num_hidden_layers": (1, 4096),
    "num_attention_heads": (1, _MAX_SIZE),
    "intermediate_size": (1, _MAX_SIZE),
    "hidden_dropout_prob": (0.0, 1.0),
    "attention_probs_dropout_prob": (0.0, 1.0),
    "max_position_embeddings": (1, _MAX_SIZE),
    "type_vocab_size": (1, _MAX_SIZE),
    "initializer_range": (0.0, 1e3),
    "layer_norm_eps": (1e-30, 1.0),
    "pad_token_id": (0, _MAX_SIZE),
}
# Fields that make another model of it, with the only value that is supported.
_FIXED: dict[str, Any] = {
    "is_decoder": False,
    "add_cross_attention": False,
    "position_embedding_type": "absolute",
    "pruned_heads": {},
    "auto_map": {},
    "quantization_config": {},
}


def read_json(folder: Folder, name: str) -> Any:
    """The plain data of the file `name` of a folder, None if there is none.

    Raises:
        SpecError: not sound JSON. WeightsError: not a regular file of the folder.
    """
    source = folder.open(name)
    if source is None:
        return None
    try:
        return read_plain(source.read(_MAX_BYTES))
    except SpecError as error:
        raise SpecError(
            Diagnostic(d.code, shown(name), d.message, d.hint)
            for d in error.diagnostics
        ) from None


def json_bytes(data: Any) -> bytes:
    """The bytes that `read_json` reads; equal data give equal bytes."""
    return (json.dumps(data, indent=2, ensure_ascii=True) + "\n").encode()


def read_config(folder: Folder, activations: Collection[str]) -> dict[str, Any]:
    """The `config.json` of a folder, checked; `parse_config` gives its settings.

    Raises:
        SpecError: not a BERT of the supported kind, or values out of range; all faults.
        WeightsError: not a regular file of the folder.
    """
    raw = read_json(folder, CONFIG)
    if not isinstance(raw, dict):
        found = "found none" if raw is None else "found something else"
        message = f"expected a JSON object, {found}"
        hint = "give the folder that save_pretrained of transformers wrote"
        raise SpecError(Diagnostic("hf-config", CONFIG, message, hint))
    family = raw.get("model_type")
    if family != FAMILY:
        message = f"expected the family {FAMILY!r}, found {quote(family)}"
        hint = "others can't be imported yet: write the Graph with bx.GraphBuilder"
        raise SpecError(Diagnostic("hf-family", f"{CONFIG}.model_type", message, hint))
    faults = [*_other_models(raw), *_faults(raw, CONFIG, activations)]
    if faults:
        raise SpecError(faults)
    return raw


def parse_config(
    raw: Mapping[str, Any], path: str, activations: Collection[str]
) -> BertConfig:
    """The settings among the fields of a `config.json`.

    Raises:
        SpecError: values of another type or out of range, all of them, below `path`.
    """
    faults = [*_faults(raw, path, activations)]
    if faults:
        raise SpecError(faults)
    known = (f.name for f in fields(BertConfig))
    # Null is the default, as for transformers' own optional fields.
    given = {name: raw[name] for name in known if raw.get(name) is not None}
    return BertConfig(**given)


def config_data(config: BertConfig, dtype: str) -> dict[str, Any]:
    """The `config.json` of exported weights of a dtype."""
    return {
        "architectures": [ARCHITECTURE],
        "model_type": FAMILY,
        "torch_dtype": dtype,
        **asdict(config),
    }


def _other_models(raw: Mapping[str, Any]) -> Iterator[Diagnostic]:
    architectures = raw.get("architectures")
    if architectures is not None and architectures != [ARCHITECTURE]:
        hint = f"save the {ARCHITECTURE} inside of it with transformers, model.bert"
        yield Diagnostic(
            "hf-architecture",
            f"{CONFIG}.architectures",
            f"expected [{ARCHITECTURE!r}], found {quote(architectures)}",
            hint,
        )
    for name, wanted in _FIXED.items():
        value = raw.get(name)
        if value is not None and value != wanted:
            yield Diagnostic(
                "hf-config",
                f"{CONFIG}.{name}",
                f"expected {wanted!r}, found {quote(value)}",
                "this is another model than the one that can be imported",
            )


def _faults(
    raw: Mapping[str, Any], path: str, activations: Collection[str]
) -> Iterator[Diagnostic]:
    sound: dict[str, Any] = {}
    for field in fields(BertConfig):
        value = raw.get(field.name)
        value = field.default if value is None else value
        wanted = _problem(field.name, value, field.default, activations)
        if wanted:
            message = f"expected {wanted}, found {quote(value)}"
            yield Diagnostic("hf-config", f"{path}.{field.name}", message)
        else:
            sound[field.name] = value
    width, heads = sound.get("hidden_size"), sound.get("num_attention_heads")
    if width and heads and width % heads:
        yield Diagnostic(
            "hf-config",
            f"{path}.hidden_size",
            f"expected a multiple of the {heads} heads, found {width}",
        )
    vocab, padding = sound.get("vocab_size"), sound.get("pad_token_id")
    if vocab and padding is not None and padding >= vocab:
        yield Diagnostic(
            "hf-config",
            f"{path}.pad_token_id",
            f"expected an id below vocab_size, found {padding}",
        )


def _problem(
    name: str, value: Any, default: Any, activations: Collection[str]
) -> str | None:
    """The text of what is expected, where `value` is something else."""
    if isinstance(default, str):
        known = isinstance(value, str) and value in activations
        return None if known else f"one of {', '.join(activations)}"
    kinds = (int,) if isinstance(default, int) else (int, float)
    low, high = _BOUNDS[name]
    if type(value) in kinds and low <= value <= high:
        return None
    kind = "an integer" if isinstance(default, int) else "a number"
    return f"{kind} from {low} to {high}"
