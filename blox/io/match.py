"""Weight headers against a Graph: where the array of each leaf is to be had from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from blox.schema import Graph
from blox.schema.diagnostics import Diagnostic, quote
from blox.weights import Headers, LeafSpec, TensorInfo, compare
from blox.weights.dtypes import NEEDS_X64

from .spec import DIGEST_KEY
from .stacking import Piece, convert, families, layout, patterns_of


@dataclass(frozen=True, slots=True)
class Fit:
    """`pieces`: by graph path, what its array is made of. `findings`: what differs."""

    pieces: dict[str, list[Piece]]
    findings: list[Diagnostic]


def fit(headers: Headers, graph: Graph, *, x64: bool) -> Fit:
    """Holds headers against the leaves of a sound Graph.

    Args:
        headers: of `read_headers`.
        graph: whose `program()` is there to be had.
        x64: whether JAX takes 64-bit values.

    Returns:
        A Fit whose findings are all differences of names, shapes and dtypes; a Graph
        other than the one that the weights were saved with is a warning.
    """
    expected: dict[str, LeafSpec] = {}
    pieces: dict[str, list[Piece]] = {}
    findings = list(_digest(headers, graph))
    patterns = patterns_of(headers.tensors)
    for family in families(graph.program().leaves()):
        inside = layout(family, patterns)
        if inside == family.numbered:
            for path, leaf in family.members.values():
                expected[path] = LeafSpec(leaf.full_shape, leaf.dtype)
                pieces[path] = [Piece(path)]
        else:
            convert(family, inside, expected, pieces)
    findings += compare(headers, expected)
    findings += _mixed(pieces, headers.tensors)
    if not x64:
        findings += _wide(expected, headers.tensors)
    return Fit(pieces, findings)


def _digest(headers: Headers, graph: Graph) -> Iterator[Diagnostic]:
    saved = headers.metadata.get(DIGEST_KEY)
    if saved is not None and saved != graph.digest:
        yield Diagnostic(
            "weights-digest",
            "",
            f"expected weights of the Graph {graph.digest[:19]}, found those of "
            f"{quote(saved[:19])}",
            "the Graph was changed since they were saved; save the model again if that "
            "was meant",
            "warning",
        )


def _mixed(
    pieces: Mapping[str, list[Piece]], tensors: Mapping[str, TensorInfo]
) -> Iterator[Diagnostic]:
    for path, parts in pieces.items():
        found = dict.fromkeys(tensors[p.name].dtype for p in parts if p.name in tensors)
        if len(found) > 1:
            wanted = "expected one dtype for the copies that are stacked here"
            yield Diagnostic(
                "weights-dtype", path, f"{wanted}, found {' and '.join(found)}"
            )


def _wide(
    expected: Iterable[str], tensors: Mapping[str, TensorInfo]
) -> Iterator[Diagnostic]:
    for name in expected:
        if name in tensors and tensors[name].dtype in NEEDS_X64:
            yield Diagnostic(
                "weights-x64",
                name,
                f"expected at most 32 bits per value, found {tensors[name].dtype}",
                'JAX would cut it: jax.config.update("jax_enable_x64", True), or store'
                " a narrower dtype",
            )
