"""Every layout has an inverse: `back(forward(a))` is a, bit for bit, and shapes foretell it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapping.models import model, params
from mapping.test_mapping import equal

import blox as bx
from blox.mapping.layouts import ALL, Layout
from blox.mapping.spec import Spec, Unfit

L = bx.layouts
Arrays = list[np.ndarray[Any, Any]]
SIZES = st.integers(0, 4)
NUMBERS = {"Affine", "Cast", "Sum", "Quantize", "Dequantize", "Merge"}
"""Layouts that change numbers."""


def spec(array: np.ndarray[Any, Any]) -> Spec:
    return Spec(array.shape, str(array.dtype))


def drawn(draw: Any, *shapes: tuple[int, ...]) -> Arrays:
    """Bits at random, among them those of NaN and -0."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return [
        rng.integers(0, 2**32, shape, np.uint32, endpoint=False).view(np.float32)
        for shape in shapes
    ]


@st.composite
def cases(draw: Any) -> tuple[Layout, Arrays]:
    """A layout of each kind, and arrays of theirs that it takes."""
    kind = draw(st.sampled_from(sorted(ALL.keys() - NUMBERS)))
    n, k = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    shape = tuple(draw(st.lists(SIZES, min_size=2, max_size=4)))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    at = axis % len(shape)
    shares = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
    whole = (*shape[:at], sum(shares) * k, *shape[at + 1 :])
    parts = [(*shape[:at], share * k, *shape[at + 1 :]) for share in shares]
    match kind:
        case "Kernel":
            return L.Kernel(), drawn(draw, shape, shape)
        case "Transpose":
            axes = draw(st.none() | st.permutations(range(len(shape))).map(tuple))
            return L.Transpose(axes), drawn(draw, shape)
        case "Rearrange":
            patterns = [
                "o (c h w) -> (h w c) o",
                "(h p d) i -> p (d h) i",
                "a b -> 1 b a",
            ]
            pattern = draw(st.sampled_from(patterns[: 2 if n > 1 else 3]))
            sizes = {"o": {"c": n, "h": k}, "(": {"p": n, "d": k}, "a": {}}[pattern[0]]
            width = 2 * n * k
            shapes = (3, width) if pattern[0] == "o" else (width, 3)
            return L.Rearrange(pattern, **sizes), drawn(draw, shapes)
        case "Gates":
            ours = "".join(draw(st.permutations("ifgo")))
            return L.Gates("ifgo", ours, axis), drawn(draw, _with(shape, at, 4 * k))
        case "Pad" | "Crop":
            # What is cropped is zeros again.
            (array,) = drawn(draw, _with(shape, at, k))
            front = draw(st.booleans())
            pad = L.Pad(n, axis, front)
            return (
                (pad, [array])
                if kind == "Pad"
                else (L.Crop(n, axis, front), pad.forward([array]))
            )
        case "Split" if draw(st.booleans()):
            return L.Split(shares, axis), drawn(draw, whole, whole)
        case "Split":
            return L.Split(n, axis), drawn(draw, _with(shape, at, n * k))
        case "Concat":
            return L.Concat(shares, axis), drawn(draw, *parts, *parts)
        case "Unstack":
            return L.Unstack(n, axis), drawn(draw, _with(shape, at, n))
        case "Stack":
            return L.Stack(n, axis), drawn(draw, *[shape] * n, *[shape] * n)
        case "Same":
            return L.Same(n), drawn(draw, shape) * n
        case "Copies":
            return L.Copies(n), drawn(draw, shape)
        case "Constant":
            constant = L.Constant(7, "int64", (k,))
            return constant, constant.back(drawn(draw, shape))
        case _:
            assert kind == "Fill"
            return L.Fill(2.0, "float32", shape), drawn(draw, shape)


def _with(shape: tuple[int, ...], axis: int, size: int) -> tuple[int, ...]:
    return (*shape[:axis], size, *shape[axis + 1 :])


def same(found: Arrays, wanted: Arrays) -> None:
    assert [spec(a) for a in found] == [spec(a) for a in wanted]
    assert [a.tobytes() for a in found] == [a.tobytes() for a in wanted]


@settings(max_examples=200)
@given(cases())
def test_the_way_back_gives_the_same_bits(case: tuple[Layout, Arrays]) -> None:
    layout, arrays = case
    made = layout.forward(arrays)
    specs = layout.shapes([spec(a) for a in arrays])
    assert specs == [spec(a) for a in made]
    assert layout.unshapes(specs) == [spec(a) for a in arrays]
    same(layout.back(made), arrays)
    targets = [np.empty_like(np.ascontiguousarray(a)) for a in made]
    windows = layout.windows(targets)
    if windows is not None:
        for window, array in zip(windows, arrays, strict=True):
            window[...] = array
        same(targets, made)
    assert eval(repr(layout), {"bx": bx}) == layout


