"""Fields of a family's config, each with how it is honoured.

A config is a dataclass whose fields are made here. `parse` reads the untrusted data of a
`config.json`: what changes the numbers and is not known is refused, never ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any, TypeVar

from blox.schema.diagnostics import Diagnostic, SpecError, listing, quote

MAX_SIZE = 2**24
_HONOURED = "honoured"


@dataclass(frozen=True, slots=True)
class Honoured:
    """How a field is honoured.

    Attributes:
        how: `size`, `number`, `flag`, `choice`, `only`, `unused` or `data`.
        expected: what a value is, in words.
        holds: whether a value is that.
        attribute: of the Graph, that has the value; `""` for none.
        null: a null is a value; else it is the default.
    """

    how: str
    expected: str
    holds: Callable[[Any], bool]
    attribute: str = ""
    null: bool = False


def size(
    default: int | None,
    attribute: str = "",
    *,
    low: int = 1,
    high: int = MAX_SIZE,
    null: bool = False,
) -> Any:
    """A count; `attribute` of the Graph has it, so that it follows that on export."""

    def holds(value: Any) -> bool:
        return type(value) is int and low <= value <= high

    wanted = f"an integer from {low} to {high}"
    return _field(default, Honoured("size", wanted, holds, attribute, null))


def number(
    default: float | None, low: float = 0.0, high: float = 1e9, *, null: bool = False
) -> Any:
    """A real number, written into the Graph."""

    def holds(value: Any) -> bool:
        return type(value) in (int, float) and low <= value <= high

    wanted = f"a number from {low} to {high}"
    return _field(default, Honoured("number", wanted, holds, null=null))


def flag(default: bool) -> Any:
    """True or false, either honoured."""
    return _field(default, Honoured("flag", "true or false", lambda v: type(v) is bool))


def choice(default: Any, *allowed: Any) -> Any:
    """One of some values, each honoured."""
    return _field(default, _one_of("choice", allowed))


def only(*allowed: Any) -> Any:
    """The first by default: others make a model that can't be imported."""
    return _field(allowed[0], _one_of("only", allowed))


def unused(default: Any = None) -> Any:
    """What changes nothing of what is computed: rates of dropout, how arrays start."""
    return _field(default, Honoured("unused", "any value", lambda _: True))


def rate(default: float | None) -> Any:
    """A rate of dropout, which changes nothing in inference."""

    def holds(value: Any) -> bool:
        return type(value) in (int, float) and 0 <= value <= 1

    return _field(default, Honoured("unused", "a number from 0.0 to 1.0", holds))


def nested(default: Any, expected: str, holds: Callable[[Any], bool]) -> Any:
    """Nested data, of which `holds` says whether all of it is honoured."""
    return _field(default, Honoured("data", expected, holds, null=True))


def _one_of(how: str, allowed: Sequence[Any]) -> Honoured:
    def holds(value: Any) -> bool:
        return any(type(value) is type(a) and value == a for a in allowed)

    shown = [str(a) if how == "choice" else quote(a) for a in allowed]
    wanted = shown[0] if len(shown) == 1 else f"one of {listing(shown, 100)}"
    return Honoured(how, wanted, holds, null=None in allowed)


def _field(default: Any, honoured: Honoured) -> Any:
    metadata = {_HONOURED: honoured}
    if isinstance(default, (dict, list)):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def honoured(member: Field[Any]) -> Honoured:
    """How a field of a config is honoured."""
    found: Honoured = member.metadata[_HONOURED]
    return found


