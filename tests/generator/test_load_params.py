"""`load_params` of generated files: it takes the files that `bx.load` takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import jax.numpy as jnp
import pytest
from generator.array_cases import (
    CASES,
    assert_equal,
    assert_same,
    file_of,
    flattened,
    graph_of,
    params_of,
)
from safetensors.flax import save_file

import blox as bx


@pytest.mark.parametrize("case", CASES)
def test_a_folder_a_file_and_shards(case: str, tmp_path: Path) -> None:
    graph, params = graph_of(case), params_of(case)
    for name, size in (("one", None), ("shards", 200)):
        bx.save(tmp_path / name, graph, params, max_shard_size=size)
        assert assert_same(case, tmp_path / name)
        assert_equal(file_of(case)["load_params"](tmp_path / name), params)
        assert_equal(file_of(case)["load_params"](str(tmp_path / name)), params)
    file = tmp_path / "one" / "params.safetensors"
    assert_equal(file_of(case)["load_params"](file), params)


ALIKE = [
    *([f"nested_{i}" for i in ("00", "01", "10", "11")],),
    ["whole_0", "whole_1"],
    ["scanned", "listed"],
]


@pytest.mark.parametrize(
    ("here", "there"), [(a, b) for cases in ALIKE for a in cases for b in cases]
)
def test_copies_lie_in_lists_or_on_axes(here: str, there: str, tmp_path: Path) -> None:
    bx.save(tmp_path, graph_of(there), params_of(there))
    assert assert_same(here, tmp_path)


def mutants(flat: dict[str, Any], random: Random) -> Iterator[dict[str, Any]]:
    """A file with one fault, or with none that matters."""
    name = random.choice(list(flat))
    array = flat[name]
    rest = {k: v for k, v in flat.items() if k != name}
    parts = name.split(".")
    yield rest
    yield {**flat, "more": array}
    yield {**flat, f"{name}.more": array}
    yield {**rest, ".".join([*parts[:-1], "other"]): array}
    yield {**rest, name: array[None]}
    yield {**rest, name: jnp.concatenate([array.ravel(), array.ravel()])}
    if array.ndim:
        yield {**rest, name: jnp.concatenate([array, array])}
        yield {**rest, **{f"{name}.{i}": part for i, part in enumerate(array)}}
        at = random.randrange(1, len(parts) + 1)
        numbered = (".".join([*parts[:at], str(i), *parts[at:]]) for i in range(9))
        yield {**rest, **dict(zip(numbered, array, strict=False))}
        yield {**flat, **dict(zip(numbered, array, strict=False))}
    for dtype in ("int32", "bfloat16", "float16", "uint32", "bool"):
        yield {**rest, name: array.astype(dtype)}
    numbers = [i for i, p in enumerate(parts) if p.isdigit()]
    if numbers:
        at = random.choice(numbers)
        yield {**rest, ".".join(p for i, p in enumerate(parts) if i != at): array}
        yield {**rest, ".".join([*parts[:at], "9", *parts[at + 1 :]]): array}
        yield {**rest, ".".join([*parts[:at], "00", *parts[at + 1 :]]): array}


FAULTS = [c for c in CASES if c != "nothing"]


@pytest.mark.parametrize("case", FAULTS)
def test_the_same_files_are_refused(case: str, tmp_path: Path) -> None:
    random = Random(case)
    flat = dict(flattened(params_of(case)))
    place = tmp_path / "params.safetensors"
    taken = 0
    for _ in range(2):
        for tensors in mutants(flat, random):
            save_file(dict(tensors), place)
            taken += assert_same(case, tmp_path)
    assert taken < 12
