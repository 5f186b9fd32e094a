"""The engine at concrete sizes against a trace of the loaded model as a whole."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from random_graphs import random_graph
from traced_shapes import compare

from blox.schema import Graph, SpecError


def changed(graph: Graph, random: Random) -> Graph | None:
    """With another number in one place of a node; None where that is no Graph."""
    data = graph.plain()
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(part, (dict, list)):
                walk(part)
            elif isinstance(part, int) and not isinstance(part, bool):
                places.append((value, key))

    walk(data["functions"])
    value, key = random.choice(places)
    value[key] += random.choice([1, 2, -1])
    try:
        made = Graph.parse(data)
        made.program()
    except SpecError:
        return None
    return made


@pytest.mark.parametrize("seed", range(12))
def test_random_graphs(seed: int) -> None:
    assert not compare(random_graph(seed), train=seed % 2 == 1)


def test_random_graphs_with_another_number() -> None:
    failed = []
    for seed in range(30):
        graph = changed(random_graph(seed), Random(seed))
        if graph is not None:
            failed.append(compare(graph, train=False))
    assert any(failed)
    assert not all(failed)
