"""docs/recipes.md and the table of docs/builder.md have every recipe, as it is."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
from docs.pages import ROOT

import blox as bx
from blox.dev import recipe_docs

RECIPES = recipe_docs.all_recipes()
LONGEST = 40
"""Lines of a recipe, its signature and docstring apart."""


def test_the_builders_page_names_all() -> None:
    page = (ROOT / "docs" / "builder.md").read_text(encoding="utf-8")
    table = page.partition("| for | recipes |\n")[2].partition("\n\n")[0]
    named = re.findall(r"`(\w+)`", table)
    assert sorted(named) == list(RECIPES)


def test_there_is_no_other_way_to_them() -> None:
    assert all(getattr(bx.recipes, name) is recipe for name, recipe in RECIPES.items())
    assert not [n for n in RECIPES if n.startswith("_")]


@pytest.mark.parametrize(("name", "recipe"), RECIPES.items())
def test_a_recipe_says_what_it_does(name: str, recipe: Any) -> None:
    doc = inspect.getdoc(recipe) or ""
    assert re.search("[Pp]arameters", doc), "the names that parameters get"
    section = recipe_docs.text().partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    given = [*inspect.signature(recipe).parameters][1:]
    assert rows == given or re.search("arguments as", doc, re.IGNORECASE)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_a_recipe_is_short(recipe: Any) -> None:
    source = inspect.getsource(recipe)
    body = source.partition('"""')[2].partition('"""')[2]
    assert body.count("\n") <= LONGEST
