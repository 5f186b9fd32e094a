"""Arrays that a model keeps from call to call and that have the batch: inputs of the Graph,
and outputs that are their next values."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import EllipsisType
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

import blox as bx
from blox.schema.diagnostics import Diagnostic, bounded, quote

from ..array_names import name_of as source_name
from ..chains import counting
from ..naming import argument_name
from ..regions import fresh, identifier
from ..trace import Path
from .frontends.paths import path_of
from .outputs import named_outputs
from .source import Source

Sizes: TypeAlias = Sequence[int | str | EllipsisType]
"""The shape of a cache: sizes, names of dims, and `"..."` for all others as they are."""


@dataclass(frozen=True)
class Cache:
    """Arrays of the source as one input.

    Args:
        paths: of one array, or of those that layers in a row have each, which are stacked.
    """

    name: str
    paths: Sequence[Path]
    input: bx.Input

    def arrays(self, given: Any) -> Iterator[tuple[Path, Any]]:
        """What each array of the source is."""
        array, alone = jnp.asarray(given), len(self.paths) == 1
        for place, path in enumerate(self.paths):
            yield path, array if alone else array[place]

    def after(self, arrays: Mapping[Path, Any]) -> Any:
        """What the input is next."""
        parts = [arrays[path] for path in self.paths]
        return parts[0] if len(parts) == 1 else jnp.stack(parts)


def with_caches(
    source: Source, inputs: Mapping[str, bx.Input], caches: Mapping[str, Sizes]
) -> tuple[Source, dict[str, bx.Input]]:
    """A source that is given its caches behind its inputs, and gives what they become behind
    its outputs, under their names; and all of these inputs.

    Args:
        caches: their shapes, by the end of their names. What is an input already is one that
            the model's code gives back itself, as an output of this name.

    Raises:
        SpecError: a name that no array has, or a shape that is not that of its array.
    """
    own_inputs = frozenset(caches) & frozenset(inputs)
    leaves = jax.tree_util.tree_flatten_with_path(source.arrays)[0]
    arrays = {path_of(keys): leaf for keys, leaf in leaves}
    kept = {name: sizes for name, sizes in caches.items() if name not in own_inputs}
    found = _caches(arrays, inputs, kept)

    def call(own: Any, *given: Any) -> tuple[Any, Mapping[Path, Any]]:
        count = len(given) - len(found)
        before = {
            path: array
            for cache, array in zip(found, given[count:], strict=True)
            for path, array in cache.arrays(array)
        }
        whole = jax.tree_util.tree_map_with_path(
            lambda keys, leaf: before.get(path_of(keys), leaf), own
        )
        outputs, updates = source.call(whole, *given[:count])
        named = named_outputs(outputs)
        _check_given(own_inputs, named)
        for cache in found:
            if any(path in updates for path in cache.paths):
                _check_free(cache.name, named)
                named[cache.name] = cache.after({**before, **updates})
        return named, {path: new for path, new in updates.items() if path not in before}

    declared = {cache.name: cache.input for cache in found}
    changed = replace(source, call=call, caches=own_inputs | frozenset(declared))
    return changed, {**inputs, **declared}


def _caches(
    arrays: Mapping[Path, Any],
    inputs: Mapping[str, bx.Input],
    caches: Mapping[str, Sizes],
) -> list[Cache]:
    found: list[Cache] = []
    faults: list[Diagnostic] = []
    taken = set(inputs)
    for key, sizes in caches.items():
        own = [path for path in arrays if _ends_with(path, key)]
        if not own:
            faults.append(_unknown(key, arrays))
        groups = list(_groups({path: arrays[path] for path in own}))
        for name, paths in zip(_names(groups, taken), groups, strict=True):
            array = arrays[paths[0]]
            shape = _shape(sizes, jnp.shape(array))
            if shape is None:
                faults.append(_misfit(paths[0], sizes, jnp.shape(array)))
                continue
            stack = [len(paths)] if len(paths) > 1 else []
            dtype = "float" if array.dtype == jnp.float32 else str(array.dtype)
            found.append(Cache(name, paths, bx.Input([*stack, *shape], dtype)))
            taken.add(name)
    if listed := bounded(faults):
        raise bx.SpecError(listed)
    return found


def _ends_with(path: Path, key: str) -> bool:
    name = source_name(path)
    return name == key or name.endswith(f".{key}")


def _groups(arrays: Mapping[Path, Any]) -> Iterator[list[Path]]:
    """The arrays that are one input: those of layers in a row, all others alone."""
    alike: dict[Any, list[Path]] = {}
    for path, array in arrays.items():
        words = tuple(re.sub(r"\d+$", "", str(part)) for part in path)
        alike.setdefault((words, array.shape, str(array.dtype)), []).append(path)
    for paths in alike.values():
        ordered = sorted(paths, key=_numbers)
        if len(paths) > 1 and counting(ordered) is not None:
            yield ordered
        else:
            yield from ([path] for path in paths)


def _numbers(path: Path) -> list[int]:
    return [int(n) for part in path for n in re.findall(r"\d+$", str(part))]


def _names(groups: Sequence[Sequence[Path]], taken: set[str]) -> list[str]:
    """The last parts of paths, as many as tell the groups apart."""
    every = [_words(paths) for paths in groups]
    for count in range(1, max(map(len, every), default=0) + 1):
        names = [argument_name("_".join(words[-count:])) for words in every]
        if len({*names, *taken}) == len(names) + len(taken):
            return names
    found: list[str] = []
    for words in every:
        wanted = argument_name("_".join(words))
        found.append(fresh({*taken, *found}, wanted))
    return found


def _words(paths: Sequence[Path]) -> list[str]:
    """The parts of a path that all of these have."""
    columns = zip(*paths, strict=True)
    return [identifier(parts[0]) for parts in columns if len(set(parts)) == 1]


def _shape(sizes: Sizes, shape: Sequence[int]) -> list[int | str] | None:
    """The shape of a cache; None where the array has another one."""
    said = ["..." if size is ... else size for size in sizes]
    if said.count("...") > 1:
        return None
    if "..." in said:
        at = said.index("...")
        rest = list(shape[at : len(shape) - (len(said) - at - 1)])
        said[at : at + 1] = rest
    if len(said) != len(shape):
        return None
    fits = all(a == b or isinstance(a, str) for a, b in zip(said, shape, strict=True))
    return [s for s in said if not isinstance(s, EllipsisType)] if fits else None


def _unknown(key: str, arrays: Mapping[Path, Any]) -> Diagnostic:
    names = ", ".join(quote(source_name(path)) for path in list(arrays)[:20])
    return Diagnostic(
        "import-model",
        quote(key),
        f"expected the name of an array, or its end, found none among {names}",
        'caches={"cached_key": ["batch", "..."]}',
    )


def _misfit(path: Path, sizes: Sizes, shape: Sequence[int]) -> Diagnostic:
    return Diagnostic(
        "import-model",
        source_name(path),
        f"expected sizes, names of dims, and '...' for the others, of the shape "
        f"{tuple(shape)}, found {quote(list(sizes))}",
        "the caches that are given say all sizes that have no name",
    )


def _check_given(names: Collection[str], outputs: Mapping[str, Any]) -> None:
    lacking = (
        Diagnostic(
            "import-model",
            name,
            "expected an output of this name, which is the next value of the input, found "
            f"{', '.join(map(quote, outputs))}",
            'return {"out": out, "k": k} of the function',
        )
        for name in sorted(names)
        if name not in outputs
    )
    if listed := bounded(lacking):
        raise bx.SpecError(listed)


def _check_free(name: str, outputs: Mapping[str, Any]) -> None:
    if name in outputs:
        raise bx.SpecError.one(
            "import-model",
            name,
            "expected outputs with other names than caches, found one of this name",
            "rename that output, or the array",
        )
