"""Layers that attend to all that came before them, and those that have a window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..family.settings import Settings, nested

FULL, SLIDING = KINDS = ("full_attention", "sliding_attention")


def _are_kinds(value: object) -> bool:
    return value is None or (isinstance(value, list) and all(k in KINDS for k in value))


@dataclass(frozen=True, kw_only=True)
class LayerTypes(Settings):
    """The kind of each layer, where a config lists them."""

    layer_types: list[str] | None = nested(
        None, f"a list of {', '.join(KINDS)}", _are_kinds
    )

    def windows_of(
        self, count: int, window: int | None, slides: Callable[[int], bool]
    ) -> list[int | None]:
        """The window of each layer; which ones have it `slides` says if no list does."""
        kinds = self.layer_types or [KINDS[slides(i)] for i in range(count)]
        return [window if kind == SLIDING else None for kind in kinds]

    def layer_faults(self, count: int) -> Iterator[tuple[str, str]]:
        """A list of another length."""
        kinds = self.layer_types
        if kinds is not None and len(kinds) != count:
            message = f"expected one of each of {count} layers, found {len(kinds)}"
            yield "layer_types", message
