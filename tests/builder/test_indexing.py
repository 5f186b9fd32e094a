"""`x[i]` with values for indices: what `jax.numpy` gives, in model and generated file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from generated_files import executed

import blox as bx
from blox.schema import Graph

X = jnp.arange(60.0).reshape(5, 4, 3)
ROW = jnp.array([0, -1, 9, -9])
TABLE = jnp.array([[1, 2], [-1, 7]])


def graph_of(act: Callable[..., Any], *indices: Any) -> Graph:
    b = bx.GraphBuilder("model")
    names = "ijk"[: len(indices)]
    given = {
        name: bx.Input(list(i.shape), str(i.dtype))
        for name, i in zip(names, indices, strict=True)
    }

    mains: list[Callable[..., Any]] = [
        lambda f, x, i: act(x, i),
        lambda f, x, i, j: act(x, i, j),
        lambda f, x, i, j, k: act(x, i, j, k),
    ]
    main = mains[len(indices) - 1]
    main.__name__ = "main"
    b.entry(x=bx.Input(["n", 4, "m"]), **given)(main)
    return b.graph()


CASES: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (lambda x, i: x[i], (ROW,)),
    (lambda x, i: x[i], (TABLE,)),
    (lambda x, i: x[i], (jnp.int32(-1),)),
    (lambda x, i: x[i], (jnp.array([1, 7], jnp.uint8),)),
    (lambda x, i: x[:, i], (TABLE,)),
    (lambda x, i: x[..., i], (ROW,)),
    (lambda x, i: x[1:, i, ::-1], (ROW,)),
    (lambda x, i: x[i, ..., :2], (TABLE,)),
    (lambda x, i, j: x[i, j], (ROW, ROW[::-1])),
    (lambda x, i, j, k: x[i, j, k], (TABLE, TABLE, TABLE)),
]


@pytest.mark.parametrize(("act", "indices"), CASES)
def test_as_jax_has_it(act: Callable[..., Any], indices: tuple[Any, ...]) -> None:
    graph = graph_of(act, *indices)
    wanted = act(X, *indices)
    model = executed(bx.generate(graph))["model"]
    for found in (bx.build(graph)({}, X, *indices)[0], model({}, X, *indices)):
        assert found.shape == wanted.shape
        np.testing.assert_array_equal(found, wanted)


def test_the_file_reads_well() -> None:
    assert (
        "i = jnp.where(i < 0, i + x.shape[0], i)\n"
        '    return jnp.take(x, i, axis=0, mode="clip")\n'
    ) in bx.generate(graph_of(lambda x, i: x[i], ROW))


REFUSED: list[tuple[Callable[..., Any], Any, str]] = [
    (lambda x, i: x[i], ROW > 0, "expected integers between the brackets, found bool; "
     "f.where"),
    (lambda x, i: x[i], jnp.ones(2), "expected integers .*, found float32"),
    (lambda x, i: x[0, :, i], ROW, r"found 0, :, int32\[4\]; index in steps"),
    (lambda x, i: x[:, i, i], ROW, "expected one value among slices, or values of one"),
    (lambda x, i: x[i, i[:, None]], ROW, r"found int32\[4\], int32\[4, 1\], :; index in"),
    (lambda x, i: x[i, None], ROW, "expected values and slices .*, found None"),
    (lambda x, i: x[..., i, ...], ROW, "found ... twice"),
    (lambda x, i: x[i, i, i, i], ROW, "expected at most 3 parts .*, found 4"),
    (lambda x, i: x[i:], ROW, "x.i.; f.dynamic_slice takes computed starts"),
]  # fmt: skip


@pytest.mark.parametrize(("act", "index", "text"), REFUSED)
def test_what_has_no_plain_meaning(
    act: Callable[..., Any], index: Any, text: str
) -> None:
    with pytest.raises(bx.SpecError, match=text):
        graph_of(act, index)
