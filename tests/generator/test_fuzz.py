"""Random Graphs: file and loader are one program, and the file is as a person's."""

from __future__ import annotations

import ast
import os

import pytest
from generated_files import assert_same_program
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


def files() -> dict[str, str]:
    """Those that `test_clean` checks, of other Graphs than the loader is compared with."""
    seeds = range(GRAPHS, 2 * GRAPHS)
    return {str(seed): bx.generate(random_graph(seed)) for seed in seeds}


def assert_all_used(source: str) -> None:
    """No function is carried over that nothing calls, but for those of users."""
    tree = ast.parse(source)
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    functions = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
    entries = {"model", "second", "init_params", "load_params"}
    assert functions - used <= entries
