"""One CNN, one LSTM and one transformer of six libraries: in, the same numbers, and back."""

from __future__ import annotations

import importlib
from functools import cache
from itertools import product
from typing import Any

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


@cache
def case(library: str, model: str) -> Case:
    module = importlib.import_module(f"parity.mapping.of_{library}")
    made: Case = getattr(module, model)()
    return made


@pytest.mark.parametrize(("library", "model"), CASES)
def test_the_same_numbers_and_back_the_same_bits(library: str, model: str) -> None:
    theirs = case(library, model)
    params = bx.map_params(theirs.graph, theirs.tree, theirs.rules)
    found, _ = bx.build(theirs.graph)(params, PIXELS if model == "cnn" else TOKENS)
    np.testing.assert_allclose(found, np.asarray(theirs.wanted), rtol=0, atol=1e-5)
    back = bx.unmap_params(theirs.graph, params, theirs.rules, like=theirs.tree)
    given, returned = (named(tree).arrays for tree in (theirs.tree, back))
    assert returned.keys() == given.keys()
    for name, array in given.items():
        assert describe(returned[name]) == describe(array), name
        assert bits(returned[name]) == bits(array), name


def bits(array: Any) -> bytes:
    return host_array(array).tobytes()
