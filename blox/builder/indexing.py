"""What stands between the brackets of `x[...]`: static parts, and values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from blox.schema.diagnostics import quote

from .sizes import Dim


class ArrayLike:
    """What a value is to those who write nodes of it."""

    __slots__ = ()

    @property
    def builder(self) -> Any:
        """The builder of the function that it belongs to."""
        raise NotImplementedError

    @property
    def shape(self) -> tuple[Any, ...]:
        raise NotImplementedError

    @property
    def ndim(self) -> int:
        raise NotImplementedError

    @property
    def dtype(self) -> Any:
        raise NotImplementedError

    def fault(self, code: str, message: str, hint: str = "") -> NoReturn:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class At:
    """What stands between the brackets of `x[...]`."""

    parts: tuple[Any, ...]

    @classmethod
    def of(cls, value: ArrayLike, parts: Sequence[Any]) -> At:
        """The parts of an index as Python gives them, checked to be static."""
        for part in parts:
            bounds = (
                (part.start, part.stop, part.step)
                if isinstance(part, slice)
                else (part,)
            )
            for bound in bounds:
                if not _is_bound(bound) and not (bound is Ellipsis and part is bound):
                    value.fault(
                        "builder-value",
                        "expected integers, slices, `...` and None between the brackets, "
                        f"found {quote(bound)}",
                        "a value is an index by itself, x[i]; f.dynamic_slice takes computed "
                        "starts",
                    )
        return cls(tuple(parts))


def _is_bound(value: Any) -> bool:
    if value is None or isinstance(value, Dim):
        return True
    if isinstance(value, str):
        return value.startswith("$")
    plain = not isinstance(value, (bool, ArrayLike))
    return hasattr(value, "__index__") and plain


def computed(x: ArrayLike, parts: Sequence[Any]) -> Any:
    """`x[i]`, `x[:, i, 2:]`, `x[i, j]`: what an index with values among its parts gives.

    As in JAX, -1 is the last element, and an index out of range is clamped. One value
    stands among slices, or several of one shape for the first axes.
    """
    given = _whole(x, parts)
    places = [k for k, part in enumerate(given) if isinstance(part, ArrayLike)]
    for k in places:
        if not str(given[k].dtype).startswith(("int", "uint")):
            x.fault(
                "builder-value",
                f"expected integers between the brackets, found {given[k].dtype}",
                "f.where(mask, x, 0) keeps the shape, which a mask would decide; f.astype "
                "converts numbers",
            )
    others = [part for part in given if not isinstance(part, ArrayLike)]
    if len(places) == 1 and all(isinstance(part, slice) for part in others):
        return _along(x, given, places[0])
    whole = all(part == slice(None) for part in others)
    if places == [*range(len(places))] and whole:
        indices = [given[k] for k in places]
        if all(i.shape == indices[0].shape for i in indices):
            return x.builder.gather_nd(x, x.builder.stack(indices, axis=-1))
    x.fault(
        "builder-value",
        "expected one value among slices, or values of one shape for the first axes, "
        f"found {', '.join(map(_shown, given))}",
        "index in steps, x[0][:, i], or by f.gather_nd",
    )


def _whole(x: ArrayLike, parts: Sequence[Any]) -> list[Any]:
    """A part for each axis, slices for what `...` stands for."""
    at = next((k for k, part in enumerate(parts) if part is Ellipsis), len(parts))
    before, behind = [*parts[:at]], [*parts[at + 1 :]]
    for part in (*before, *behind):
        if part is None or part is Ellipsis:
            found = "None" if part is None else "... twice"
            x.fault(
                "builder-value",
                f"expected values and slices between the brackets, found {found}",
                "index first: x[i][:, None]",
            )
    lacking = x.ndim - len(before) - len(behind)
    if lacking < 0:
        x.fault(
            "builder-value",
            f"expected at most {x.ndim} parts between the brackets, found "
            f"{len(before) + len(behind)}",
        )
    return [*before, *[slice(None)] * lacking, *behind]


def _along(x: ArrayLike, parts: Sequence[Any], axis: int) -> Any:
    """The elements along one axis, slices along the others."""
    f, i = x.builder, parts[axis]
    static = [slice(None) if part is i else part for part in parts]
    if any(part != slice(None) for part in static):
        x = f.index(x, At.of(x, static))
    if str(i.dtype).startswith("int"):
        i = f.where(i < 0, i + x.shape[axis], i)
    return f.take(x, i, axis, mode="clip")


def _shown(part: Any) -> str:
    if isinstance(part, ArrayLike):
        return f"{part.dtype}{list(part.shape)}"
    if not isinstance(part, slice):
        return quote(part)
    start, stop = ("" if b is None else quote(b) for b in (part.start, part.stop))
    return f"{start}:{stop}"
