"""Op classes that are made when they are first used.

Pydantic takes a third of a millisecond for a class. A module of `schema.ops` holds all ops
of a family, of which a process meets few: with the bases of this module a class statement
is kept as it stands, and the class is made of it when someone calls it, looks into it, or
asks the registry for it.
"""

from __future__ import annotations

import sys
from threading import RLock
from types import ModuleType
from typing import TYPE_CHECKING, Any

_LOCK = RLock()


class _Module(ModuleType):
    """A module whose classes are made when it is asked for them: `from x import Y`."""

    def __getattribute__(self, name: str) -> Any:
        return made(super().__getattribute__(name))


class Deferred(type):
    """The class of a class statement: it stands for the class that is made of it.

    Only its own module ever sees it, as a base or in the body of a method.
    """

    def __new__(
        mcs, name: str, bases: tuple[Any, ...], namespace: dict[str, Any]
    ) -> Deferred:
        kept = ("__module__", "__qualname__", "__doc__", "__classcell__")
        shown = {k: namespace[k] for k in kept if k in namespace}
        cls = super().__new__(mcs, name, (), shown)
        if cls.__module__ != __name__:
            sys.modules[cls.__module__].__class__ = _Module
        cls._statement = (bases, namespace)
        cls._made = None
        return cls

    _statement: tuple[tuple[Any, ...], dict[str, Any]]
    _made: Any

    @property
    def key(cls) -> str | None:
        """The name of its op, without making the class; None for a base of ops."""
        found = cls._statement[1].get("op")
        return found if isinstance(found, str) else None

    def __getattr__(cls, name: str) -> Any:
        return getattr(made(cls), name)

    def __call__(cls, *args: Any, **fields: Any) -> Any:
        return made(cls)(*args, **fields)

    def __instancecheck__(cls, instance: Any) -> bool:
        return cls._made is not None and isinstance(instance, cls._made)


def made(cls: Any) -> Any:
    """The class that a class statement stands for; any other class is itself."""
    if not isinstance(cls, Deferred):
        return cls
    found: Deferred = cls
    if found._made is None:
        _make(found)
    return found._made


def _make(found: Deferred) -> None:
    with _LOCK:
        if found._made is not None:  # by another thread meanwhile
            return
        bases, namespace = found._statement
        bases, name = tuple(made(base) for base in bases), found.__name__
        found._made = type(bases[0])(name, bases, dict(namespace))
        contents = vars(sys.modules[found.__module__])
        if contents.get(name) is found:
            contents[name] = found._made


if TYPE_CHECKING:
    from .op import Op as Op
    from .op import ParamOp as ParamOp
    from .op import ScopeOp as ScopeOp
else:
    from . import op

    def _base(cls: Any) -> Deferred:
        base = Deferred(cls.__name__, (), {"__module__": __name__})
        base._made = cls
        return base

    Op, ParamOp, ScopeOp = _base(op.Op), _base(op.ParamOp), _base(op.ScopeOp)