@settings(max_examples=50)
@given(cases())
def test_arrays_that_do_not_fit_are_told_before_they_are_read(
    case: tuple[Layout, Arrays],
) -> None:
    layout, _ = case
    mixed = [Spec((5, 7, 11), "float"), Spec((13,), "int8"), Spec((1, 1), "float")]
    for specs in ([], [Spec((), "float")], mixed):
        for shapes in (layout.shapes, layout.unshapes):
            with suppress(Unfit):
                assert all(type(one) is Spec for one in shapes(specs))


def test_every_layout_is_among_the_cases() -> None:
    assert {type(layout).__name__ for layout, _ in CHANGING} == NUMBERS
    assert ALL.keys() > NUMBERS


A = np.arange(-6, 6, dtype=np.float32).reshape(2, 3, 2)
LOW = [A[..., :1] * 0.5, np.ones((2, 1, 2), np.float32)]
CHANGING: list[tuple[Layout, Arrays]] = [
    (L.Affine(2.0, 1.0), [A]),
    (L.Cast("float32", "float16"), [A]),
    (L.Sum(2), [A, np.zeros_like(A)]),
    (L.Quantize((-2,)), [A, A[:, :1] * 0]),
    (L.Quantize(()), [A.astype("float16")]),
    (
        L.Dequantize((-3, -1)),
        [(np.sign(A) * 127).astype("int8"), np.ones((1, 3, 1), np.float32)],
    ),
    (L.Merge(1, 2.0), [A, *LOW, A, np.zeros_like(LOW[0]), np.zeros_like(LOW[1])]),
]


@pytest.mark.parametrize(("layout", "arrays"), CHANGING)
def test_layouts_that_change_numbers_keep_shapes_and_come_near(
    layout: Layout, arrays: Arrays
) -> None:
    made = layout.forward(arrays)
    specs = layout.shapes([spec(a) for a in arrays])
    assert specs == [spec(a) for a in made]
    assert layout.unshapes(specs) == [spec(a) for a in arrays]
    back = layout.back(made)
    assert [spec(a) for a in back] == [spec(a) for a in arrays]
    for found, wanted in zip(layout.forward(back), made, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert eval(repr(layout), {"bx": bx}) == layout
    for wrong in (
        [],
        [Spec((2, 3), "int8")],
        [Spec((), "float")],
        [Spec((4, 4), "bool")] * 3,
    ):
        for shapes in (layout.shapes, layout.unshapes):
            with suppress(Unfit):
                assert all(type(one) is Spec for one in shapes(wrong))


def test_numbers_that_change() -> None:
    a, b = (np.array([[1, 2]], np.float32) * k for k in (1, 10))
    (total,) = L.Sum(2).forward([a, b])
    np.testing.assert_array_equal(total, [[11, 22]])
    same(L.Sum(2).back([total]), [total, np.zeros_like(a)])
    (half,) = L.Cast("float32", "float16").forward([a])
    assert half.dtype == np.float16
    same(L.Cast("float32", "float16").back([half]), [a])
    (scaled,) = L.Affine(2.0, 1.0).forward([a])
    np.testing.assert_array_equal(scaled, [[3, 5]])
    same(L.Affine(2.0, 1.0).back([scaled]), [a])
    (kernel,) = L.Merge(1, 2.0).forward([A, *LOW])
    np.testing.assert_array_equal(kernel, A + A[..., :1])
    same(
        L.Merge(1, 2.0).back([kernel]),
        [kernel, np.zeros_like(LOW[0]), np.zeros_like(LOW[1])],
    )
    assert [n for n, cls in ALL.items() if cls.lossy] == [
        "Affine", "Cast", "Crop", "Sum", "Constant", "Merge", "Quantize", "Dequantize"
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_affine_is_for_floats(dtype: str) -> None:
    with pytest.raises(Unfit, match="floating"):
        L.Affine(2.0).shapes([Spec((2,), dtype)])


# Rules that fit arrays of one, two and three axes.
RANKS: dict[int, list[tuple[Layout, ...]]] = {
    1: [(), (L.Gates("ab", "ba"),), (L.Rearrange("a 1 -> a"),), (L.Crop(2),)],
    2: [(), (L.Kernel(),), (L.Split((1, 1), 1), L.Concat((1, 1), 1), L.Transpose()),
        (L.Rearrange("o (a b) -> (b a) o", b=2),), (L.Transpose(), L.Crop(1, front=True))],
}  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_rules_at_random_go_both_ways(data: st.DataObject) -> None:
    graph, wanted = model(), params(model())
    rules: list[Any] = []
    for number, info in enumerate(bx.leaves(graph).values()):
        layouts = data.draw(st.sampled_from(RANKS[len(info.shape)]))
        sound = all(n > 2 and n % 2 == 0 for n in info.shape)
        name = f"n{number}" if data.draw(st.booleans()) else f"n{number}.x{{i+3}}"
        if info.copies == () or not data.draw(st.booleans()):
            name = name.replace("{i+3}", "3")
        rules.insert(0, bx.Rule(info.name, name, *(layouts if sound else ())))
    tree = dict(bx.unmap_params(graph, wanted, rules))
    found = bx.map_params(graph, tree, rules)
    equal(found, wanted)
    again = bx.unmap_params(graph, found, rules, like=tree)
    assert list(again) == list(tree)
    equal(again, tree)
