"""The names that a function gives to parts of what it is given: `h, c = carry`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import lru_cache

from .lines import parsed


@lru_cache(maxsize=4096)
def part_names(name: str, file: str, number: int) -> Mapping[str, str]:
    """By parts as JAX calls them (`carry[0]`), the names that a function assigns them to.

    Args:
        name: of the function.
        number: the line on which it begins.
    """
    function = _functions(file).get((name, number))
    if function is None:
        return {}
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    texts = {argument.arg: argument.arg for argument in every}
    found: dict[str, str] = {}
    for node in function.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            pairs = list(_assigned(node.targets[0], _text(node.value, texts)))
            for own, text in pairs:
                texts[own] = text
                found.setdefault(text, own)
    return {text: own for text, own in found.items() if text and text not in texts}


def _text(value: ast.expr, texts: dict[str, str]) -> str:
    """An argument, or a part of it, as JAX calls it; "" for anything else."""
    if isinstance(value, ast.Name):
        return texts.get(value.id, "")
    if isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Constant):
        whole = _text(value.value, texts)
        return f"{whole}[{value.slice.value!r}]" if whole else ""
    return ""


def _assigned(target: ast.expr, text: str) -> Iterator[tuple[str, str]]:
    """Names that are assigned, each with what JAX calls its value; "" where it has none."""
    if isinstance(target, ast.Name):
        yield target.id, text
    elif isinstance(target, (ast.Tuple, ast.List)):
        for place, part in enumerate(target.elts):
            yield from _assigned(part, f"{text}[{place}]" if text else "")


@lru_cache(maxsize=256)
def _functions(file: str) -> dict[tuple[str, int], ast.FunctionDef]:
    """The functions of a file by name and line, that of the first decorator too."""
    tree = parsed(file)
    found: dict[tuple[str, int], ast.FunctionDef] = {}
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.FunctionDef):
            for line in (node.lineno, *(d.lineno for d in node.decorator_list)):
                found[node.name, line] = node
    return found
