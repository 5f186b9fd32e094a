"""From the name of an op to its class. Only families that a file uses are imported."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TypeVar

from .op import Op
from .ops.index import FAMILIES

_FAMILY_OF = {name: family for family, names in FAMILIES.items() for name in names}
_Cls = TypeVar("_Cls", bound=type[Op])


def op_names() -> tuple[str, ...]:
    """The names of all core ops."""
    return tuple(_FAMILY_OF)


def family(name: str) -> str | None:
    """The module of `schema.ops` (and of `blox.ops`) that holds an op."""
    return _FAMILY_OF.get(name)


def op_class(name: str) -> type[Op] | None:
    """The spec class of an op, None where there is none of that name."""
    module = _FAMILY_OF.get(name)
    if module is None:
        return None
    return classes(module)[name]


@cache
def classes(module: str) -> dict[str, type[Op]]:
    """The op classes that a family module defines, by op name."""
    contents = vars(import_module(f".ops.{module}", __package__)).values()
    return {
        c.model_fields["op"].default: c
        for c in contents
        if isinstance(c, type)
        and issubclass(c, Op)
        and "op" in vars(c)["__annotations__"]
        and c.__module__.endswith(f".{module}")
    }
