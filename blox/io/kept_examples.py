"""Examples of a model that was changed: what holds stays, other outputs are computed."""

from __future__ import annotations

from typing import Any, NamedTuple

from blox.schema import BloxError, Graph
from blox.weights import Headers

from .contract import arrays_of, differences, outputs_of
from .examples import Example, Stored


class Kept(NamedTuple):
    """The examples of a changed model.

    Attributes:
        examples: with the outputs that they had, where the model still gives them, and
            all of its own otherwise.
        held: how many of them are as they were.
        left_out: a line for each example that the model doesn't take.
    """

    examples: list[Example]
    held: int
    left_out: list[str]


def kept_examples(
    old: Graph, headers: Headers, stored: list[Stored], graph: Graph, params: Any
) -> Kept:
    """The examples of a model for what was made of it.

    Args:
        old: the model that has them.
        headers: of the file that they are in.
        stored: what it says.
        graph: the model that was made of it.
        params: of that.

    Raises:
        WeightsError: an array can't be read.
    """
    examples: list[Example] = []
    held, left_out = 0, list[str]()
    for number, example in enumerate(stored):
        inputs, wanted = arrays_of(old, headers, example)
        try:
            found = outputs_of(graph, params, example.entry, inputs)
        except BloxError as error:
            left_out.append(f"example {number}: {error.diagnostics[0]}")
            continue
        holds = found.keys() >= wanted.keys() and not any(
            text
            for name, expected in wanted.items()
            for text in differences(found[name], expected, example.tolerance)
        )
        held += holds
        outputs = wanted if holds else found
        examples.append(Example(inputs, outputs, example.tolerance, example.entry))
    return Kept(examples, held, left_out)
