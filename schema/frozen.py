"""Lists and dicts that can't be changed, of which a Graph and its Program consist.

They read, compare, pickle and validate as the plain ones that they are made of, and are
hashable where their items are.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, NoReturn, Self


def refuse(self: Any, *_: Any, **__: Any) -> NoReturn:
    raise TypeError(
        "a Graph can't be changed: change plain data (`graph.plain()`) and give it to "
        "`Graph.parse`"
    )


class FrozenList(list[Any]):
    """A list that can't be changed; `+`, slices and `copy()` give plain ones."""

    __slots__ = ()

    __init__ = refuse  # `frozen` makes them
    append = extend = insert = remove = pop = clear = sort = reverse = refuse
    __setitem__ = __delitem__ = __iadd__ = __imul__ = refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __reduce__(self) -> Any:
        return frozen, (list(self),)


class FrozenDict(dict[Any, Any]):
    """A dict that can't be changed; `|` and `copy()` give plain ones."""

    __slots__ = ()

    __init__ = refuse  # `frozen` makes them
    update = setdefault = pop = popitem = clear = refuse
    __setitem__ = __delitem__ = __ior__ = refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __reduce__(self) -> Any:
        return frozen, (dict(self),)


class Sealable:
    """An object that is put together step by step, and can't be changed from then on."""

    __slots__ = ()

    def seal(self) -> None:
        """Refuses to set or delete fields from now on."""
        self.__class__ = _sealed(type(self))  # type: ignore[arg-type]


@cache
def _sealed(kind: type[Any]) -> type[Any]:
    """`kind` without a way to set fields: checking a flag at each would cost more."""
    closed = {"__slots__": (), "__setattr__": refuse, "__delattr__": refuse}
    return type(kind.__name__, (kind,), {"__module__": kind.__module__, **closed})


def freeze(values: dict[str, Any]) -> None:
    """Freezes the values of a dict, in place."""
    for name, value in values.items():
        kind = type(value)
        if kind is list or kind is dict:
            values[name] = frozen(value)


def same(a: Any, b: Any) -> bool:
    """Equal in type and value all the way down; numbers of different types are not."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(v, b[k]) for k, v in a.items())
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if type(a) is float:  # 0.0 is not -0.0, and nan is nan
        return repr(a) == repr(b)
    return bool(a == b)


def frozen(value: Any) -> Any:
    """`value` with every list and dict in it frozen."""
    kind = type(value)
    if kind is list:
        return _list(value) if value else _NO_LIST
    if kind is dict:
        return _dict(value) if value else EMPTY
    return value


def _list(value: list[Any]) -> FrozenList:
    made: FrozenList = FrozenList.__new__(FrozenList)
    list.extend(made, map(frozen, value) if _nested(value) else value)
    return made


def _dict(value: dict[Any, Any]) -> FrozenDict:
    made: FrozenDict = FrozenDict.__new__(FrozenDict)
    if _nested(value.values()):
        value = {name: frozen(part) for name, part in value.items()}
    dict.update(made, value)
    return made


def _nested(parts: Iterable[Any]) -> bool:
    """True where a part has to be frozen too."""
    return not _PLAIN.isdisjoint(map(type, parts))


_PLAIN = {list, dict}
_NO_LIST, EMPTY = _list([]), _dict({})
