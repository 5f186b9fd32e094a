"""Arrays of attention that lie in one: rules for queries, keys and values."""

from __future__ import annotations

from collections.abc import Sequence

from blox.mapping.layouts import Kernel, Rearrange, Split
from blox.mapping.rules import Rule

PARTS = ("query", "key", "value")


def of_each_head(
    theirs: str, heads: int, *, ours: str = "layers.{i}.attention", parts: int = 3
) -> list[Rule]:
    """Rules for a map that gives query, key and value of the first head, then of the next."""
    sizes = {"heads": heads, "parts": parts}
    kernel = Rearrange("(heads parts size) n -> (parts heads size) n", **sizes)
    bias = Rearrange("(heads parts size) -> (parts heads size)", **sizes)
    kernels, biases = (
        [f"{ours}.{part}.{name}" for part in PARTS] for name in ("kernel", "bias")
    )
    return [
        Rule(kernels, f"{theirs}.weight", kernel, Split(parts), Kernel()),
        Rule(biases, f"{theirs}.bias", bias, Split(parts)),
    ]


def one_after_another(
    ours: Sequence[str],
    theirs: str,
    shares: tuple[int, ...] | None = None,
    *,
    use_bias: bool = False,
) -> list[Rule]:
    """Rules for maps whose features lie one after another, of equal sizes or by shares."""
    split = Split(len(ours) if shares is None else shares)
    kernels = [f"{name}.kernel" for name in ours]
    found = [Rule(kernels, f"{theirs}.weight", split, Kernel())]
    if use_bias:
        biases = [f"{name}.bias" for name in ours]
        found.append(Rule(biases, f"{theirs}.bias", split))
    return found
