"""How tokens are chosen: the settings of `generation_config.json`, under their names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from blox.schema import Graph
from blox.schema.diagnostics import Diagnostic, SpecError, quote
from blox.schema.parse.reader import read_plain
from blox.weights.folder import read_folder

FILE = "source/generation_config.json"

_UNUSED = frozenset({
    "_from_model_config", "transformers_version", "bos_token_id", "use_cache", "max_length",
    "output_attentions", "output_hidden_states", "return_dict_in_generate",
    "cache_implementation",
})  # fmt: skip
"""Fields of the file that change nothing of what is chosen, or that are given at the call."""

_OFF: dict[str, tuple[Any, ...]] = {
    "num_beam_groups": (1,),
    "diversity_penalty": (0.0,),
    "typical_p": (1.0,),
    "epsilon_cutoff": (0.0,),
    "eta_cutoff": (0.0,),
    "encoder_repetition_penalty": (1.0,),
    "encoder_no_repeat_ngram_size": (0,),
    "num_return_sequences": (1,),
    "penalty_alpha": (0.0,),
    "guidance_scale": (1.0,),
    "renormalize_logits": (False,),
    "remove_invalid_values": (False,),
    "output_scores": (False, True),
    "output_logits": (False, True),
}
"""Fields that would change what is chosen, with the values at which they don't."""


@dataclass(frozen=True, kw_only=True)
class GenerationConfig:
    """How tokens are chosen; names and meanings are transformers'.

    Greedy by default. Penalties come before `temperature`, that before `top_k`, `top_p`
    and `min_p`.

    Attributes:
        max_new_tokens: at most so many.
        min_new_tokens: no end of the text before so many.
        do_sample: draw tokens; else the most likely one is taken.
        temperature: scores are divided by it, when drawing.
        top_k: only the k most likely tokens are drawn; 0 for all.
        top_p: only the most likely ones whose probabilities reach this sum. Holtzman et
            al., arXiv:1904.09751.
        min_p: only those at least so likely as the most likely one times this.
        repetition_penalty: scores of tokens that are there already are divided by it, or
            multiplied where negative. Keskar et al., arXiv:1909.05858.
        no_repeat_ngram_size: no run of so many tokens comes twice; 0 for any.
        num_beams: beam search over so many texts.
        length_penalty: scores of beams are divided by their length to this power.
        early_stopping: end with `num_beams` texts; `"never"` ends when none can improve.
        eos_token_id: ids that end a text.
        pad_token_id: what follows.
        decoder_start_token_id: what the texts of an encoder's decoder begin with.
        suppress_tokens: ids that are never chosen.
        begin_suppress_tokens: ids that are not chosen first.
        forced_bos_token_id: what comes first behind the start.
        forced_eos_token_id: what comes last, at `max_new_tokens`.
    """

    max_new_tokens: int = 64
    min_new_tokens: int = 0
    do_sample: bool = False
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    num_beams: int = 1
    length_penalty: float = 1.0
    early_stopping: bool | str = False
    eos_token_id: tuple[int, ...] = ()
    pad_token_id: int = 0
    decoder_start_token_id: int | None = None
    suppress_tokens: tuple[int, ...] = ()
    begin_suppress_tokens: tuple[int, ...] = ()
    forced_bos_token_id: int | None = None
    forced_eos_token_id: int | None = None

    def __post_init__(self) -> None:
        for name in ("eos_token_id", "suppress_tokens", "begin_suppress_tokens"):
            value = getattr(self, name)
            ids = (value,) if isinstance(value, int) else tuple(value)
            object.__setattr__(self, name, ids)
        for name, wanted, sound in _bounds(self):
            if not sound:
                found = quote(getattr(self, name))
                message = f"expected {wanted}, found {found}"
                raise SpecError(Diagnostic("generation-config", name, message))

    def replace(self, **changes: Any) -> GenerationConfig:
        """The same but for some settings."""
        return replace(self, **changes)

    @classmethod
    def read(cls, data: Mapping[str, Any], path: str = "") -> GenerationConfig:
        """The settings of a `generation_config.json`, or of the ids of a `config.json`.

        Raises:
            SpecError: settings that are not known and change what is chosen; all of them.
        """
        known = {f.name for f in fields(cls)}
        faults = []
        for name, value in data.items():
            if name in known or name in _UNUSED or value is None:
                continue
            if name not in _OFF or value not in _OFF[name]:
                wanted = quote(_OFF[name][0]) if name in _OFF else "a known setting"
                message = f"expected {wanted}, found {quote(value)}"
                place = f"{path}.{name}".lstrip(".")
                faults.append(Diagnostic("generation-config", place, message))
        if faults:
            raise SpecError(faults)
        given = {n: v for n, v in data.items() if n in known and v is not None}
        if given.get("do_sample"):
            given.setdefault("top_k", 50)  # transformers' own default
        return cls(**given)

    @classmethod
    def of(
        cls, graph: Graph, folder: str | os.PathLike[str] | None = None
    ) -> GenerationConfig:
        """The ids of a Graph that `bx.from_hf` made, where texts begin and end, and the
        settings of a model's folder, in `source/generation_config.json`.

        Raises:
            SpecError: see `read`. WeightsError: a file that can't be read.
        """
        said = graph.metadata.extra.get("transformers")
        raw = said.get("config") if isinstance(said, Mapping) else None
        names = ("eos_token_id", "pad_token_id", "decoder_start_token_id")
        raw = raw if isinstance(raw, Mapping) else {}
        ids = {name: raw.get(name) for name in names}
        settings = {} if folder is None else _settings(Path(folder))
        return cls.read({**ids, **settings}, FILE)


