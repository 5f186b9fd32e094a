"""Kernels of transposed convolutions from other libraries: the numbers, not the shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import blox as bx

RNG = np.random.default_rng(0)


def up(groups: int, flip: bool) -> bx.Graph:
    b = bx.GraphBuilder("up")

    @b.entry(x=bx.Input(["batch", "rows", "columns", 4]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        options: dict[str, Any] = {"groups": groups, "flip_kernel": flip}
        return f.conv_transpose(
            "up", x, 4, [2, 3], strides=[2, 3], padding="VALID", **options
        )

    return b.graph()


def scattered(x: Any, kernel: Any, bias: Any) -> Any:
    """Strides as large as the kernel: each element gives a block of its own.

    Args:
        x: (batch, rows, columns, in).
        kernel: (in, out, 2, 3), as PyTorch has it for one group.
        bias: (out,).
    """
    blocks = np.einsum("bhwi,iokl->bhkwlo", x, kernel)
    batch, rows, _, columns, _, out = blocks.shape
    return blocks.reshape(batch, 2 * rows, 3 * columns, out) + bias


def dense(weight: Any, groups: int) -> Any:
    """(in, out / groups, 2, 3) of PyTorch as that of one group, zeros between groups."""
    features, per, *spatial = weight.shape
    result = np.zeros((features, groups * per, *spatial), weight.dtype)
    for i in range(features):
        first = i // (features // groups) * per
        result[i, first : first + per] = weight[i]
    return result


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("write", [bx.layer_rules, bx.suggest_rules])
def test_a_square_kernel_of_torch_gives_the_numbers_of_its_definition(
    write: Any, groups: int
) -> None:
    graph = up(groups, flip=True)
    weight = RNG.normal(size=(4, 4 // groups, 2, 3)).astype("float32")
    state = {"up.weight": weight, "up.bias": np.arange(4, dtype="float32")}
    if write is bx.layer_rules:
        rules = bx.layer_rules(graph, {"up": "up"}, of="torch")
    else:
        rules = list(bx.suggest_rules(graph, state, of="torch").rules)
    params = bx.map_params(graph, state, rules)
    x = RNG.normal(size=(2, 3, 2, 4)).astype("float32")
    y, _ = bx.build(graph)(params, x)
    wanted = scattered(x, dense(weight, groups), state["up.bias"])
    np.testing.assert_allclose(y, wanted, atol=1e-5)
    back = bx.unmap_params(graph, params, rules)
    np.testing.assert_array_equal(back["up.weight"], weight)


@pytest.mark.parametrize("of", ["equinox", "linen"])
def test_libraries_that_read_a_kernel_in_reverse_have_their_own_axes(of: str) -> None:
    graph = up(1, flip=False)
    rules = bx.layer_rules(graph, {"up": "up"}, of=of)
    weight = RNG.normal(size=(4, 4, 2, 3)).astype("float32")  # (in, out, rows, columns)
    there = np.flip(weight, (2, 3)).transpose(
        (1, 0, 2, 3) if of == "equinox" else (2, 3, 0, 1)
    )
    bias = np.arange(4, dtype="float32")
    given = {
        "equinox": {"up.weight": there, "up.bias": bias[:, None, None]},
        "linen": {"params.up.kernel": there, "params.up.bias": bias},
    }
    x = RNG.normal(size=(1, 2, 2, 4)).astype("float32")
    y, _ = bx.build(graph)(bx.map_params(graph, given[of], rules), x)
    np.testing.assert_allclose(y, scattered(x, weight, bias), atol=1e-5)


@pytest.mark.parametrize(
    ("of", "flip", "found"),
    [
        ("torch", False, " with flip_kernel=False"),
        ("equinox", True, " with flip_kernel=True"),
        ("keras", True, ""),
    ],
)
def test_a_kernel_that_would_be_read_the_other_way_is_refused(
    of: str, flip: bool, found: str
) -> None:
    graph = up(1, flip)
    with pytest.raises(bx.SpecError) as error:
        bx.layer_rules(graph, {"up": "up"}, of=of)
    assert str(error.value) == (
        f"up: expected a layer of {of}, found kernel of conv_transpose{found}; "
        "write a bx.Rule for it"
    )
    state = {"up.weight": np.zeros((4, 4, 2, 3)), "up.bias": np.zeros(4)}
    assert "up.kernel" in bx.suggest_rules(graph, state, of=of).without
