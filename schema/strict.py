"""The base of every part of a Graph: strict types, no unknown fields, immutable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn, Self

from pydantic import BaseModel, ConfigDict

from .frozen import freeze, refuse, same


class Strict(BaseModel):
    """A part of a Graph. It can't be changed, nor can the lists and dicts in it; it is
    hashable, and equal to what holds the same values of the same types (1 is not 1.0).
    """

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        defer_build=True,
        hide_input_in_errors=True,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=False,
    )

    def model_post_init(self, context: Any) -> None:
        freeze(vars(self))

    # Pydantic's own refusal is of four lines, and does not say what to do.
    __setattr__ = __delattr__ = refuse

    def model_copy(
        self, *, update: Mapping[str, Any] | None = None, deep: bool = False
    ) -> Self:
        """The same part with other values, which are checked as in a new one."""
        if not update:
            return super().model_copy(deep=deep)
        return type(self).model_validate({**dict(self), **update})

    def unchecked_copy(self, **update: Any) -> Self:
        """The same part with other values that the caller vouches for."""
        copied = super().model_copy(update=update)
        freeze(vars(copied))
        return copied

    def copy(self, **options: Any) -> Self:
        """`model_copy` by its older name, which in Pydantic goes around all checks."""
        return self.model_copy(**options)

    @classmethod
    def unchecked(cls, **values: Any) -> Self:
        """A part of values that the caller vouches for."""
        return super().model_construct(**values)

    @classmethod
    def model_construct(cls, *_: Any, **__: Any) -> NoReturn:  # type: ignore[override]
        """Refused, as it checks nothing."""
        raise TypeError(f"expected values to check: {cls.__name__}(...) does")

    def __init__(self, **data: Any) -> None:
        if vars(self):  # it was made before: this would change it
            refuse(self)
        super().__init__(**data)

    # Pydantic needn't call it where it validates.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def __setstate__(self, state: dict[Any, Any]) -> None:
        if vars(self):
            refuse(self)
        super().__setstate__(state)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return self is other or same(self.__dict__, other.__dict__)

    def __hash__(self) -> int:
        return hash((type(self), *self.__dict__.values()))
