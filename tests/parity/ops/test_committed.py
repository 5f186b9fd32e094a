"""The committed references are what PyTorch and Flax give today."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

pytestmark = pytest.mark.parity


@pytest.mark.parametrize(
    ("module", "make", "file"),
    [
        ("torch_reference", "make", "FILE"),
        ("torch_images", "make", "FILE"),
        ("torch_attention", "make", "FILE"),
        ("torch_places", "make", "FILE"),
        ("torch_spectra", "make", "FILE"),
        ("torch_cells", "make", "FILE"),
        ("torch_cells", "make_layers", "LAYERS"),
        ("torch_sequence_recipes", "make", "FILE"),
        ("torch_image_recipes", "make", "FILE"),
        ("torch_expert_recipes", "make", "FILE"),
    ],
)
def test_is_what_is_there(
    module: str, make: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import torch

    try:
        writer = import_module(module)
        from torch_reference import CASES, arrays_of

        CASES.clear()
        getattr(writer, make)()
        found, wanted = arrays_of(CASES), load_file(getattr(writer, file))
    finally:
        torch.set_default_dtype(torch.float32)
        for name in (module, "torch_blocks", "torch_modules", "torch_reference"):
            sys.modules.pop(name, None)
    assert_same(found, wanted)


def test_flax_is_what_is_there() -> None:
    from parity.ops import flax_attention

    assert_same(flax_attention.made(), load_file(flax_attention.FILE))


def assert_same(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, 1e-5, 1e-6, err_msg=name)
