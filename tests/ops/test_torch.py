"""Every case of torch_*.safetensors and flax_*.safetensors.

The scripts of these names in tests/parity write them.

Where a case has gradients, they are of the sum of its outputs times cosines.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ops.calling import NODE, call
from ops.calls import is_complex
from ops.row import TORCH
from ops.rows import ROWS
from safetensors import safe_open

from blox.schema import op_class

FILES = sorted(
    path
    for peer in ("torch", "flax")
    for path in Path(__file__).parent.glob(f"{peer}_*.safetensors")
)


def cases(path: Path) -> list[Any]:
    result = []
    with safe_open(path, framework="numpy") as file:
        names = sorted(file.keys())
        for number, text in sorted(file.metadata().items(), key=lambda i: int(i[0])):
            case = json.loads(text)
            arrays = {n: file.get_tensor(f"{number}.{n}") for n in case["given"]}
            outputs = [
                file.get_tensor(n) for n in names if n.startswith(f"{number}.out")
            ]
            slopes = {
                n: file.get_tensor(f"{number}.slope.{n}")
                for n in case["given"]
                if f"{number}.slope.{n}" in names
            }
            spec = case["spec"]
            title = f"{number}-{spec['op']}"
            marks = [pytest.mark.slow] if case.get("slow") else []
            result.append(
                pytest.param(spec, arrays, outputs, slopes, id=title, marks=marks)
            )
    return result


CASES = [case for path in FILES for case in cases(path)]


def test_rows_without_a_formula_have_cases() -> None:
    covered = {case.values[0]["op"] for case in CASES}
    wanted = {n for n, rows in ROWS.items() if any(r.reference == TORCH for r in rows)}
    assert wanted <= covered


@pytest.mark.parametrize(("spec", "arrays", "wanted", "slopes"), CASES)
def test_as_the_peer(
    spec: dict[str, Any],
    arrays: dict[str, np.ndarray],
    wanted: list[np.ndarray],
    slopes: dict[str, np.ndarray],
) -> None:
    spec = dict(spec)
    train = spec.pop("train", True)
    cls = op_class(spec["op"])
    assert cls is not None
    names = cls.fields().operands
    op = NODE.validate_python(spec | {n: n for n in names if n in arrays})
    assert list(op.problems()) == []

    def outputs(arrays: dict[str, Any]) -> list[Any]:
        operands = [arrays.get(n) for n in names]
        params = {n: a for n, a in arrays.items() if n not in names}
        return jax.tree.leaves(call(op, operands, params, train=train))

    def loss(inexact: dict[str, Any], arrays: dict[str, Any]) -> Any:
        found = outputs(arrays | inexact)
        pairs = [jnp.stack([y.real, y.imag], -1) if is_complex(y) else y for y in found]
        weighted = [
            (y * jnp.cos(jnp.arange(y.size)).reshape(y.shape)).sum()
            for y in pairs
            if jnp.issubdtype(y.dtype, jnp.floating)
        ]
        return sum(weighted, jnp.zeros(())), found

    inexact = {n: arrays[n] for n in slopes}
    found, gradients = jax.jit(
        lambda *given: jax.grad(loss, has_aux=True)(*given)[::-1]
    )(inexact, arrays)
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, 2e-5, 1e-5)
    for name, theirs in slopes.items():
        theirs = theirs.conj()  # JAX has the conjugate of what PyTorch has
        scale = max(1.0, float(np.abs(theirs).max()))
        np.testing.assert_allclose(
            gradients[name], theirs, 1e-5, 1e-5 * scale, err_msg=name
        )
