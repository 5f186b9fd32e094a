"""`bx.generate_text`: what follows texts, by a tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from blox.schema import Graph

from .config import GenerationConfig
from .public import generate_tokens


def generate_text(
    graph: Graph,
    params: Any,
    prompts: Sequence[str],
    tokenizer: Any,
    config: GenerationConfig | None = None,
    *,
    stop_strings: Sequence[str] = (),
    on_text: Callable[[int, str], None] | None = None,
    **options: Any,
) -> list[str]:
    """What a model writes after each of some texts.

        tokenizer = tokenizers.Tokenizer.from_file("model/source/tokenizer.json")
        bx.generate_text(graph, params, ["Once upon"], tokenizer, max_new_tokens=40)

    Args:
        graph: as for `generate_tokens`; as params, config and options.
        params: see `graph`.
        prompts: texts.
        tokenizer: a `tokenizers.Tokenizer`: `encode(text).ids` and `decode(ids)`.
        config: see `graph`.
        stop_strings: a text ends before the first of them.
        on_text: called with the number of a prompt and what is new of its text.
        options: see `graph`.

    Returns:
        The new part of each text.

    Raises:
        ModelError, SpecError: see `generate_tokens`.
    """
    rows = [tokenizer.encode(text).ids for text in prompts]
    told: dict[int, tuple[list[int], str]] = {}

    def text_of(row: int, ids: Sequence[int]) -> str:
        """The text of new ids: with what is before them, as words begin with a space."""
        before: str = tokenizer.decode(rows[row])
        whole: str = tokenizer.decode([*rows[row], *ids])
        return (
            whole[len(before) :] if whole.startswith(before) else tokenizer.decode(ids)
        )

    def heard(row: int, token: int) -> None:
        ids, before = told.get(row, ([], ""))
        ids = [*ids, token]
        text = text_of(row, ids)
        new = text.removeprefix(before)
        # A character of several tokens is not whole yet.
        if on_text is not None and new and not text.endswith("\ufffd"):
            on_text(row, new)
            before = text
        told[row] = ids, before

    def stops(row: int, ids: Sequence[int]) -> bool:
        text = text_of(row, ids)
        return any(ending in text for ending in stop_strings)

    found = generate_tokens(
        graph,
        params,
        rows,
        config,
        on_token=heard if on_text is not None else None,
        stop=stops if stop_strings else None,
        **options,
    )
    texts = [text_of(row, ids) for row, ids in enumerate(found)]
    return [_before(text, stop_strings) for text in texts]


def _before(text: str, endings: Sequence[str]) -> str:
    """The text before the first of some endings."""
    found = [text.index(ending) for ending in endings if ending in text]
    return text[: min(found)] if found else text
