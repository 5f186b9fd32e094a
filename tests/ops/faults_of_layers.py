"""Attributes of layers that make no sense, and what is said of each."""

from __future__ import annotations

from typing import Any

CONV = {"op": "conv", "x": "x", "in_features": 4, "out_features": 8}
POOL = {"op": "max_pool", "x": "x", "window": [2, 2]}
RESIZE = {
    "op": "resize",
    "x": "x",
    "sizes": [2],
    "method": "linear",
    "antialias": False,
}
HEADS = {"op": "einsum_linear", "x": "x", "kernel_shape": [4, 2, 3]}
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
    (
        {"op": "dropout", "x": "x", "rate": 1.0},
        "rate: expected at least 0 and below 1, found 1.0",
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
        {"op": "celu", "x": "x", "alpha": 0.0},
        "alpha: expected a number other than 0, found 0",
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
