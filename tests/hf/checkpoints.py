"""Variants of the committed checkpoint `tiny_bert`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

import blox as bx

TINY = Path(__file__).parent / "tiny_bert"
Arrays = dict[str, np.ndarray[Any, Any]]


def expected() -> Arrays:
    """Inputs and what transformers makes of them; see parity/hf/make_tiny_bert.py."""
    return load_file(TINY / "expected.safetensors")


@cache
def imported() -> tuple[bx.Graph, Any]:
    """The model and its Params, once for all tests that change neither."""
    return bx.from_hf(TINY, name="tiny", progress=False)


def copy(
    folder: Path,
    *,
    config: Callable[[dict[str, Any]], Any] | None = None,
    arrays: Callable[[Arrays], Arrays] | None = None,
) -> Path:
    """A copy in `folder`, its config or its arrays changed."""
    shutil.copytree(TINY, folder, dirs_exist_ok=True)
    (folder / "expected.safetensors").unlink()
    if config is not None:
        data = json.loads((folder / "config.json").read_text())
        config(data)
        (folder / "config.json").write_text(json.dumps(data))
    if arrays is not None:
        found = arrays(load_file(folder / "model.safetensors"))
        save_file(
            {k: np.ascontiguousarray(v) for k, v in found.items()},
            folder / "model.safetensors",
            metadata={"format": "pt"},
        )
    return folder
