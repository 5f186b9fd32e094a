"""The modules of the package by name, what each imports, and the circles of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("schema", "codegen", "blox")


def files(room: str) -> list[Path]:
    """The modules of a room; those of the linked rooms are not blox's own."""
    links = {ROOT / "blox" / "schema", ROOT / "blox" / "codegen"}
    found = sorted((ROOT / room).rglob("*.py"))
    return [f for f in found if not links & {*f.parents}]


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts if parts[0] == "blox" else ("blox", *parts))
    return name.removesuffix(".__init__")


def package_name(file: Path) -> str:
    name = module_name(file)
    return name if file.stem == "__init__" else name.rpartition(".")[0]


def imported(file: Path) -> Iterator[str]:
    """The absolute dotted names that a module imports, `from a import b` as `a.b`.

    Imports for types alone and those inside of functions are among them.
    """
    package = package_name(file).split(".")
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) + 1 - node.level] if node.level else []
            stem = ".".join([*start, *([node.module] if node.module else [])])
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def import_graph() -> dict[str, set[str]]:
    """Module -> the modules of the package that it imports, anywhere in it."""
    modules = {module_name(file): file for room in ROOMS for file in files(room)}
    graph: dict[str, set[str]] = {}
    for name, file in modules.items():
        graph[name] = set()
        for target in imported(file):
            # `from a import b`: b is a module, or a name in the module a.
            module = target if target in modules else target.rpartition(".")[0]
            if module in modules and module != name:
                graph[name].add(module)
    return graph


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """The sets of nodes that all reach each other, of two nodes or more."""
    reached = {node: reachable(graph, node) for node in graph}
    found: list[list[str]] = []
    for node in sorted(graph):
        if node in reached[node] and not any(node in circle for circle in found):
            found.append([n for n in sorted(reached[node]) if node in reached[n]])
    return found


def reachable(graph: Mapping[str, set[str]], node: str) -> set[str]:
    seen: set[str] = set()
    waiting = [node]
    while waiting:
        for target in graph[waiting.pop()] - seen:
            seen.add(target)
            waiting.append(target)
    return seen
