"""What nodes of ops give, each kind of node traced once for what flows in.

No Program is needed: the builder asks node by node while a Graph is being written, and the
check of the Graph then finds most of what it asks here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jax

from blox.schema.resolve.program import Args

from .guess import Given
from .infer import Inference
from .kinds import Kind, Lane, Leaves, Outcome, numbered
from .symbolic import Symbols


class OpEngine:
    """Infers ops, and remembers them by their attributes and what flows in.

    Args:
        symbols: those of the Graph.
        work: how much may be done; what lies behind is not looked at.
    """

    def __init__(self, symbols: Symbols, work: float) -> None:
        self.symbols = symbols
        self.inference = Inference(symbols, work)
        self.values = self.inference.values
        self.wide = x64()
        """True where it infers 64-bit types: what it remembers holds with these only."""
        self.outcomes: dict[Any, Outcome] = {}
        """What was inferred, by `key_of`."""
        self._kinds: dict[Any, Kind] = {}
        self._attempts: dict[Any, Given | None] = {}

    def kind(self, op: Any, args: Args, leaves: Leaves) -> Kind:
        """The kind of a node, the same object for those that are alike."""
        fields = op.fields()
        pattern: list[Any] = []
        for name, arg in args.items():
            parts = arg if isinstance(arg, list) else (arg,)
            pattern.append(
                (name, [p.value if p.source is None else ... for p in parts])
            )
        own = vars(op)
        attributes = [own[name] for name in fields.attributes]
        extra = op.outputs() if op.OUTPUTS != ("out",) or "names" in own else ()
        arrays = leaves.items() if isinstance(leaves, dict) else [("", leaves)]
        sizes = [(n, leaf.full_shape, leaf.dtype) for n, leaf in arrays]
        key = (type(op), repr((attributes, pattern, extra, sizes)))
        found = self._kinds.get(key)
        if found is None:
            found = self._kinds[key] = Kind.of(op, numbered(args), leaves)
        return found

    def outcome(
        self, kind: Kind, given: Given, sizes: Mapping[str, Any], lane: Lane
    ) -> Outcome:
        """What a node of this kind gives; remembered."""
        key = key_of(kind, given, sizes, lane)
        found = self.outcomes.get(key)
        if found is None:
            found = self.inference.outcome(kind, given, sizes, lane)
            self.outcomes[key] = found
        return found

    def attempt(
        self, kind: Kind, given: Given, sizes: Mapping[str, Any]
    ) -> Given | None:
        """The outputs of a node; None where it doesn't take what flows in. Remembered.

        As `outcome` in the plain lane, without the search for what a fault may be.
        """
        key = key_of(kind, given, sizes, Lane())
        known = self.outcomes.get(key)
        if known is not None:
            return None if known.fault is not None else known.outputs
        if key not in self._attempts:
            self._attempts[key] = self.inference.attempt(kind, given, sizes)
        return self._attempts[key]


def key_of(kind: Kind, given: Given, sizes: Mapping[str, Any], lane: Lane) -> Any:
    """What an outcome depends on."""
    texts = tuple([_text(sizes[n]) for n in kind.names]) if kind.names else ()
    trains = lane.train if kind.op.TRAIN else None
    return (kind, given, texts, trains, lane.dtype if kind.floats else None)


@contextmanager
def plain_tracebacks() -> Iterator[None]:
    """Errors of JAX as they are: that it cleans their tracebacks takes ten times a trace."""
    before = jax.config.jax_traceback_filtering  # type: ignore[attr-defined]
    jax.config.update("jax_traceback_filtering", "off")
    try:
        yield
    finally:
        jax.config.update("jax_traceback_filtering", before)


def x64() -> bool:
    """True where JAX has 64-bit types."""
    return bool(jax.config.read("jax_enable_x64"))


def _text(size: Any) -> Any:
    return size if type(size) is int or type(size) is float else str(size)