UNUSED = frozenset({
    "_name_or_path", "architectures", "model_type", "transformers_version",
    "torch_dtype", "dtype", "use_cache", "output_attentions", "output_hidden_states",
    "return_dict", "id2label", "label2id", "problem_type", "chunk_size_feed_forward",
    "is_encoder_decoder", "bos_token_id", "eos_token_id", "pad_token_id",
    "sep_token_id", "decoder_start_token_id", "initializer_range",
    "gradient_checkpointing", "output_past", "finetuning_task", "tokenizer_class", "prefix",
    "task_specific_params", "torchscript", "use_bfloat16", "tf_legacy_loss",
    "max_length", "min_length", "do_sample", "early_stopping", "num_beams",
    "num_beam_groups", "diversity_penalty", "temperature", "top_k", "top_p",
    "typical_p", "repetition_penalty", "length_penalty", "no_repeat_ngram_size",
    "encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences",
    "output_scores", "return_dict_in_generate", "forced_bos_token_id",
    "forced_eos_token_id", "remove_invalid_values", "exponential_decay_length_penalty",
    "suppress_tokens", "begin_suppress_tokens", "_attn_implementation_autoset",
    "attn_implementation", "_commit_hash",
})  # fmt: skip
"""Fields of every config of transformers that change nothing of what is computed here."""

FIXED: dict[str, tuple[Any, ...]] = {
    "pruned_heads": ({},),
    "is_decoder": (False,),
    "add_cross_attention": (False,),
    "cross_attention_hidden_size": (None,),
    "tie_encoder_decoder": (False,),
}
"""Fields of every config that have to be as they are by default, unless a family says more."""

_CODE = "it names code of its own: load it with transformers, and write it with bx.GraphBuilder"
_PACKED = "load it with transformers, dequantize it, and save it again"
_OTHER = "this is another model than the one that can be imported"


@dataclass(frozen=True)
class Settings:
    """The base of configs."""

    def faults(self) -> Iterator[tuple[str, str]]:
        """Fields whose values do not go together, each with `expected …, found …`."""
        return iter(())


C = TypeVar("C", bound=Settings)


def parse(
    kind: type[C], raw: Mapping[str, Any], path: str, ignore: Sequence[str] = ()
) -> C:
    """The settings among the fields of a `config.json`.

    Args:
        kind: of the config.
        raw: the data.
        path: of it, for errors.
        ignore: fields that nothing is known of, and that change nothing.

    Raises:
        SpecError: all fields that are of another type, out of range, or of another model.
    """
    known = {f.name: honoured(f) for f in fields(kind)}
    faults = [*_foreign(raw, known, ignore)]
    given: dict[str, Any] = {}
    for name, rule in known.items():
        value = raw.get(name)
        if value is None and not (rule.null and name in raw):
            continue
        if value is None or rule.holds(value):
            given[name] = value
            continue
        hint = _OTHER if rule.how == "only" else ""
        faults.append((name, f"expected {rule.expected}, found {quote(value)}", hint))
    if not faults:
        config = kind(**given)
        faults = [(name, message, "") for name, message in config.faults()]
        if not faults:
            return config
    raise SpecError(
        Diagnostic("hf-config", f"{path}.{name}", message, hint)
        for name, message, hint in faults
    )


def _foreign(
    raw: Mapping[str, Any], known: Mapping[str, Any], ignore: Sequence[str]
) -> Iterator[tuple[str, str, str]]:
    """Fields that the family does not know."""
    for name, value in raw.items():
        if name in known or name in UNUSED or name in ignore:
            continue
        found = f"found {quote(value)}"
        if name in ("auto_map", "quantization_config"):
            if value:
                hint = _CODE if name == "auto_map" else _PACKED
                yield name, f"expected none, {found}", hint
        elif name in FIXED:
            if value is not None and value not in FIXED[name]:
                wanted = quote(FIXED[name][0])
                yield name, f"expected {wanted}, {found}", _OTHER
        else:
            hint = f"if it changes nothing: bx.from_hf(..., ignore=[{name!r}])"
            message = f"expected a field that is known of this family, {found}"
            yield quote(name), message, hint


def attributes(config: Settings) -> dict[str, int]:
    """The attributes of the Graph that have values of a config."""
    found = {}
    for member in fields(config):
        rule = honoured(member)
        if rule.attribute:
            found[rule.attribute] = getattr(config, member.name)
    return found


def updated(
    raw: Mapping[str, Any], config: Settings, attributes: Mapping[str, Any]
) -> dict[str, Any]:
    """The data of a config after the attributes of its Graph have changed."""
    found = dict(raw)
    for member in fields(config):
        name = honoured(member).attribute
        if name in attributes and attributes[name] != getattr(config, member.name):
            found[member.name] = attributes[name]
    return found
