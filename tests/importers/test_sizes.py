"""Code that decides by a size: the dim gets the bound that decides, the report says so, and
what is no one computation at all sizes is an error that names the line."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import blox as bx

INPUTS = {"x": bx.Input(["batch", "seq"])}


def line_of(function: Callable[..., Any], after: int = 1) -> str:
    """As the report names a line, by the file alone."""
    return f"{Path(__file__).name}:{function.__code__.co_firstlineno + after}"


def imported(function: Callable[..., Any], **options: Any) -> tuple[bx.Graph, Any]:
    graph, _, origin = bx.from_jax(function, INPUTS, **options)
    return graph, origin.report


def agrees(function: Callable[..., Any], graph: bx.Graph, *sizes: int) -> None:
    """The Graph gives the numbers of the function at these sizes of seq."""
    for size in sizes:
        x = jnp.asarray(np.random.default_rng(size).normal(size=(3, size)), "float32")
        found, _ = bx.build(graph)({}, x)
        np.testing.assert_allclose(found, function(x), rtol=1e-5, atol=1e-6)


# Comparisons with numbers -----------------------------------------------------------------


def compared(x: Any) -> Any:
    return x if x.shape[1] > 3 else -x


def asserted(x: Any) -> Any:
    assert x.shape[1] <= 16
    return x + jnp.arange(16.0)[: x.shape[1]]


def even(x: Any) -> Any:
    if x.shape[1] % 2:
        return -x
    return x


@pytest.mark.parametrize(
    ("function", "bounds"),
    [(compared, {"min": 4}), (asserted, {"max": 16}), (even, {"multiple_of": 2})],
)
def test_a_comparison_bounds_the_dim_and_is_reported(
    function: Callable[[Any], Any], bounds: dict[str, int]
) -> None:
    graph, report = imported(function, check=False)
    found = graph.dims["seq"]
    assert {k: getattr(found, k) for k in bounds} == bounds
    assert line_of(function) in report.decisions[0]
    assert report.decisions[0] in str(report)


def test_bounds_that_are_given_decide() -> None:
    graph, report = imported(compared, dims={"seq": {"max": 3}}, check=False)
    (node,) = graph.functions["main"].nodes.values()
    assert node.op == "negative"
    (said,) = report.decisions
    assert said == f"{line_of(compared)}: seq <= 3 is taken as True, as seq has max 3"
    fixed, _, _ = bx.from_jax(compared, {"x": bx.Input(["batch", 2])}, check=False)
    (node,) = fixed.functions["main"].nodes.values()
    assert node.op == "negative"


def test_sizes_that_are_taken_to_differ_are_reported() -> None:
    def squeezed(x: Any) -> Any:
        return x[:, 0] if x.shape[1] == 1 else jnp.sum(x, axis=1)

    _, report = imported(squeezed, check=False)
    assert report.decisions == [f"{line_of(squeezed)}: seq == 1 is taken as False"]


def test_comparisons_that_hold_for_all_sizes_are_none() -> None:
    def plain(x: Any) -> Any:
        assert x.shape == (x * 2).shape
        assert x.shape[1] >= 1
        return x if x.shape[1] + 1 != x.shape[1] else -x

    assert imported(plain, check=False)[1].decisions == []


# Sizes that code needs as numbers ----------------------------------------------------------


def counted(x: Any) -> Any:
    return x * float(x.shape[1]) + int(x.shape[1]) * 2 - 1


def halved(x: Any) -> Any:
    return jnp.split(x, 2, axis=1)[0]


def turned(x: Any) -> Any:
    return x[:, np.arange(int(x.shape[1]))[::-1]]


def wrapped(x: Any) -> Any:
    return jnp.pad(x, ((0, 0), (2, 2)), mode="wrap")


@pytest.mark.parametrize(
    ("function", "bounds"),
    [
        (counted, {}),
        (halved, {"multiple_of": 2}),
        (wrapped, {"min": 3}),
        pytest.param(turned, {"min": 2}, marks=pytest.mark.slow),
    ],
)
def test_a_size_that_must_be_a_number_stays_open(
    function: Callable[[Any], Any], bounds: dict[str, int]
) -> None:
    graph, report = imported(function, check=False)
    found = graph.dims.get("seq")
    assert (
        {k: v for k, v in vars(found or 0).items() if v} == bounds
        if found
        else not bounds
    )
    assert report.decisions[0].startswith(
        f"{line_of(function)}: decided for sizes seq="
    )
    agrees(function, graph, 8, 22)


def test_a_limit_that_only_numbers_show_is_found() -> None:
    def limited(x: Any) -> Any:
        return x if int(x.shape[1]) <= 40 else -x

    graph, report = imported(limited, check=False)
    assert graph.dims["seq"].max == 40
    assert "max 40" in report.decisions[1]


def tenths(x: Any) -> Any:
    return -x if int(x.shape[1]) % 10 == 0 else x


def between(x: Any) -> Any:
    return -x if 20 < int(x.shape[1]) < 600 else x


def beyond(x: Any) -> Any:
    return -x if int(x.shape[1]) > 100 else x


def rounded(x: Any) -> Any:
    return x[:, : int(int(x.shape[1]) * 0.8)]


@pytest.mark.parametrize(
    ("function", "dims", "bounds"),
    [
        (tenths, {}, {"max": 9}),
        pytest.param(between, {}, {"max": 20}, marks=pytest.mark.slow),
        pytest.param(
            beyond, {"seq": {"max": 512}}, {"max": 65}, marks=pytest.mark.slow
        ),
        pytest.param(rounded, {}, {"min": 2, "max": 20}, marks=pytest.mark.slow),
    ],
)
def test_between_its_bounds_a_size_was_tried(
    function: Callable[[Any], Any], dims: Any, bounds: dict[str, int]
) -> None:
    """Where large sizes differ, the bounds are those of sizes tried one by one."""
    graph, _ = imported(function, dims=dims, check=False)
    found = graph.dims["seq"]
    assert {k: getattr(found, k) for k in bounds} == bounds
    agrees(function, graph, *range(bounds.get("min", 1), min(bounds["max"], 20) + 1))


def ratio(x: Any) -> Any:
    return -x if x.shape[0] > 3 * x.shape[1] else x


def shorter(x: Any) -> Any:
    return x[: min(int(x.shape[0]), 4 * int(x.shape[1]))]


@pytest.mark.parametrize(
    "function", [ratio, pytest.param(shorter, marks=pytest.mark.slow)]
)
def test_two_sizes_are_tried_far_from_each_other(
    function: Callable[[Any], Any],
) -> None:
    with pytest.raises(bx.SpecError, match="batch and seq: expected code that works"):
        imported(function, check=False)


def scaled(x: Any) -> Any:
    return x * (1 / math.sqrt(int(x.shape[1]))) + math.sqrt(int(x.shape[1]))


def test_roots_of_sizes_stay_open() -> None:
    graph, _ = imported(scaled, check=False)
    assert not graph.dims
    agrees(scaled, graph, 3, 50)


def halves(x: Any) -> Any:
    return x * (int(x.shape[1]) * 0.5)


@pytest.mark.slow
def test_half_a_size_is_one_of_even_sizes() -> None:
    graph, _ = imported(halves, check=False)
    assert graph.dims["seq"].multiple_of == 2
    agrees(halves, graph, 4, 62)


def unrolled(x: Any) -> Any:
    y = x[:, 0]
    for place in range(int(x.shape[1])):
        y = y * 0.5 + x[:, place]
    return y


def test_code_that_is_another_one_at_each_size_is_an_error() -> None:
    with pytest.raises(bx.SpecError) as caught:
        bx.from_jax(unrolled, INPUTS)
    (found,) = caught.value.diagnostics
    assert (found.code, found.path) == ("import-size", "seq")
    assert line_of(unrolled, 2) in found.message
    assert "equations" in found.message


def test_an_error_of_the_code_itself_is_its_own() -> None:
    def broken(x: Any) -> Any:
        raise KeyError("mine")

    with pytest.raises(bx.SpecError, match="KeyError: 'mine'") as caught:
        bx.from_jax(broken, INPUTS)
    assert caught.value.diagnostics[0].code == "import-code"


# Flags -------------------------------------------------------------------------------------


def test_flags_are_reported() -> None:
    def dropped(x: Any, train: bool = False) -> Any:
        return x * 0.5 if train else x + 1

    def model(x: Any) -> Any:
        return dropped(x, train=False) * 2

    _, report = imported(model, check=False)
    assert report.decisions == [f"{line_of(dropped, 0)}: dropped with train=False"]
