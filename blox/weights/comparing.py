"""Weights against what a Graph expects, from headers alone: all differences at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple, Protocol

from blox.schema.diagnostics import Diagnostic, bounded, quote
from blox.schema.dtypes import NEEDS_X64

from .dtypes import FLOATING
from .header import TensorInfo
from .reading import Headers

_MAX_HINTS = 20
_MAX_CANDIDATES = 2000
_MAX_LENGTH = 200
"""Near misses cost names times candidates; a file must not make that long."""


class Described(Protocol):
    """What is known of an array before it is read."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> str: ...


class LeafSpec(NamedTuple):
    """What is expected at a path; the dtype `"float"` means any floating dtype."""

    shape: tuple[int, ...]
    dtype: str

    def admits(self, dtype: str) -> bool:
        return dtype in FLOATING if self.dtype == "float" else dtype == self.dtype


def compare(
    found: Headers | Mapping[str, TensorInfo], expected: Mapping[str, LeafSpec]
) -> list[Diagnostic]:
    """The differences between stored tensors and expected leaves, 100 one by one.

    Returns:
        Findings `weights-missing`, `weights-shape` and `weights-dtype` in the order of
        `expected`, then `weights-unexpected`; names that nearly match are in the hints.
    """
    return bounded(
        differences(found.tensors if isinstance(found, Headers) else found, expected)
    )


def differences(
    tensors: Mapping[str, Described], expected: Mapping[str, LeafSpec]
) -> Iterator[Diagnostic]:
    """As `compare`, one after another: there may be as many as a file has bytes."""
    missing = [path for path in expected if path not in tensors]
    surplus = [path for path in tensors if path not in expected]
    hints = near_misses(missing, surplus)
    for path, leaf in expected.items():
        info = tensors.get(path)
        if info is None:
            message = f"expected {leaf.dtype}{list(leaf.shape)}, found no tensor"
            hint = hints.get(path, "")
            yield Diagnostic("weights-missing", shown_path(path), message, hint)
            continue
        if info.shape != leaf.shape:
            sizes = quote(list(info.shape))
            message = f"expected shape {list(leaf.shape)}, found {sizes}"
            yield Diagnostic("weights-shape", shown_path(path), message)
        if not leaf.admits(info.dtype):
            message = f"expected dtype {leaf.dtype}, found {info.dtype}"
            yield Diagnostic("weights-dtype", shown_path(path), message)
    back = near_misses(surplus, missing)
    for path in surplus:
        info = tensors[path]
        message = (
            f"expected no tensor here, found {info.dtype}{quote(list(info.shape))}"
        )
        hint = back.get(path, "")
        yield Diagnostic("weights-unexpected", shown_path(path), message, hint)


def wide(
    names: Iterable[str], tensors: Mapping[str, Described]
) -> Iterator[Diagnostic]:
    """What JAX would cut to 32 bits while its x64 is off."""
    for name in names:
        if name in tensors and tensors[name].dtype in NEEDS_X64:
            yield Diagnostic(
                "weights-x64",
                shown_path(name),
                f"expected at most 32 bits per value, found {tensors[name].dtype}",
                'JAX would cut it: jax.config.update("jax_enable_x64", True), or store'
                " a narrower dtype",
            )


def near_misses(names: Iterable[str], candidates: Collection[str]) -> dict[str, str]:
    """Hints by name: the candidate nearest to that name, for as many as is cheap."""
    if not candidates or len(candidates) > _MAX_CANDIDATES:
        return {}
    import difflib  # here, as weights that fit need none

    known = sorted(other for other in candidates if len(other) <= _MAX_LENGTH)
    hints = {}
    for name in islice(names, _MAX_HINTS):
        close = difflib.get_close_matches(name[:_MAX_LENGTH], known, n=1, cutoff=0.75)
        if close:
            hints[name] = f"did you mean {quote(close[0], 100)}?"
    return hints


def shown_path(path: str) -> str:
    """`path`, which may be of anyone's Params, as it may stand in a message."""
    plain = path.isascii() and path.isprintable() and len(path) <= _MAX_LENGTH
    return path if plain else quote(path)
