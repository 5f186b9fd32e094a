"""Imports go one way: `schema` <- `codegen` <- `blox`, and the first two stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"jax", "jaxlib", "numpy", "torch", "safetensors"}


def imports(file: Path, package: str) -> Iterator[str]:
    """The absolute dotted names that `file`, a module of `package`, imports."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            start = parts[: len(parts) + 1 - node.level] if node.level else []
            stem = ".".join([*start, *([node.module] if node.module else [])])
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def modules(room: str) -> list[tuple[Path, str]]:
    """The files of `schema` or `codegen`, each with the package that holds it."""
    files = sorted((ROOT / room).rglob("*.py"))
    return [(f, ".".join(("blox", *f.parent.relative_to(ROOT).parts))) for f in files]


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize(
    ("room", "allowed"),
    [("schema", ["blox.schema"]), ("codegen", ["blox.codegen", "blox.schema"])],
)
def test_doors_are_one_way(room: str, allowed: list[str]) -> None:
    wrong = [
        f"{file.relative_to(ROOT)}: {name}"
        for file, package in modules(room)
        for name in imports(file, package)
        if name.split(".")[0] in HEAVY
        or (inside(name, "blox") and not any(inside(name, a) for a in allowed))
    ]
    assert modules(room)
    assert wrong == []


@pytest.mark.parametrize("room", ["schema", "codegen"])
def test_rooms_are_imported_as_parts_of_blox(room: str) -> None:
    # Ruff's banned-api sees this everywhere but in the rooms themselves.
    wrong = [
        f"{file.relative_to(ROOT)}: {name}"
        for file, package in modules(room)
        for name in imports(file, package)
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
