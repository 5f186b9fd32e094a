"""What transformers and sentence-transformers compute, as NumPy arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

Arrays = Mapping[str, np.ndarray[Any, Any]]


def outputs(model: Any, inputs: Arrays, dtype: torch.dtype) -> dict[str, Any]:
    """The outputs of a transformers model in a dtype; the model stays as it is."""
    tensors = {name: torch.tensor(v, dtype=torch.long) for name, v in inputs.items()}
    before = model.dtype
    with torch.no_grad():
        found = model.to(dtype).eval()(**tensors)
    model.to(before)
    names = ("last_hidden_state", "pooler_output")
    return {n: found[n].numpy() for n in names if found.get(n) is not None}


def sentence_embedding(
    hidden: np.ndarray[Any, Any], mask: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Mean of the tokens that are no padding, of length 1, as sentence-transformers."""
    x = torch.tensor(hidden)
    weights = torch.tensor(mask)[..., None].to(x.dtype)
    pooled = (x * weights).sum(1) / torch.clamp(weights.sum(1), min=1e-9)
    result: np.ndarray[Any, Any] = torch.nn.functional.normalize(pooled).numpy()
    return result


def error(found: Any, wanted: Any) -> float:
    """The greatest absolute difference, in float64."""
    return float(np.abs(np.asarray(found, np.float64) - np.asarray(wanted)).max())
