"""Ops of images are decided for images of any size."""

from __future__ import annotations

from typing import Any

import pytest
from sample_specs import Data, spec

from blox.schema import Graph
from blox.show.flops import measure

RESIZE = {"op": "resize", "antialias": False}
CASES: list[tuple[Data, str]] = [
    ({"op": "conv_transpose", "strides": 2, "padding": "SAME"}, "2*h 2*w 6"),
    ({"op": "conv_transpose", "strides": 2, "padding": "VALID"}, "2*h + 1 2*w + 1 6"),
    (
        {"op": "max_pool", "window": [3, 3], "strides": 1, "dilation": 2},
        "h - 4 w - 4 8",
    ),
    ({"op": "lp_pool", "window": [3, 3], "strides": 1, "padding": "SAME"}, "h w 8"),
    (RESIZE | {"sizes": ["$2 * h", 5], "method": "linear"}, "2*h 5 8"),
    (RESIZE | {"sizes": ["$2 * h", "$w"], "method": "cubic_edge"}, "2*h w 8"),
    (
        RESIZE
        | {"sizes": ["$2 * h", 1], "method": "nearest", "coordinates": "align_corners"},
        "2*h 1 8",
    ),
    ({"op": "local_response_norm", "size": 3}, "h w 8"),
    ({"op": "im2col", "window": [3, 1], "padding": "SAME"}, "h w 24"),
    (
        {"op": "col2im", "window": [2, 2], "strides": 2, "sizes": ["$2 * h", "$2 * w"]},
        "2*h 2*w 2",
    ),
    ({"op": "max_pool_with_indices", "window": [3, 3], "strides": 1}, "h - 2 w - 2 8"),
    ({"op": "depth_to_space", "block": [1, 2], "order": "CRD"}, "h 2*w 4"),
    *(
        (
            {
                "op": "grid_sample",
                "grid": "grid",
                "align_corners": aligned,
                "padding_mode": mode,
            },
            "3 4 8",
        )
        for aligned in (False, True)
        for mode in ("zeros", "border", "reflection")
    ),
    ({"op": "roi_align", "boxes": "boxes", "sizes": [2, 3]}, "k 2 3 8"),
]


@pytest.mark.parametrize(("node", "wanted"), CASES)
def test_any_size(node: Data, wanted: str) -> None:
    inputs: dict[str, Any] = {
        "x": {"shape": ["batch", "h", "w", 8], "dtype": "float"},
        "grid": {"shape": ["batch", 3, 4, 2], "dtype": "float"},
        "boxes": {"shape": ["batch", "k", 4], "dtype": "float"},
    }
    if node["op"] == "conv_transpose":
        node = node | {"kernel_size": [3, 3], "in_features": 8, "out_features": 6}
    several = node["op"] == "max_pool_with_indices"
    read = {"y": "node.values" if several else "node"}
    data = spec({"node": {"x": "x", **node}}, read, inputs)
    data["dims"] = {"h": {"min": 8}, "w": {"min": 8}}
    graph = Graph.parse(data)
    found = measure(graph).shapes[graph.program().entries["main"]]["node"][0]
    assert found is not None
    assert found.shape is not None
    assert " ".join(map(str, found.shape)) == f"batch {wanted}"
