"""What a file holds against what a model needs: all differences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from blox.weights import (
    LeafSpec,
    compare,
    read_headers,
    save_flat,
)

Array = np.ndarray[Any, Any]


def test_compare_reports_all_differences(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    tensors: dict[str, Array] = {
        "h.attn.query.kernel": np.zeros((4, 4), np.float32),
        "h.bias": np.zeros(3, np.float16),
        "router": np.zeros(2, np.float16),
        "same": np.zeros((), np.int32),
        "zzz": np.zeros(1, bool),
    }
    save_flat(path, tensors, metadata={})
    expected = {
        "h.attn.query.kernal": LeafSpec((4, 4), "float"),
        "h.bias": LeafSpec((4,), "float"),
        "router": LeafSpec((2,), "float32"),
        "same": LeafSpec((), "int32"),
    }
    headers = read_headers(path)
    assert [str(finding) for finding in compare(headers, expected)] == [
        "h.attn.query.kernal: expected float[4, 4], found no tensor; "
        "did you mean 'h.attn.query.kernel'?",
        "h.bias: expected shape [4], found [3]",
        "router: expected dtype float32, found float16",
        "h.attn.query.kernel: expected no tensor here, found float32[4, 4]; "
        "did you mean 'h.attn.query.kernal'?",
        "zzz: expected no tensor here, found bool[1]",
    ]
    assert compare(headers.tensors, expected) == compare(headers, expected)
    assert compare({}, {}) == []


def test_compare_of_thousands_of_names_is_quick() -> None:
    expected = {f"a.{i}.kernel": LeafSpec((), "float") for i in range(1900)}
    found = read_headers_like([f"b.{i}.kernel" for i in range(1900)])
    differences = compare(found, expected)
    assert len(differences) == 101
    assert str(differences[-1]) == "and 3700 more"


def read_headers_like(names: list[str]) -> dict[str, Any]:
    from blox.weights import TensorInfo

    return {name: TensorInfo(name, "float32", (), Path("a"), 0, 4) for name in names}
