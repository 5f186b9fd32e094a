"""Mutants of the repository's own models: plain data with one to three things changed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

from mutants import extremes, structure, values
from mutants.finding import Data

TESTS = Path(__file__).parents[1]
BASES = [
    *sorted((TESTS / "models").glob("*.json")),
    TESTS / "spec" / "golden.json",
    TESTS.parent / "blox" / "demo_data" / "graph.json",
    *[TESTS / "mutants" / "many_ops.json"] * 3,
]
SMALL = {
    "minilm": {"vocab": 50, "width": 8, "depth": 2, "heads": 2, "hidden": 16,
               "context": 16},
    "tiny_gpt": {"vocab": 32, "width": 8, "depth": 2, "heads": 2},
}  # fmt: skip
"""Attributes of models that would otherwise take long to run."""

KINDS: list[Callable[[Data, random.Random], None]] = [
    values.a_number,
    values.a_text,
    values.a_list,
    values.an_op,
    values.an_op,
    structure.a_reference,
    values.a_dropped_field,
    values.a_field,
    values.a_field,
    structure.a_swap,
    structure.a_copy,
    structure.a_node_gone,
    values.bounds,
    values.a_flag,
    values.an_optional_parameter,
    structure.an_optional_input,
    values.a_dtype,
    values.a_loop,
    values.an_attribute,
    structure.a_rename,
    structure.a_rename,
    structure.a_function_name,
    values.a_literal,
    structure.a_shared_parameter,
    structure.a_node_between,
    structure.a_node_between,
    structure.an_output,
    structure.an_output_object,
    *extremes.KINDS,
]
LAST = (
    values.a_dropped_field,
    extremes.an_extreme,
    extremes.an_extreme_anywhere,
    extremes.a_nested_list,
    extremes.a_body,
    structure.an_output_object,
)


@cache
def base(file: Path) -> str:
    data = json.loads(file.read_text(encoding="utf-8"))
    data.setdefault("attributes", {}).update(SMALL.get(file.stem, {}))
    if file.stem == "golden":  # its shapes are those of no model
        data["functions"]["main"]["nodes"]["total"]["axis"] = 0
    return json.dumps(data)


def mutant(seed: int) -> Data:
    """The mutant of a number: the same one on every machine."""
    draw = random.Random(seed)
    text = base(BASES[seed % len(BASES)])
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        kind = KINDS[0]
        for _ in range(50):  # until one finds something to change
            changed, kind = json.loads(text), draw.choice(KINDS)
            kind(changed, draw)
            after = json.dumps(changed)
            if after != text:  # order and types count
                text = after
                break
        if kind in LAST:
            break  # the others count on what is always there
    data: Data = json.loads(text)
    return data
