"""Attributes that make no sense are refused, by name, before anything is computed."""

from __future__ import annotations

from typing import Any

import pytest
from ops import faults_of_arrays, faults_of_layers
from ops.calling import NODE
from ops.faults_of_layers import CONV
from pydantic import ValidationError

from blox.schema.expressions import ExpressionError

FAULTS = [*faults_of_layers.FAULTS, *faults_of_arrays.FAULTS]
CONV = {"op": "conv", "x": "x", "in_features": 4, "out_features": 8}
POOL = {"op": "max_pool", "x": "x", "window": [2, 2]}
MEL = {"op": "mel_filter_bank", "num_frequencies": 1025, "num_mels": 80}
MEL |= {"sample_rate": 8e3, "high": 4e3, "scale": "htk", "norm": "none"}
RESIZE = {
    "op": "resize",
    "x": "x",
    "sizes": [2],
    "method": "linear",
    "antialias": False,
}
HEADS = {"op": "einsum_linear", "x": "x", "kernel_shape": [4, 2, 3]}
PLANE = {"op": "histogram2d", "x": "x", "y": "y", "bins": [2, 2]}
FAULTS: list[tuple[dict[str, Any], str]] = [
    (
        HEADS | {"equation": "...d,d...->..."},
        "equation: expected two terms and what they give, as in `...d,dhk->...hk`",
    ),
    (
        HEADS | {"equation": "...d,dhk->hk"},
        "equation: expected two terms and what they give, as in `...d,dhk->...hk`",
    ),
    (
        HEADS | {"equation": "dd,dhk->hk"},
        "equation: expected each letter once in a term",
    ),
    (
        HEADS | {"equation": "...d,dhk->...h"},
        "equation: expected 'k' in two of its three terms",
    ),
    (
        HEADS | {"equation": "...d,dh->...h"},
        "kernel_shape: expected 2, one for each axis of the kernel, found 3",
    ),
    (
        HEADS | {"equation": "td,dhk->hkt"},
        "use_bias: expected false, as the last axis of y is none of the kernel's, found",
    ),
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
    (CONV, "kernel_size: expected a size for each spatial axis, found none"),
    (CONV | {"kernel_size": [1] * 4}, "kernel_size: expected 1 to 3 sizes, found 4"),
    (CONV | {"kernel_size": [3], "groups": 8}, "in_features: expected a multiple of 8"),
    (
        CONV | {"kernel_size": [3], "strides": [1, 1]},
        "strides: expected 1, one a spatial axis, found [1, 1]",
    ),
    (
        CONV | {"kernel_size": [3], "padding": [[1, 1, 1]]},
        "padding: expected pairs [before, after], found [[1, 1, 1]]",
    ),
    (POOL | {"padding": [[0, 2], [0, 0]]}, "padding: expected less than the window"),
    (POOL | {"strides": [2]}, "strides: expected 2, one a spatial axis, found [2]"),
    (
        {"op": "adaptive_avg_pool", "x": "x", "sizes": [2**20]},
        "sizes: expected at most 256 in all, found [1048576]",
    ),
    (POOL | {"dilation": [2]}, "dilation: expected 2, one a spatial axis, found [2]"),
    (
        POOL | {"op": "lp_pool", "power": 0.5},
        "power: expected a number of at least 1, found 0.5",
    ),
    (
        CONV | {"op": "conv_transpose", "kernel_size": [3], "output_padding": [1, 1]},
        "output_padding: expected 1, one a spatial axis, found [1, 1]",
    ),
    (
        RESIZE | {"antialias": True, "method": "nearest"},
        "antialias: expected false for nearest and half_pixel, found True",
    ),
    (
        RESIZE | {"method": "lanczos3", "coordinates": "align_corners"},
        "coordinates: expected half_pixel for lanczos3, found 'align_corners'",
    ),
    (
        RESIZE | {"sizes": []},
        "sizes: expected a size for each spatial axis, found none",
    ),
    (
        {"op": "affine_grid", "theta": "t", "sizes": [2] * 4, "align_corners": False},
        "sizes: expected 1 to 3 sizes, found 4",
    ),
    (
        {"op": "roi_align", "x": "x", "boxes": "b", "sizes": [2]},
        "sizes: expected a height and a width, found [2]",
    ),
    (
        {"op": "roi_align", "x": "x", "boxes": "b", "sizes": [2, 2]}
        | {"sampling_ratio": 65},
        "sampling_ratio: expected at most 64, found 65",
    ),
    (
        {"op": "local_response_norm", "x": "x", "size": 3, "k": 0.0},
        "k: expected a number above 0, found 0",
    ),
    (
        {"op": "im2col", "x": "x", "window": [2], "padding": [[1]]},
        "padding: expected pairs [before, after], found [[1]]",
    ),
    (
        {"op": "col2im", "x": "x", "window": [2], "sizes": [2, 2]},
        "sizes: expected 1, one a spatial axis, found [2, 2]",
    ),
    (
        {"op": "max_pool_with_indices", "x": "x", "window": [2], "padding": [[0, 2]]},
        "padding: expected less than the window, found [0, 2]",
    ),
    (
        {"op": "window_merge", "x": "x", "window": [2, 2], "sizes": [4, 5]},
        "sizes: expected to be divided by [2, 2], found [4, 5]",
    ),
    (
        {"op": "depth_to_space", "x": "x", "block": [], "order": "DCR"},
        "block: expected",
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
        {"op": "dropout", "x": "x", "rate": 1.0},
        "rate: expected at least 0 and below 1, found 1.0",
    ),
    (
        {"op": "bernoulli", "key": "k", "shape": [1], "p": 1.5},
        "p: expected a number from 0 to 1, found 1.5",
    ),
    (
        {"op": "batch_norm", "x": "x", "features": 2, "momentum": 1.1},
        "momentum: expected a number from 0 to 1, found 1.1",
    ),
    (
        {"op": "layer_norm", "x": "x", "eps": -1.0},
        "eps: expected a number of at least 0, found -1.0",
    ),
    (
        {"op": "rms_norm", "x": "x", "features": []},
        "features: expected at least one size, found none",
    ),
    (
        {"op": "instance_norm", "x": "x", "spatial_axes": 2**40},
        "spatial_axes: expected at most 16, found 1099511627776",
    ),
    (
        {"op": "group_norm", "x": "x", "features": 6, "groups": 4, "spatial_axes": 0},
        "groups: expected a divisor of the 6 features, found 4",
    ),
    (
        {"op": "spectral_norm", "x": "x", "iterations": 2**40},
        "iterations: expected at most 64, found 1099511627776",
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
        {"op": "celu", "x": "x", "alpha": 0.0},
        "alpha: expected a number other than 0, found 0",
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
    (
        {"op": "rope_table", "positions": "p", "dim": 7},
        "dim: expected an even number, found 7",
    ),
    (
        {"op": "rope_table", "positions": "p", "dim": 8, "factor": 2.0},
        "factor: expected 1.0 where scaling is none, found 2.0",
    ),
    (
        {"op": "rope_table", "positions": "p", "dim": 8, "scaling": "yarn"},
        "original_length: expected a size where scaling is yarn, found none",
    ),
    (
        {"op": "rope_table", "positions": "p", "dim": 8, "original_length": 4},
        "original_length: expected no size where scaling is none, found 4",
    ),
    (
        {"op": "rope_table", "positions": "p", "dim": 2, "scaling": "dynamic"}
        | {"original_length": 4},
        "dim: expected at least 4 where scaling is dynamic, found 2",
    ),
    (
        {"op": "rope_table", "positions": "p", "dim": 8, "scaling": "yarn"}
        | {"original_length": 4, "theta": 1.0},
        "theta: expected a number above 1, found 1.0",
    ),
    (
        {"op": "rope_table", "positions": "p", "dim": 8, "scaling": "llama3"}
        | {"original_length": 4, "high_freq_factor": 1.0},
        "high_freq_factor: expected a number above 1.0, found 1.0",
    ),
    (
        {
            "op": "attention_mask",
            "query_positions": "q",
            "key_positions": "k",
            "key_segments": "s",
        },
        "query_segments: expected segments of queries and of keys, found one of them",
    ),
]


@pytest.mark.parametrize(
    ("data", "problem"), FAULTS, ids=[f"{d['op']}: {p[:30]}" for d, p in FAULTS]
)
def test_problem(data: dict[str, Any], problem: str) -> None:
    (found,) = NODE.validate_python(data).problems()
    assert str(found).startswith(problem)
    assert found.field in type(NODE.validate_python(data)).model_fields


@pytest.mark.parametrize(
    "data",
    [
        {"op": "zeros", "shape": [True], "dtype": "float"},
        {"op": "zeros", "shape": [2], "dtype": "complex32"},
        {"op": "arange", "stop": 2, "dtype": "complex64"},
        {"op": "param", "shape": [2], "dtype": "complex128"},
        {"op": "reshape", "x": "x", "shape": ["any"]},
        CONV | {"padding": "same"},
        CONV | {"strides": 0.5},
        {"op": "sum", "x": "x", "axis": "last"},
        {"op": "index", "x": "x", "at": "__import__('os')"},
    ],
)
def test_not_of_the_type(data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        NODE.validate_python(data)


def test_sizes_below_one_are_found_once_known() -> None:
    op = NODE.validate_python(CONV | {"kernel_size": ["$n - 1"]})
    with pytest.raises(ExpressionError, match="kernel_size: expected at least 1"):
        op.resolve({"n": 1})
    op = NODE.validate_python({"op": "zeros", "shape": [2, -1], "dtype": "float"})
    with pytest.raises(ExpressionError, match="shape: expected at least 0, found -1"):
        op.resolve({})


def test_split_takes_its_parts_from_names() -> None:
    data = {"op": "split", "x": "qkv", "names": ["q", "k", "v"], "axis": -1}
    op = NODE.validate_python(data)
    assert op.outputs() == ("q", "k", "v")
    assert op == NODE.validate_python(data | {"sections": 3})


@pytest.mark.parametrize(
    ("data", "shapes", "problem"),
    [
        (
            {"op": "depth_to_space", "x": "x", "block": [2, 2], "order": "DCR"},
            {"x": (3, 5, 6)},
            "block: expected to divide the features (6), found 4",
        ),
        (
            {"op": "window_partition", "x": "x", "window": [2, 3]},
            {"x": ("batch", 6, 8, 4)},
            "window: expected to divide the spatial axes (6, 8), found [2, 3]",
        ),
        (
            {"op": "space_to_depth", "x": "x", "block": [2, 4], "order": "CRD"},
            {"x": ("h", 6, 4)},
            "block: expected to divide the spatial axes ('h', 6), found [2, 4]",
        ),
        (
            {"op": "layer_norm", "x": "x", "features": [4, 3]},
            {"x": ("batch", 1, 3)},
            "features: expected sizes of the last axes, [1, 3], found [4, 3]",
        ),
        (
            {"op": "grid_sample", "x": "x", "grid": "g", "align_corners": True},
            {"x": (5, 5, 1), "grid": (3, 4)},
            "grid: expected a last axis of 1 to 3 coordinates, found 4",
        ),
        (
            {"op": "grid_sample", "x": "x", "grid": "g", "align_corners": True},
            {"x": (7, 5, 5, 1), "grid": (2,)},
            "grid: expected the leading dims of x, found axes 4 and 1",
        ),
    ],
)
def test_operands_that_do_not_fit(
    data: dict[str, Any], shapes: dict[str, Any], problem: str
) -> None:
    (found,) = NODE.validate_python(data).operand_problems(shapes)
    assert str(found) == problem
