"""Every case of torch_reference.safetensors; torch_reference.py writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from ops.calling import NODE, call
from ops.row import TORCH
from ops.rows import ROWS
from safetensors import safe_open

from blox.schema import op_class

FILE = Path(__file__).with_name("torch_reference.safetensors")


def cases() -> list[Any]:
    result = []
    with safe_open(FILE, framework="numpy") as file:
        names = sorted(file.keys())
        for number, text in sorted(file.metadata().items(), key=lambda i: int(i[0])):
            case = json.loads(text)
            arrays = {n: file.get_tensor(f"{number}.{n}") for n in case["given"]}
            outputs = [
                file.get_tensor(n) for n in names if n.startswith(f"{number}.out")
            ]
            spec = case["spec"]
            title = f"{number}-{spec['op']}"
            result.append(pytest.param(spec, arrays, outputs, id=title))
    return result


CASES = cases()


def test_rows_without_a_formula_have_cases() -> None:
    covered = {case.values[0]["op"] for case in CASES}
    wanted = {n for n, rows in ROWS.items() if any(r.reference == TORCH for r in rows)}
    assert wanted <= covered


@pytest.mark.parametrize(("spec", "arrays", "wanted"), CASES)
def test_as_torch(
    spec: dict[str, Any], arrays: dict[str, np.ndarray], wanted: list[np.ndarray]
) -> None:
    spec = dict(spec)
    train = spec.pop("train", True)
    cls = op_class(spec["op"])
    assert cls is not None
    names = cls.fields().operands
    op = NODE.validate_python(spec | {n: n for n in names if n in arrays})
    assert list(op.problems()) == []
    operands = [arrays.get(n) for n in names]
    params = {n: a for n, a in arrays.items() if n not in names}
    found = jax.tree.leaves(
        jax.jit(lambda *given: call(op, *given, train=train))(operands, params)
    )
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, 2e-5, 1e-5)
