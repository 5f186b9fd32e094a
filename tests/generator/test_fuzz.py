"""Random Graphs: file and loader are one program, and the file is as a person's."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest
from generated_files import assert_same_program, assert_tidy, assert_typed
from random_graphs import random_graph

import blox as bx
from blox.schema import from_bytes, to_msgpack

GRAPHS = int(os.environ.get("BLOX_FUZZ_GRAPHS", "40"))
"""Set it to 5000 for a long run."""
BATCHES = 4


@pytest.mark.parametrize("batch", range(BATCHES))
def test_file_and_loader_are_one_program(batch: int) -> None:
    for seed in range(batch, GRAPHS, BATCHES):
        graph = random_graph(seed)
        source = bx.generate(graph)
        assert bx.generate(from_bytes(to_msgpack(graph))) == source
        assert_all_used(source)
        assert_same_program(graph, source)


def test_files_are_tidy_and_typed(tmp_path: Path) -> None:
    seeds = range(GRAPHS, 2 * GRAPHS)
    sources = {f"f{seed}": bx.generate(random_graph(seed)) for seed in seeds}
    assert_tidy(sources, tmp_path)
    assert_typed(sources, tmp_path)


def assert_all_used(source: str) -> None:
    """No function is carried over that nothing calls, but for those of users."""
    tree = ast.parse(source)
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    functions = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
    entries = {"model", "second", "init_params", "load_params"}
    assert functions - used <= entries
