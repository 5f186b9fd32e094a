"""The names of recipes, for hints: those of other libraries are a hint away too."""

from __future__ import annotations

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


def recipes_like(name: str) -> list[str]:
    """The recipes that people may mean by a name: case and underscores make no difference."""
    return list(_KNOWN.get(plain_name(name), ()))
