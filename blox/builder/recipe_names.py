"""The names of recipes, for hints: those of other libraries are a hint away too."""

from __future__ import annotations

import difflib

from blox.schema.alike import plain_name

_KNOWN: dict[str, list[str]] = {}


def learn(recipe: str, *also: str) -> None:
    """Answers a name of a recipe, or what other libraries call it.

    Args:
        recipe: its name in `bx.recipes`.
        also: names elsewhere.
    """
    for name in (recipe, *also):
        found = _KNOWN.setdefault(plain_name(name), [])
        if recipe not in found:
            found.append(recipe)


def recipes_known_as(name: str) -> list[str]:
    """The recipes that are called so somewhere, but for case and underscores."""
    return list(_KNOWN.get(plain_name(name), ()))


def recipes_like(name: str) -> list[str]:
    """The recipes that people may mean by a name: case and underscores make no difference,
    nor does a slip."""
    wanted = plain_name(name[:64])
    if wanted not in _KNOWN:
        wanted = next(iter(difflib.get_close_matches(wanted, _KNOWN, 1, 0.83)), "")
    return list(_KNOWN.get(wanted, ()))
