"""Files whose copies are stacked here and numbered there: loader and file read the same.

Where a place for copies is numbered for some arrays and not for others, both refuse.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from generator.array_cases import CASES, assert_same, flattened, graph_of, params_of
from safetensors.numpy import save_file

Key = tuple[str | int, ...]
"""A path whose copies, until it is decided how they lie, are numbered by integers."""
Decide = Callable[[Key, Key], bool]
"""Whether the copies between the two parts of a path are stacked."""

NESTS = [c for c in CASES if c not in ("plain", "drawing", "nothing")]


def one_by_one(case: str) -> dict[Key, Any]:
    """Every copy of every array on its own."""
    leaves = graph_of(case).program().leaves()
    found: dict[Key, Any] = {}
    for path, array in flattened(params_of(case)):
        names: Key = tuple(int(p) if p.isdigit() else p for p in path.split("."))
        cuts = [len(names) - below for below in leaves[path].below]
        array = np.asarray(array)
        for at in np.ndindex(array.shape[: len(cuts)]):
            key = names
            for cut, number in reversed([*zip(cuts, at, strict=True)]):
                key = (*key[:cut], number, *key[cut:])
            found[key] = np.asarray(array[at])
    return found


def laid_out(copies: dict[Key, Any], decide: Decide) -> dict[str, Any]:
    """The copies, innermost first, stacked or numbered."""
    done: dict[str, Any] = {}
    while copies:
        groups: dict[tuple[Key, Key], dict[int, Any]] = {}
        for key, array in copies.items():
            places = [i for i, part in enumerate(key) if isinstance(part, int)]
            if not places:
                done[".".join(map(str, key))] = array
                continue
            before, number, after = (
                key[: places[-1]],
                key[places[-1]],
                key[places[-1] + 1 :],
            )
            groups.setdefault((before, after), {})[int(number)] = array
        copies = {}
        for (before, after), group in groups.items():
            arrays = [group[i] for i in sorted(group)]
            alike = len({a.shape for a in arrays}) == 1
            if alike and decide(before, after):
                copies[(*before, *after)] = np.stack(arrays)
            else:
                copies |= {(*before, str(i), *after): a for i, a in group.items()}
    return done


def decisions(random: Random) -> Iterator[Decide]:
    """For each place, for each copy around it, for each array, or at random."""
    salt = random.random()

    def chance(*key: object) -> bool:
        return zlib.crc32(repr((salt, *key)).encode()) % 2 == 0

    def bare(key: Key) -> Key:
        return tuple(p for p in key if isinstance(p, str) and not p.isdigit())

    yield lambda before, after: chance(bare(before))
    yield lambda before, after: chance(before)
    yield lambda before, after: chance(bare(before), after)
    yield lambda before, after: chance(before, after)


@pytest.mark.parametrize("case", NESTS)
def test_odd_layouts_are_read_alike(case: str, tmp_path: Path) -> None:
    random = Random(case)
    copies = one_by_one(case)
    place = tmp_path / "params.safetensors"
    taken = 0
    for _ in range(6):
        for decide in decisions(random):
            save_file(laid_out(dict(copies), decide), place)
            taken += assert_same(case, tmp_path)
    assert taken >= 4


@pytest.mark.parametrize("case", NESTS)
def test_odd_layouts_with_a_fault_are_refused_alike(case: str, tmp_path: Path) -> None:
    random = Random(case)
    copies = one_by_one(case)
    place = tmp_path / "params.safetensors"
    for _ in range(2):
        for decide in decisions(random):
            tensors = laid_out(dict(copies), decide)
            other = laid_out(dict(copies), next(decisions(random)))
            name = random.choice(list(tensors))
            for change in (
                {name: None},
                {name: tensors[name].astype(np.float16)},
                {random.choice(list(other)): tensors[name]},
                {name: np.concatenate([tensors[name][None]] * 2)},
            ):
                changed: dict[str, Any] = {**tensors, **change}
                save_file({k: v for k, v in changed.items() if v is not None}, place)
                assert_same(case, tmp_path)
