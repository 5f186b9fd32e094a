"""Trees of arrays by name, and trees of the same nesting from arrays by name.

Flat dicts, nested dicts and lists, a module of PyTorch or a model of Keras, and every tree
that JAX knows (Equinox, Flax NNX): names are what leads to an array, joined by dots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from blox.schema import ModelError
from blox.schema.diagnostics import Diagnostic, bounded, quote

from .reading import is_array

_MAX_DEPTH = 200
_MAX_ARRAYS = 1_000_000


@dataclass(frozen=True)
class Tree:
    """Arrays by name, and how a tree of the same nesting is made of others.

    Attributes:
        arrays: by name; not read, so far.
        nest: from arrays by name to a tree such as the one that they are of.
    """

    arrays: Mapping[str, Any]
    nest: Callable[[Mapping[str, Any]], Any]


def named(tree: Any) -> Tree:
    """The arrays of a tree by name.

    Raises:
        ModelError: what is no array, two of one name, a nesting without end.
    """
    if hasattr(tree, "state_dict"):  # a module of PyTorch
        tree = tree.state_dict()
    elif hasattr(tree, "weights") and not isinstance(tree, Mapping):  # of Keras
        tree = {weight.path: weight for weight in tree.weights}
    if isinstance(tree, (Mapping, list, tuple)) and not hasattr(tree, "_fields"):
        return _of_plain(tree)
    return _of_jax(tree)


def nested(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Flat names as nested dicts, at the dots."""
    found: dict[str, Any] = {}
    for name, array in arrays.items():
        *outer, last = name.split(".")
        at = found
        for part in outer:
            at = at.setdefault(part, {})
            if not isinstance(at, dict):
                message = "expected an array or more below a name, found both"
                raise ModelError(Diagnostic("params", name, message))
        at[last] = array
    return found


def _of_plain(tree: Any) -> Tree:
    rows = list(_walk(tree, (), 0))
    arrays, faults = _collected((_joined(path), value) for path, value in rows)
    if faults:
        raise ModelError(bounded(faults))
    names = {path: _joined(path) for path, _ in rows}

    def nest(found: Mapping[str, Any]) -> Any:
        return _replaced(tree, (), names, found)

    return Tree(arrays, nest)


def _walk(
    tree: Any, path: tuple[Any, ...], depth: int
) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if depth > _MAX_DEPTH:
        message = f"expected at most {_MAX_DEPTH} levels, found more"
        raise ModelError(Diagnostic("params", "", message))
    if isinstance(tree, Mapping):
        for key, part in tree.items():
            yield from _walk(part, (*path, key), depth + 1)
    elif isinstance(tree, (list, tuple)):
        for number, part in enumerate(tree):
            yield from _walk(part, (*path, number), depth + 1)
    elif tree is not None:
        yield path, tree


def _replaced(
    tree: Any, path: tuple[Any, ...], names: Mapping[Any, str], found: Mapping[str, Any]
) -> Any:
    if isinstance(tree, Mapping):
        return {k: _replaced(t, (*path, k), names, found) for k, t in tree.items()}
    if isinstance(tree, (list, tuple)):
        parts = [_replaced(t, (*path, i), names, found) for i, t in enumerate(tree)]
        return tuple(parts) if isinstance(tree, tuple) else parts
    return None if tree is None else found.get(names[path], tree)


def _of_jax(tree: Any) -> Tree:
    import jax

    rows, structure = jax.tree_util.tree_flatten_with_path(tree)
    names = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in rows]
    names = [_plain(name).removesuffix(".value") for name in names]
    arrays, faults = _collected(
        (name, value)
        for name, (_, value) in zip(names, rows, strict=True)
        if is_array(value)
    )
    if faults:
        raise ModelError(bounded(faults))

    def nest(found: Mapping[str, Any]) -> Any:
        leaves = [
            found.get(name, value) if is_array(value) else value
            for name, (_, value) in zip(names, rows, strict=True)
        ]
        return jax.tree_util.tree_unflatten(structure, leaves)

    return Tree(arrays, nest)


def _collected(
    rows: Iterator[tuple[str, Any]],
) -> tuple[dict[str, Any], list[Diagnostic]]:
    arrays: dict[str, Any] = {}
    faults: list[Diagnostic] = []
    for name, value in rows:
        if not is_array(value):
            text = f"expected an array, found {quote(type(value).__name__)}"
            faults.append(Diagnostic("params", quote(name), text, "leave it out"))
        elif name in arrays or len(arrays) >= _MAX_ARRAYS:
            text = "expected one array of this name, found two"
            faults.append(Diagnostic("params", quote(name), text))
        arrays[name] = value
    return arrays, faults


def _joined(path: tuple[Any, ...]) -> str:
    return ".".join(_plain(str(key)) for key in path)


def _plain(name: str) -> str:
    """Keras and Haiku have slashes where others have dots."""
    return name.replace("/", ".")
