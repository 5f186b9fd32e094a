"""The modules of sentence-transformers: pooling of the tokens, normalisation.

Reimers and Gurevych, arXiv:1908.10084. `modules.json` lists them; of the types that it
names the last word is looked up in a closed list, nothing is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from blox.schema.diagnostics import Diagnostic, SpecError, quote
from blox.weights.folder import Folder
from blox.weights.names import plain_name

from .files import read_json

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.graph import GraphBuilder
    from blox.builder.values import Input, Value

SENTENCE = "sentence_embedding"
MODULES_FILE = "modules.json"
TOKENS_FILE = "sentence_bert_config.json"
POOLING_FOLDER = "1_Pooling"
_TOKENS = ("input_ids", "attention_mask", "token_type_ids")
"""What a tokenizer gives."""
_HINT = "sentence=False imports the encoder alone"

Data = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceConfig:
    """The ways from token vectors to one vector; the last two are for the tokenizer."""

    pooling: str = "mean"
    normalize: bool = False
    max_seq_length: int | None = None
    do_lower_case: bool = False


POOLING = ("mean", "mean_sqrt_len_tokens", "max", "cls")
"""The ways of `pool`."""
# In files from before `pooling_mode` each mode had a switch of its own.
_SWITCHES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


def add_sentence_embedding(
    b: GraphBuilder,
    main: Callable[..., dict[str, Value]],
    config: SentenceConfig,
    inputs: Mapping[str, Input],
) -> None:
    """Adds the entry `sentence_embedding`, which calls `main` and pools its tokens."""
    taken = {n: i for n, i in inputs.items() if n in _TOKENS}

    @b.entry(**taken)
    def sentence_embedding(
        f: F,
        input_ids: Value,
        attention_mask: Value | None = None,
        token_type_ids: Value | None = None,
    ) -> dict[str, Value]:
        """Token ids to one vector per text."""
        present = f.default(attention_mask, f.ones_like(input_ids), name="present")
        types = {"token_type_ids": token_type_ids} if "token_type_ids" in taken else {}
        run = f.call("model", main, params=".")
        tokens = run(input_ids, attention_mask=present, **types)
        x = f.call("pooled", pool)(
            tokens["last_hidden_state"], present, pooling=config.pooling
        )
        if config.normalize:
            length = f.norm(x, axis=-1, keepdims=True, name="length")
            x = f.divide(x, f.maximum(length, 1e-12), name="normalized")
        return {SENTENCE: x}


def pool(f: F, x: Value, present: Value, *, pooling: str) -> Value:
    """x (batch, seq, width), present (batch, seq), 0 for padding -> (batch, width)."""
    column = present[..., None]
    if pooling == "max":
        return f.where(column, x, -1e9).max(-2)
    if pooling == "cls":  # the first token that is no padding
        place = f.argmax(present, axis=-1)[..., None, None]
        return f.take_along_axis(x, place, axis=-2).squeeze(-2)
    total = f.sum(x * column, axis=-2, name="total")
    count = f.maximum(present.sum(-1, keepdims=True), 1, name="count")
    return total / (count if pooling == "mean" else f.sqrt(count))


def read_sentence(folder: Folder) -> SentenceConfig | None:
    """The declaration in the `modules.json` of a folder; None where there is none.

    Raises:
        SpecError: modules, or a pooling, that have no counterpart here.
        WeightsError: a file that is not a regular one of the folder.
    """
    modules = read_json(folder, MODULES_FILE)
    if modules is None:
        return None
    if not isinstance(modules, list) or not all(isinstance(m, dict) for m in modules):
        _refuse(MODULES_FILE, "expected a list of modules", modules)
    kinds = [str(m.get("type")).rpartition(".")[2] for m in modules]
    wanted = ["Transformer", "Pooling", "Normalize"]
    if kinds not in (wanted, wanted[:2]):
        _refuse(MODULES_FILE, f"expected {', '.join(wanted)}", ", ".join(kinds))
    if modules[0].get("path") not in ("", None):
        found = modules[0]["path"]
        _refuse(f"{MODULES_FILE}.0.path", "expected the encoder in the folder", found)
    return SentenceConfig(
        pooling=_pooling(folder, modules[1].get("path")),
        normalize=len(kinds) == 3,
        **_tokens(folder),
    )


def _pooling(folder: Folder, name: Any) -> str:
    where = f"{MODULES_FILE}.1.path"
    if not isinstance(name, str) or not plain_name(name):
        _refuse(where, "expected the plain name of a folder", name)
    path = f"{name}/config.json"
    data = read_json(folder, path)
    path = f"{POOLING_FOLDER}/config.json"
    if not isinstance(data, dict):
        _refuse(path, "expected a JSON object", data)
    modes = data.get("pooling_mode")
    if modes is None:
        modes = [mode for key, mode in _SWITCHES.items() if data.get(key) is True]
    modes = [modes] if isinstance(modes, str) else modes
    if not isinstance(modes, list) or len(modes) != 1 or modes[0] not in POOLING:
        _refuse(path, f"expected one pooling of {', '.join(POOLING)}", modes)
    if data.get("include_prompt") not in (True, None):
        found = data["include_prompt"]
        _refuse(f"{path}.include_prompt", "expected prompts to be pooled", found)
    mode: str = modes[0]
    return mode


def _tokens(folder: Folder) -> Data:
    data = read_json(folder, TOKENS_FILE)
    data = data if isinstance(data, dict) else {}
    length = data.get("max_seq_length")
    if length is not None and not (type(length) is int and 0 < length < 2**31):
        _refuse(f"{TOKENS_FILE}.max_seq_length", "expected a positive integer", length)
    return {
        "max_seq_length": length,
        "do_lower_case": data.get("do_lower_case") is True,
    }


def sentence_files(config: SentenceConfig, width: int) -> Data:
    """Files to be written, as plain data, by name."""
    types = [("", "Transformer"), (POOLING_FOLDER, "Pooling")]
    if config.normalize:
        types.append(("2_Normalize", "Normalize"))
    # The names of sentence-transformers 2 to 5; later ones know them as well.
    modules = [
        {
            "idx": i,
            "name": str(i),
            "path": path,
            "type": f"sentence_transformers.models.{kind}",
        }
        for i, (path, kind) in enumerate(types)
    ]
    files: Data = {MODULES_FILE: modules}
    if config.max_seq_length is not None:
        files[TOKENS_FILE] = {
            "max_seq_length": config.max_seq_length,
            "do_lower_case": config.do_lower_case,
        }
    pooling: Data = {"word_embedding_dimension": width}
    for key, mode in _SWITCHES.items():
        pooling[key] = mode == config.pooling
    return files | {f"{POOLING_FOLDER}/config.json": pooling}


def sentence_extra(config: SentenceConfig) -> Data:
    """The settings that the Graph doesn't hold, as its extra metadata."""
    extra: Data = {"pooling": config.pooling}
    if config.max_seq_length is not None:
        extra["max_seq_length"] = config.max_seq_length
    if config.do_lower_case:
        extra["do_lower_case"] = True
    return extra


def sentence_from_extra(extra: Data, *, normalize: bool) -> SentenceConfig:
    """The settings again; what is not sound in there is taken as not given."""
    pooling, length = extra.get("pooling"), extra.get("max_seq_length")
    return SentenceConfig(
        pooling=pooling if isinstance(pooling, str) and pooling in POOLING else "mean",
        normalize=normalize,
        max_seq_length=length if type(length) is int and length > 0 else None,
        do_lower_case=extra.get("do_lower_case") is True,
    )


def _refuse(path: str, expected: str, found: Any) -> NoReturn:
    message = f"{expected}, found {quote(found)}"
    raise SpecError(Diagnostic("hf-sentence", path, message, _HINT))
