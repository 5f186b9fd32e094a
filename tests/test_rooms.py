"""Imports go one way: `schema` <- `codegen` <- `blox`, and the first two stay light."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from imports import ROOMS, ROOT, circles, files, import_graph, imported

HEAVY = {"jax", "jaxlib", "numpy", "torch", "safetensors"}

LONGEST = 300


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize(
    ("room", "allowed"),
    [("schema", ["blox.schema"]), ("codegen", ["blox.codegen", "blox.schema"])],
)
def test_doors_are_one_way(room: str, allowed: list[str]) -> None:
    wrong = [
        f"{file.relative_to(ROOT)}: {name}"
        for file in files(room)
        for name in imported(file)
        if name.split(".")[0] in HEAVY
        or (inside(name, "blox") and not any(inside(name, a) for a in allowed))
    ]
    assert files(room)
    assert wrong == []


@pytest.mark.parametrize("room", ["schema", "codegen"])
def test_rooms_are_imported_as_parts_of_blox(room: str) -> None:
    # Ruff's banned-api sees this everywhere but in the rooms themselves.
    wrong = [
        f"{file.relative_to(ROOT)}: {name}"
        for file in files(room)
        for name in imported(file)
        if name.split(".")[0] in {"schema", "codegen"}
    ]
    assert wrong == []


@pytest.mark.parametrize("module", ["blox", "blox.schema", "blox.codegen"])
def test_import_is_light(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == []


def test_the_top_level_of_blox_holds_packages() -> None:
    assert [f.name for f in (ROOT / "blox").glob("*.py")] == ["__init__.py"]


def test_modules_import_each_other_in_no_circle() -> None:
    """Imports for types and those inside of functions count: what two modules know of
    each other is a Protocol, or stands in a third."""
    graph = import_graph()
    assert "blox.schema.resolve.resolver" in graph["blox.schema.graph"]
    assert circles(graph) == []


def test_circles_are_found() -> None:
    graph = {
        "a": {"b"},
        "b": {"c"},
        "c": {"b"},
        "d": {"a", "e"},
        "e": {"d"},
        "f": set(),
    }
    assert circles(graph) == [["b", "c"], ["d", "e"]]


def test_one_idea_is_one_file() -> None:
    long = {
        str(file.relative_to(ROOT))
        for room in ("schema", "codegen", "blox")
        for file in files(room)
        if len(file.read_text(encoding="utf-8").splitlines()) > LONGEST
    }
    assert long == set()


def test_the_map_names_every_package() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    packages = {
        str(file.parent.relative_to(ROOT))
        for room in ROOMS
        for file in files(room)
        if file.name == "__init__.py"
    }
    # Rooms have rows of their own.
    wanted = packages - {"codegen", "blox"}
    listed = set(re.findall(r"^\| `([\w/]+)/` \| \w", page, re.MULTILINE))
    assert listed == wanted
