"""The attribute of a function while the function is written: its text, not its value."""

from __future__ import annotations

from typing import Any, NoReturn

from blox.schema import SpecError


class Attribute(str):
    """`"$features"` as a function gets it: text for wherever a size or a number stands.

    Its value differs from call to call, so Python can neither choose nor calculate by
    it: that is refused, instead of being done to the text.
    """

    __slots__ = ()

    def _refuse(self, wanted: str, hint: str) -> NoReturn:
        raise SpecError.one(
            "builder-value", "", f"expected {wanted}, found an attribute, {self}", hint
        )

    def __bool__(self) -> bool:
        self._refuse(
            "a choice that is the same at every call",
            "write two functions, or choose before the function is given to f.call",
        )

    def __eq__(self, other: object) -> bool:
        if isinstance(other, int | float):
            self.__bool__()
        return str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def _compare(self, other: Any) -> bool:
        return self.__bool__()

    __lt__ = __le__ = __gt__ = __ge__ = _compare
    __hash__ = str.__hash__

    def _calculate(self, other: Any) -> NoReturn:
        self._refuse("an expression", f'write it as text: "$4 * {self[1:]}"')

    # Each is a declared method of `str`, of other types.
    __add__ = _calculate  # pyright: ignore[reportAssignmentType]
    __mul__ = __rmul__ = _calculate  # pyright: ignore[reportAssignmentType]
    __mod__ = _calculate  # pyright: ignore[reportAssignmentType]
    __radd__ = __sub__ = __rsub__ = __floordiv__ = __rfloordiv__ = _calculate
    __truediv__ = __rtruediv__ = __rmod__ = __pow__ = __rpow__ = _calculate

    def __neg__(self) -> NoReturn:
        self._calculate(self)
