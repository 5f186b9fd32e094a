"""One table of dtypes: sizes as NumPy and ml_dtypes have them, and what counts by it."""

from __future__ import annotations

import jax
import ml_dtypes
import numpy as np
import pytest
from sample_specs import spec

import blox as bx
from blox.schema import Graph
from blox.schema.dtypes import StoredDType
from blox.weights.dtypes import FROM_JAX, ITEMSIZE, SAFETENSORS, nbytes_of

BITS = {"int2": 2, "uint2": 2, "int4": 4, "uint4": 4, "float4_e2m1fn": 4}
ODD = 15


@pytest.mark.parametrize("name", ITEMSIZE)
def test_sizes(name: str) -> None:
    dtype = np.dtype(getattr(ml_dtypes, name, None) or name)
    assert ITEMSIZE[name] == dtype.itemsize
    assert nbytes_of(name, ODD) == np.zeros(ODD, dtype).nbytes
    assert SAFETENSORS[FROM_JAX[name]] == (name, dtype.itemsize)


@pytest.mark.parametrize("name", BITS)
def test_sizes_below_a_byte(name: str) -> None:
    info = ml_dtypes.iinfo if "int" in name else ml_dtypes.finfo
    assert info(getattr(ml_dtypes, name)).bits == BITS[name]
    assert nbytes_of(name, ODD) == -(-ODD * BITS[name] // 8)


def test_dtypes_of_the_format_can_be_stored() -> None:
    concrete = set(StoredDType.__args__) - {"float"}  # type: ignore[attr-defined]
    assert concrete <= set(ITEMSIZE)


@pytest.mark.parametrize("name", [*sorted(ITEMSIZE), *BITS])
def test_summary_counts_by_it(name: str) -> None:
    nodes = {"w": {"op": "param", "shape": [3, 5]}}
    graph = Graph.parse(spec(nodes, {"y": "w"}, inputs={}))
    dtype = np.dtype(getattr(ml_dtypes, name, None) or name)
    with jax.enable_x64(True):
        shapes = {"w": jax.ShapeDtypeStruct((3, 5), dtype)}
    assert bx.summary(graph, shapes).nbytes == nbytes_of(name, ODD)
    assert bx.summary(graph).nbytes == 4 * ODD
