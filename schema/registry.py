"""The registry of ops: from a name to its definition. Nothing is imported before it is used."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from .deferred import Deferred, made
from .op import Op, ScopeOp
from .ops.index import FAMILIES

CUSTOM = re.compile(r"[a-z][a-z0-9_]*:[a-z][a-z0-9_]*(@([2-9]|[1-9][0-9]{1,5}))?")
"""The name of an op that is no core op: who makes it, and what they call it."""
_VERSION = re.compile(r"(?P<name>[a-z][a-z0-9_:]*)@(?P<version>[1-9][0-9]{0,5})")


@dataclass(frozen=True, slots=True)
class Definition:
    """What an op is: its name and version, its spec class, its function.

    Args:
        name: `relu`, or `acme:rope` for one that is no core op.
        version: a new meaning of a name is a new version.
        home: the module that holds it: that of its family in `schema.ops` and in
            `blox.ops`, or the Python module of the function of a third party.
        spec: the class of a third party; that of a core op is imported when asked for.
        function: likewise. A core op's is `python_name` of `blox.ops`, which has JAX.
    """

    name: str
    version: int
    home: str
    spec: type[Op] | None = None
    function: Callable[..., Any] | None = None

    @property
    def key(self) -> str:
        """The op as a node names it: `relu` for version 1, `relu@2` for version 2."""
        return self.name if self.version == 1 else f"{self.name}@{self.version}"

    @property
    def python_name(self) -> str:
        """The name of its function: `relu`, `relu_v2`, `acme_rope`."""
        name = self.name.replace(":", "_")
        return name if self.version == 1 else f"{name}_v{self.version}"

    @property
    def is_core(self) -> bool:
        return self.spec is None

    @property
    def op_class(self) -> type[Op]:
        """The spec class."""
        return self.spec or made(_statements(self.home)[self.key])


def split_key(key: str) -> tuple[str, int]:
    """The name and the version of an op: `relu@2` is version 2 of `relu`."""
    found = _VERSION.fullmatch(key)
    return (found["name"], int(found["version"])) if found else (key, 1)


def _core(family: str, key: str) -> Definition:
    return Definition(*split_key(key), family)


_CORE = {key: _core(family, key) for family, keys in FAMILIES.items() for key in keys}


_REGISTERED: dict[str, Definition] = {}


def definition(key: str) -> Definition | None:
    """The definition of an op, None where there is none of that name."""
    return _CORE.get(key) or _REGISTERED.get(key)


def add(found: Definition) -> None:
    """Registers an op that is no core op, in place of an older one of its name."""
    _REGISTERED[found.key] = found


def core_definitions() -> tuple[Definition, ...]:
    """The core ops."""
    return tuple(_CORE.values())


def registered() -> tuple[Definition, ...]:
    """The ops that are registered here and are no core ops."""
    return tuple(_REGISTERED.values())


def op_names() -> tuple[str, ...]:
    """The names of all core ops, `relu@2` beside `relu`."""
    return tuple(_CORE)


def versions(name: str) -> list[int]:
    """The versions of a core op, oldest first; none where there is no such op."""
    return sorted(d.version for d in _CORE.values() if d.name == name)


def op_class(key: str) -> type[Op] | None:
    """The spec class of an op, None where there is none of that name."""
    found = definition(key)
    return None if found is None else found.op_class


def families() -> list[str]:
    """The families of ops that compute by a function of `blox.ops`; those of the others
    run functions of the Graph."""
    return [
        family
        for family, keys in FAMILIES.items()
        if not any(issubclass(_CORE[key].op_class, ScopeOp) for key in keys)
    ]


def classes(module: str) -> dict[str, type[Op]]:
    """The op classes that a family module defines, by op name. All of them are made."""
    return {key: made(cls) for key, cls in _statements(module).items()}


@cache
def _statements(module: str) -> dict[str, Any]:
    """The classes of ops that a family module defines, made or not, by op name."""
    home = import_module(f".ops.{module}", __package__)
    found: dict[str, Any] = {}
    for cls in vars(home).values():
        if not isinstance(cls, type) or cls.__module__ != home.__name__:
            continue
        if isinstance(cls, Deferred):
            key = cls.key
        elif issubclass(cls, Op) and "op" in vars(cls)["__annotations__"]:
            key = cls.model_fields["op"].default
        else:
            key = None
        if key is not None:
            found[key] = cls
    return found