def _settings(folder: Path) -> dict[str, Any]:
    source = read_folder(folder, lambda f: f.open(FILE))
    data = {} if source is None else read_plain(source.read(1 << 20))
    if not isinstance(data, dict):
        message = f"expected a JSON object, found {quote(data)}"
        raise SpecError(Diagnostic("generation-config", FILE, message))
    return data


def _bounds(config: GenerationConfig) -> list[tuple[str, str, bool]]:
    ids = "ids, integers from 0"
    return [
        ("max_new_tokens", "an integer from 1", _whole(config.max_new_tokens, 1)),
        ("min_new_tokens", "an integer from 0", _whole(config.min_new_tokens, 0)),
        ("temperature", "a number above 0", _real(config.temperature, 1e-6, 1e6)),
        ("top_k", "an integer from 0", _whole(config.top_k, 0)),
        ("top_p", "a number above 0, at most 1", _real(config.top_p, 1e-9, 1.0)),
        ("min_p", "a number from 0 to 1", _real(config.min_p, 0.0, 1.0)),
        ("repetition_penalty", "a number above 0", _real(config.repetition_penalty, 1e-6, 1e6)),
        ("no_repeat_ngram_size", "an integer from 0", _whole(config.no_repeat_ngram_size, 0)),
        ("num_beams", "an integer from 1", _whole(config.num_beams, 1)),
        ("length_penalty", "a number", _real(config.length_penalty, -1e3, 1e3)),
        ("early_stopping", 'true, false or "never"',
         config.early_stopping in (True, False, "never")),
        ("eos_token_id", ids, all(_whole(i, 0) for i in config.eos_token_id)),
        ("suppress_tokens", ids, all(_whole(i, 0) for i in config.suppress_tokens)),
        ("begin_suppress_tokens", ids,
         all(_whole(i, 0) for i in config.begin_suppress_tokens)),
        ("pad_token_id", "an id, an integer from 0", _whole(config.pad_token_id, 0)),
    ]  # fmt: skip


def _whole(value: Any, least: int) -> bool:
    return type(value) is int and least <= value < 2**31


def _real(value: Any, least: float, most: float) -> bool:
    return type(value) in (int, float) and least <= value <= most
