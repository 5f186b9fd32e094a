"""The committed references are what PyTorch gives today."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

pytestmark = pytest.mark.parity


def test_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import torch

    try:
        import torch_images
        from torch_reference import CASES, arrays_of

        CASES.clear()
        torch_images.seen.clear()
        torch_images.make()
        found, wanted = arrays_of(CASES), load_file(torch_images.FILE)
    finally:
        torch.set_default_dtype(torch.float32)
        for name in ("torch_images", "torch_reference"):
            sys.modules.pop(name, None)
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, 1e-5, 1e-6, err_msg=name)
