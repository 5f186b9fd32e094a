"""Names of other libraries and what they are here: the data of `docs/coverage.md`.

A name is an op's own name, or one of the names that its class has as `ALSO`. What is left
stands in `coverage.toml`.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from blox.schema.alike import ops_known_as
from blox.schema.elsewhere import ELSEWHERE
from blox.schema.initializers import INITIALIZERS
from blox.schema.registry import op_class, op_names

INITIALIZER = "init:"
"""Before the name of an initialiser among what a name is here."""


@dataclass(frozen=True, slots=True)
class Row:
    """A name of another library.

    Args:
        name: it.
        here: what it is here: ops, `init:normal`, `bx.recipes.mlp`, `x.shape`.
        named: True where it leads there by itself, as a name of the op or initialiser.
        note: how, where `here` doesn't say it.
        reason: the reason why it has no meaning in a spec, a key of `reasons()`.
    """

    name: str
    here: tuple[str, ...] = ()
    named: bool = False
    note: str = ""
    reason: str = ""

    @property
    def missing(self) -> bool:
        return not self.here and not self.reason


@dataclass(frozen=True, slots=True)
class Peer:
    """A module of another library: the package, its version, its names."""

    module: str
    package: str
    version: str
    names: tuple[str, ...]
    arguments: tuple[str, ...]
    """What its layers are made with."""


@cache
def peers() -> dict[str, Peer]:
    """The modules of `peers.json`, by name."""
    known = json.loads(_text("peers.json"))
    return {
        module: Peer(
            module,
            at["package"],
            at["version"],
            tuple(at["names"].split()),
            tuple(at.get("arguments", "").split()),
        )
        for module, at in known.items()
    }


def arguments() -> dict[str, str]:
    """What an argument of a layer elsewhere is here, by its name there."""
    return {
        name: row["here"]
        for row in data()["arguments"]
        for name in row["there"].split()
    }


def reasons() -> Mapping[str, str]:
    """Why a name has no meaning in a spec: a sentence, by its key."""
    found: dict[str, str] = data()["reasons"]
    return found


@cache
def rows(module: str) -> tuple[Row, ...]:
    """A row for each name of a module."""
    return tuple(_rows(peers()[module]))


def _rows(peer: Peer) -> Iterator[Row]:
    own = data()["here"].get(peer.module, {})
    none = {
        name: reason
        for reason, names in data()["none"].get(peer.module, {}).items()
        for name in names.split()
    }
    for name in peer.names:
        if name in none:
            yield Row(name, reason=none[name])
        elif name in own:
            here, _, note = own[name].partition(" | ")
            yield Row(name, tuple(here.split(", ")), note=note)
        else:
            here = _named(peer.module, name)
            yield Row(name, here, named=bool(here))


def _named(module: str, name: str) -> tuple[str, ...]:
    """What has the name here by itself."""
    if module.endswith("initializers"):
        known = name in INITIALIZERS or name in ELSEWHERE
        return (f"{INITIALIZER}{name}",) if known else ()
    if module in data()["layers"]:
        return ops_known_as(name)
    return _exactly().get(name, ())


@cache
def _exactly() -> dict[str, tuple[str, ...]]:
    """The ops that have a name, their own or another, letter by letter."""
    found: dict[str, tuple[str, ...]] = {key: (key,) for key in op_names()}
    own = frozenset(found)
    for key in op_names():
        cls = op_class(key)
        for name in getattr(cls, "ALSO", ()):
            if name not in own:
                found[name] = (*found.get(name, ()), key)
    return found


@cache
def data() -> dict[str, Any]:
    """`coverage.toml`."""
    return tomllib.loads(_text("coverage.toml"))


def _text(name: str) -> str:
    return (files("blox.dev") / name).read_text(encoding="utf-8")
