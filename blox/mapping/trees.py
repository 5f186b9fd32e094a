"""Trees of arrays by name, and trees of the same nesting from arrays by name.

Flat dicts, nested dicts and lists, a module of PyTorch or a model of Keras, and every tree
that JAX knows (Equinox, Flax NNX): names are what leads to an array, joined by dots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from blox.schema import ModelError
from blox.schema.diagnostics import Diagnostic, bounded, quote

from .reading import is_array

_MAX_DEPTH = 200
_MAX_PARTS = 1_000_000


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
    elif hasattr(tree, "get_weights"):  # a model of Keras
        tree = {weight.path: weight for weight in tree.weights}
    arrays: dict[str, Any] = {}
    faults: list[Diagnostic] = []
    for path, value in _walk(tree):
        name = _joined(path)
        if not is_array(value):
            text = f"expected an array, found {quote(type(value).__name__)}"
            faults.append(Diagnostic("params", quote(name), text, "leave it out"))
        elif name in arrays:
            text = "expected one array of this name, found two"
            faults.append(Diagnostic("params", quote(name), text))
        arrays[name] = value
    if faults:
        raise ModelError(bounded(faults))
    return Tree(arrays, partial(_replaced, tree, ()))


def _walk(tree: Any) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """(path, value) of what is in a tree, in order; a part that is met often counts often."""
    todo: list[tuple[tuple[Any, ...], Any]] = [((), tree)]
    met = 0
    while todo:
        path, value = todo.pop()
        met += 1
        if met > _MAX_PARTS or len(path) > _MAX_DEPTH:
            most = (
                f"{_MAX_DEPTH} levels" if met <= _MAX_PARTS else f"{_MAX_PARTS} parts"
            )
            message = f"expected at most {most}, found more"
            raise ModelError(Diagnostic("params", "", message))
        if is_array(value):
            yield path, value
        elif _is_opaque(value):
            names, parts, _ = _opened(value)
            for name, part in zip(names, parts, strict=True):
                if is_array(part):  # others are functions, numbers, texts of a module
                    yield (*path, name), part
        elif isinstance(value, (Mapping, list, tuple)):
            inner = [((*path, key), part) for key, part in _items(value)]
            todo += reversed(inner)
        elif value is not None:
            yield path, value


def _replaced(tree: Any, path: tuple[Any, ...], found: Mapping[str, Any]) -> Any:
    """`tree` with the arrays of `found` in it, by their names."""
    if is_array(tree):
        return found.get(_joined(path), tree)
    if _is_opaque(tree):
        import jax

        names, parts, structure = _opened(tree)
        new = [
            found.get(_joined((*path, name)), part) if is_array(part) else part
            for name, part in zip(names, parts, strict=True)
        ]
        return jax.tree_util.tree_unflatten(structure, new)
    if isinstance(tree, Mapping):
        return {k: _replaced(part, (*path, k), found) for k, part in tree.items()}
    if isinstance(tree, (list, tuple)):
        parts = [_replaced(part, (*path, i), found) for i, part in enumerate(tree)]
        return tuple(parts) if isinstance(tree, tuple) else parts
    return tree


def _items(tree: Any) -> Iterator[tuple[Any, Any]]:
    return iter(tree.items() if isinstance(tree, Mapping) else enumerate(tree))


def _is_opaque(tree: Any) -> bool:
    """True of what JAX takes apart and Python doesn't: a module, a State, a named tuple."""
    if type(tree) in (dict, list, tuple) or tree is None:
        return False
    import jax

    return not jax.tree_util.all_leaves([tree])


def _opened(tree: Any) -> tuple[list[str], list[Any], Any]:
    """(names, leaves, structure) of what JAX takes apart."""
    import jax

    rows, structure = jax.tree_util.tree_flatten_with_path(tree)
    keys = (jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in rows)
    return (
        [key.removesuffix(".value") for key in keys],
        [part for _, part in rows],
        structure,
    )


def _joined(path: tuple[Any, ...]) -> str:
    """A path as a name; Keras and Haiku have slashes where others have dots."""
    return ".".join(str(key).replace("/", ".") for key in path)
