"""One CNN, one LSTM and one transformer of six libraries: in, the same numbers, and back."""

from __future__ import annotations

import importlib
from itertools import product
from typing import Any

import jax
import numpy as np
import pytest
from parity.mapping.graphs import PIXELS, TOKENS, Case

import blox as bx
from blox.mapping.reading import describe, host_array
from blox.mapping.trees import named

pytestmark = pytest.mark.parity
LIBRARIES = ("torch", "linen", "nnx", "equinox", "haiku", "keras")
MODELS = ("cnn", "lstm", "transformer")
CASES = list(product(LIBRARIES, MODELS))


@pytest.mark.parametrize(("library", "model"), CASES)
def test_the_same_numbers_and_back_the_same_bits(library: str, model: str) -> None:
    module = importlib.import_module(f"parity.mapping.of_{library}")
    theirs: Case = getattr(module, model)()
    params = bx.map_params(theirs.graph, theirs.tree, theirs.rules)
    found, _ = bx.build(theirs.graph)(params, PIXELS if model == "cnn" else TOKENS)
    np.testing.assert_allclose(found, np.asarray(theirs.wanted), rtol=0, atol=1e-5)
    back = bx.unmap_params(theirs.graph, params, theirs.rules, like=theirs.tree)
    given, returned = (named(tree).arrays for tree in (theirs.tree, back))
    assert returned.keys() == given.keys()
    for name, array in given.items():
        assert describe(returned[name]) == describe(array), name
        assert bits(returned[name]) == bits(array), name
    check_suggestion(library, model, theirs)


def bits(array: Any) -> bytes:
    return host_array(array).tobytes()


ASKED = {
    ("torch", "cnn"): ["out.kernel"],
    ("torch", "transformer"): ["embed.embedding"],
    ("equinox", "cnn"): ["out.kernel"],
}
"""What is open with the library named: the order of pixels, tied arrays."""
WITHOUT = {
    ("torch", "lstm"): ["lstm"],
    ("linen", "lstm"): ["lstm"],
    ("nnx", "lstm"): ["lstm"],
    ("equinox", "cnn"): ["norm"],
    ("haiku", "cnn"): ["norm"],
}
"""What is written otherwise there, by where it begins: a gate an array, a cell of maps."""


def check_suggestion(library: str, model: str, theirs: Case) -> None:
    """What is suggested is right, or a question."""
    asked, without = (t.get((library, model), []) for t in (ASKED, WITHOUT))
    found = bx.suggest_rules(theirs.graph, theirs.tree, of=library)
    assert [question.ours for question in found.questions] == asked
    rules = [rule for rule in found.rules if isinstance(rule, bx.Rule)]
    ours = [name for rule in rules for name in rule.ours]
    assert len(ours) + len(asked) + len(found.without) == len(bx.leaves(theirs.graph))
    starts = {name[: len(start)] for name in found.without for start in without}
    assert starts == set(without)
    assert bool(found.unused) == bool(without)
    for of in (library, None):
        suggested = bx.suggest_rules(theirs.graph, theirs.tree, of=of)
        assert agrees(theirs, list(suggested.rules))
        for question in suggested.questions:
            assert any(agrees(theirs, [choice]) for choice in question.choices)


def agrees(theirs: Case, rules: list[Any]) -> bool:
    """True where rules, put before the right ones, change nothing."""
    wanted = bx.map_params(theirs.graph, theirs.tree, theirs.rules)
    ignored = bx.Ignored("**")  # of two tied names one alone
    found = bx.map_params(theirs.graph, theirs.tree, [*rules, *theirs.rules, ignored])
    same = jax.tree.map(lambda a, b: bits(a) == bits(b), found, wanted)
    return all(jax.tree.leaves(same))
