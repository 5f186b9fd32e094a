"""Weight headers against a Graph: what the array of each leaf is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from blox.schema import Graph, Leaf
from blox.schema.diagnostics import Diagnostic, bounded, quote
from blox.weights import Headers, TensorInfo
from blox.weights.comparing import differences, wide
from blox.weights.dtypes import FLOATING

from .spec import DIGEST_KEY
from .stacking import Layout, Piece


class Fit(NamedTuple):
    """`pieces`: by graph path, what its array is made of. `findings`: what differs.

    `dtypes`: of the arrays that are made of tensors of several dtypes.
    """

    pieces: dict[str, list[Piece]]
    findings: list[Diagnostic]
    dtypes: dict[str, str]


def fit(headers: Headers, graph: Graph, *, x64: bool, cast: bool = False) -> Fit:
    """Holds headers against the leaves of a sound Graph.

    Args:
        headers: of `read_headers`.
        graph: a sound one.
        x64: whether JAX takes 64-bit values.
        cast: parameters of dtype `float` are cast, so that any width will do.

    Returns:
        A Fit whose findings are the differences of names, shapes and dtypes, 100 one by
        one; a Graph other than the one that the weights were saved with is a warning.
    """
    layout = Layout(graph.program().leaves(), headers.tensors)
    pieces, expected = layout.pieces, layout.expected
    dtypes, joined = _joined(pieces, headers.tensors)
    findings = chain(
        _digest(headers, graph),
        differences(headers.tensors, expected),
        joined,
        () if x64 else wide(_kept(graph, pieces, cast), headers.tensors),
    )
    return Fit(pieces, bounded(findings), dtypes)


def castable(leaf: Leaf) -> bool:
    """True for what `bx.load(dtype=)` casts: neither state nor buffers."""
    return leaf.kind == "param" and leaf.dtype == "float"


def _kept(graph: Graph, pieces: Mapping[str, list[Piece]], cast: bool) -> Iterator[str]:
    """The tensors whose dtype is that of the array."""
    leaves = graph.program().leaves()
    names = dict.fromkeys(
        part.name
        for path, parts in pieces.items()
        if not (cast and castable(leaves[path]))
        for part in parts
    )
    yield from names


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


def _joined(
    pieces: Mapping[str, list[Piece]], tensors: Mapping[str, TensorInfo]
) -> tuple[dict[str, str], list[Diagnostic]]:
    """The dtype of copies of several dtypes that are stacked: one that holds them all."""
    dtypes: dict[str, str] = {}
    findings: list[Diagnostic] = []
    for path, parts in pieces.items():
        found = dict.fromkeys(tensors[p.name].dtype for p in parts if p.name in tensors)
        if len(found) < 2 or not all(dtype in FLOATING for dtype in found):
            continue
        import ml_dtypes  # noqa: F401, as NumPy then knows bfloat16
        import numpy as np

        try:
            dtypes[path] = str(np.result_type(*found))
        except TypeError:
            wanted = "expected one dtype for the copies that are stacked here"
            text = f"{wanted}, found {' and '.join(found)}"
            findings.append(Diagnostic("weights-dtype", path, text))
    return dtypes, findings
