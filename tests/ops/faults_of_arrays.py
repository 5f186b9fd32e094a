"""Attributes of ops of arrays that make no sense, and what is said of each."""

from __future__ import annotations

from typing import Any

MEL = {"op": "mel_filter_bank", "num_frequencies": 1025, "num_mels": 80}
MEL |= {"sample_rate": 8e3, "high": 4e3, "scale": "htk", "norm": "none"}
PLANE = {"op": "histogram2d", "x": "x", "y": "y", "bins": [2, 2]}
FAULTS: list[tuple[dict[str, Any], str]] = [
    (
        {"op": "dequantize", "shape": [4, 2], "scale_shape": [4]},
        "scale_shape: expected the sizes of [4, 2], or 1 in place of some, found [4]",
    ),
    (
        {"op": "dequantize", "shape": [4, 2], "scale_shape": [4, 3]},
        "scale_shape: expected the sizes of [4, 2], or 1 in place of some, found [4, 3]",
    ),
    (
        {"op": "vander", "x": "x", "n": 5000},
        "n: expected at most 4096, found 5000",
    ),
    (
        {"op": "unwrap", "x": "x", "period": 0.0},
        "period: expected a number above 0, found 0.0",
    ),
    (
        {"op": "meshgrid", "xs": ["x", "y"], "names": ["u"], "indexing": "ij"},
        "names: expected 2 names, found 1",
    ),
    (
        {"op": "unravel_index", "indices": "i", "names": ["u", "u"], "shape": [2, 3]},
        "names: expected at least one name, each once",
    ),
    (
        {"op": "unravel_index", "indices": "i", "names": ["u"], "shape": [2**31]},
        "shape: expected fewer than 2**31 elements, found 2147483648",
    ),
    (
        {"op": "ravel_multi_index", "xs": ["x"], "dimensions": [2, 3]},
        "dimensions: expected 1, one for each of xs, found 2",
    ),
    (
        {"op": "indices", "dimensions": [2**16, 2**16]},
        "dimensions: expected at most 2**31 elements, found 8589934592",
    ),
    (
        PLANE | {"low": [0.0], "high": [1.0, 1.0]},
        "low: expected one for x and one for y, found [0.0]",
    ),
    (
        PLANE | {"low": [0.0, 1.0], "high": [1.0, 1.0]},
        "high: expected a number above low, 1.0, found 1.0",
    ),
    (MEL | {"num_mels": 2**14}, "num_mels: expected at most 2**23 weights, found 16"),
    (MEL | {"low": 4000.0}, "high: expected a number above low, 4000.0, found 4000.0"),
    (MEL | {"low": -1.0}, "low: expected a number of at least 0, found -1.0"),
    (MEL | {"sample_rate": 0.0}, "sample_rate: expected a number above 0, found 0"),
    (
        {"op": "hanning", "size": 2**32, "periodic": True},
        "size: expected at most 2**31 elements, found 4294967296",
    ),
    (
        {"op": "bernoulli", "key": "k", "shape": [1], "p": 1.5},
        "p: expected a number from 0 to 1, found 1.5",
    ),
    (
        {"op": "zeros", "shape": [2**20, 2**20], "dtype": "float"},
        "shape: expected at most 2**31 elements, found 1099511627776",
    ),
    (
        {"op": "random_normal", "key": "k", "shape": [2**32], "dtype": "float"},
        "shape: expected at most 2**31 elements, found 4294967296",
    ),
    (
        {"op": "dynamic_slice", "x": "x", "start": [0], "size": [1, 2], "axis": [0]},
        "size: expected 1, one for each axis, found 2",
    ),
    (
        {"op": "dynamic_update_slice", "x": "x", "update": "u", "start": [0, 0]}
        | {"axis": [1, 1]},
        "axis: expected each axis once, found [1, 1]",
    ),
    ({"op": "eye", "rows": 2**16, "columns": 2**16}, "rows: expected at most 2**31"),
    ({"op": "eye", "rows": 2**16}, "rows: expected at most 2**31"),
    (
        {"op": "linspace", "start": 0.0, "stop": 1.0, "num": 2**32},
        "num: expected at most 2**31 elements, found 4294967296",
    ),
    ({"op": "arange", "stop": 2**40}, "stop: expected at most 2**31 elements"),
    (
        {"op": "arange", "start": -(2**63), "stop": 2**63 - 1},
        "stop: expected at most 2**31 elements, found an integer of 64 bits",
    ),
    (
        {"op": "arange", "stop": 4, "step": 0},
        "step: expected an integer other than 0, found 0",
    ),
    ({"op": "tile", "x": "x", "reps": [2**31, 2]}, "reps: expected at most 2**31"),
    (
        {"op": "repeat_elements", "x": "x", "repeats": 2**33, "axis": 0},
        "repeats: expected at most 2**31",
    ),
    (
        {"op": "one_hot", "x": "x", "num_classes": 2**32},
        "num_classes: expected at most 2**31",
    ),
    (
        {"op": "pad", "x": "x", "pad_width": [[2**20, 0], [0, 2**20]]},
        "pad_width: expected at most 2**31",
    ),
    (
        {"op": "pad", "x": "x", "pad_width": [[1]]},
        "pad_width: expected pairs [before, after], found [[1]]",
    ),
    (
        {"op": "broadcast_to", "x": "x", "shape": [2**32]},
        "shape: expected at most 2**31",
    ),
    (
        {"op": "reshape", "x": "x", "shape": [2, "..."]},
        "shape: expected `...` in front of all sizes",
    ),
    (
        {"op": "reshape", "x": "x", "shape": [-1, -1]},
        "shape: expected sizes, of which one may be -1, found [-1, -1]",
    ),
    (
        {"op": "reshape", "x": "x", "shape": ["...", 0, -1]},
        "shape: expected sizes above 0 beside -1, found [0, -1]",
    ),
    (
        {"op": "transpose", "x": "x", "permutation": [0, 0]},
        "permutation: expected each of 2 axes once, found [0, 0]",
    ),
    (
        {"op": "split", "x": "x", "names": ["a", "b"], "sections": 3, "axis": 0},
        "names: expected 3, one for each part, found 2",
    ),
    (
        {"op": "split", "x": "x", "names": ["a", "a"], "axis": 0},
        "names: expected at least one name, each once",
    ),
    (
        {"op": "roll", "x": "x", "shift": [1], "axis": [0, 1]},
        "shift: expected 2, one an axis, found [1]",
    ),
    (
        {"op": "sum", "x": "x", "axis": [1, 1]},
        "axis: expected each axis once, found [1, 1]",
    ),
    (
        {"op": "norm", "x": "x", "ord": 0},
        "ord: expected a number above 0, found 0",
    ),
    (
        {"op": "median", "x": "x", "axis": [0, 0]},
        "axis: expected each axis once, found [0, 0]",
    ),
    (
        {"op": "quantile", "x": "x", "q": 1.5},
        "q: expected a number from 0 to 1, found 1.5",
    ),
    (
        {"op": "multigammaln", "x": "x", "d": 2000},
        "d: expected at most 1024, found 2000",
    ),
    ({"op": "diff", "x": "x", "n": 65}, "n: expected at most 64, found 65"),
    (
        {"op": "matrix_power", "x": "x", "n": -1025},
        "n: expected -1024 to 1024, found -1025",
    ),
    (
        {"op": "bincount", "x": "x", "length": 2**32},
        "length: expected at most 2**31 elements, found 4294967296",
    ),
    (
        {"op": "histogram", "x": "x", "bins": 2**25, "low": 0.0, "high": 1.0},
        "bins: expected at most 2**24, found 33554432",
    ),
    (
        {"op": "histogram", "x": "x", "bins": 4, "low": 1.0, "high": 1.0},
        "high: expected a number above low, 1.0, found 1.0",
    ),
    ({"op": "index", "x": "x", "at": "::0"}, "at: expected a step other than 0"),
    (
        {"op": "einsum", "xs": ["a"], "equation": "ij"},
        "equation: expected subscripts such as `...ij,...jk->...ik`",
    ),
    (
        {"op": "einsum", "xs": ["a"], "equation": "ij,jk->ik"},
        "equation: expected 1 terms, one for each of xs, found 2",
    ),
    (
        {"op": "einsum", "xs": ["a"], "equation": "ij->ik"},
        "equation: index 'k' of the output is in no input",
    ),
]
