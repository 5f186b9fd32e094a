"""Sizes are integers that remember the expression which they were calculated by."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import blox as bx
from blox.builder.sizes import Size, tree_of_number
from blox.builder.trees import text_of
from blox.schema.expressions import evaluate

B = bx.GraphBuilder("m", width=64, heads=4, depth=3, eps=1e-5, rate=0.5)
VALUES = {"width": 64, "heads": 4, "depth": 3, "eps": 1e-5, "rate": 0.5}


def text(number: Any) -> str | None:
    tree = tree_of_number(number)
    return None if tree is number else text_of(tree)


@pytest.mark.parametrize(
    ("number", "value", "written"),
    [
        (B.width, 64, "width"),
        (4 * B.width, 256, "4 * width"),
        (B.width * 4, 256, "4 * width"),
        (2 * (4 * B.width), 512, "8 * width"),
        (B.width // B.heads, 16, "width // heads"),
        (B.width // B.heads * B.heads, 64, "width"),
        (B.width % 5, 4, "width % 5"),
        (B.width - 1 + 1, 64, "width"),
        (B.width + 3 - 5, 62, "width - 2"),
        (1 + B.width, 65, "width + 1"),
        (-B.width, -64, "-width"),
        (B.heads**2, 16, "heads ** 2"),
        (2**B.depth, 8, "2 ** depth"),
        ((B.width + 1) * B.heads, 260, "(width + 1) * heads"),
        (B.width // (B.heads * 2), 8, "width // (2 * heads)"),
        (100 // B.depth, 33, "100 // depth"),
        (100 - B.width, 36, "100 - width"),
        (100 % B.depth, 1, "100 % depth"),
        (sum([B.width, B.heads, 1]), 69, "width + heads + 1"),
        (math.prod([B.width, 3, B.heads]), 768, "3 * width * heads"),
        (B.depth * (B.heads * B.depth), 36, "depth * heads * depth"),
        (B.heads * B.heads * 3, 48, "3 * heads * heads"),
        (B.rate * (B.heads * B.depth), 6.0, "rate * (heads * depth)"),
        (bx.min(B.width, 32), 32, "min(width, 32)"),
        (bx.max(B.width, 4 * B.heads, 7), 64, "max(max(width, 4 * heads), 7)"),
        (B.width * True, 64, "width"),
        (B.eps, 1e-5, "eps"),
        (B.rate * 2, 1.0, "rate * 2"),
        (B.width**-0.5, 0.125, "width ** -0.5"),
        (1 / B.width, 1 / 64, "1 / width"),
        (1.0 - B.rate, 0.5, "1.0 - rate"),
        (+B.width, 64, "width"),
    ],
)
def test_what_keeps_the_expression(number: Any, value: float, written: str) -> None:
    assert number == value
    assert type(number).__mro__[1] is type(value)
    assert text(number) == written
    assert evaluate(f"${written}", VALUES, "float") == value


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (math.sqrt(B.width), 8.0),
        (int(B.width), 64),
        (min(B.heads, 2), 2),
        (0 * B.width, 0),
        (int(0.5 * B.width), 32),
        (B.heads if B.width > 32 and B.depth == 3 else 0, None),
        (bx.min(3, 2), 2),
    ],
)
def test_what_is_a_number_only(number: Any, value: Any) -> None:
    if value is not None:
        assert number == value
    assert text(number) in (None, "heads", "0 * width")


def test_python_uses_the_number() -> None:
    assert list(range(B.depth)) == [0, 1, 2]
    assert ["a", "b", "c", "d"][B.depth] == "d"
    assert {64: "x"}[B.width] == "x"
    assert f"{B.width:04d} {B.width} {B.eps!r}" == "0064 64 1e-05"
    assert not bx.GraphBuilder("m", n=0).n


def test_a_copy_is_a_plain_number() -> None:
    for made in (copy.deepcopy(B.width), pickle.loads(pickle.dumps(B.width))):
        assert type(made) is int
        assert made == 64


def test_attributes_by_name() -> None:
    b = bx.GraphBuilder("m", entry=3, width=2)
    assert callable(b.entry)
    assert text(b.attributes["entry"]) == "entry"
    with pytest.raises(
        AttributeError, match=r"of the Graph \(entry, width\), found 'wi'"
    ):
        _ = b.wi


def sizes_of(act: Callable[[bx.F, bx.Value], bx.Value], *shape: Any) -> list[Any]:
    """The sizes that a value has, each as it is written or as a number."""
    b = bx.GraphBuilder("m", width=8, heads=2, twice=16)
    if "even" in shape:
        b.dim("even", multiple_of=2, max=64)
    found: list[Any] = []
    named = [b.attributes.get(s, s) if s != "wide" else 2 * b.width for s in shape]

    def main(f: bx.F, x: bx.Value) -> bx.Value:
        y = act(f, x)
        for size in y.shape:
            tree = tree_of_number(size)
            found.append(size if tree is size else text_of(tree))
        return y

    b.entry(main, x=bx.Input(named))
    b.graph()
    return found


@pytest.mark.parametrize(
    ("act", "shape", "expected"),
    [
        (lambda f, x: f.softmax(x), ["batch", "width"], ["batch", "width"]),
        (lambda f, x: f.layer_norm("n", x), ["batch", "width"], ["batch", "width"]),
        (lambda f, x: x + f.relu(x), ["batch", "width"], ["batch", "width"]),
        (lambda f, x: f.roll(x, 1, 0), ["batch", "width"], ["batch", "width"]),
        (lambda f, x: f.linear("l", x, 3 * x.features), ["n", "width"],
         ["n", "3 * width"]),
        (lambda f, x: x.reshape(..., 2, x.features // 2), ["n", "width"],
         ["n", 2, "width // 2"]),
        (lambda f, x: f.flatten(x.reshape(..., 2, x.features // 2), -2), ["n", "width"],
         ["n", "width"]),
        (lambda f, x: f.split(x, 2, axis=-1)[0], ["n", "wide"], ["n", "width"]),
        (lambda f, x: f.split(x, 4, axis=-1)[0], ["n", "width"], ["n", "width // 4"]),
        (lambda f, x: f.split(x, [x.features - 1, 1], axis=-1)[0], ["n", "width"],
         ["n", "width - 1"]),
        (lambda f, x: f.concatenate([x, x, x[:, :1]], axis=-1), ["n", "width"],
         ["n", "2 * width + 1"]),
        (lambda f, x: x.T, ["heads", "width"], ["width", "heads"]),
        (lambda f, x: x @ x.mT, ["n", "heads", "width"], ["n", "heads", "heads"]),
        (lambda f, x: x[0], ["n", "width"], ["width"]),
        (lambda f, x: x[..., None], ["n", "width"], ["n", "width", 1]),
        (lambda f, x: x[:, 1:], ["n", "width"], ["n", "width - 1"]),
        (lambda f, x: x[:, ::2], ["n", "width"], ["n", "(width + 1) // 2"]),
        (lambda f, x: x.mean(-1), ["n", "heads", "width"], ["n", "heads"]),
        (lambda f, x: f.pad(x, [[1, 2]]), ["n", "width"], ["n", "width + 3"]),
        (lambda f, x: f.tile(x, [2]), ["n", "width"], ["n", "2 * width"]),
        (lambda f, x: f.stack([x, x]), ["n", "width"], [2, "n", "width"]),
        (lambda f, x: f.one_hot(f.zeros([3], "int32"), x.features), ["n", "width"],
         [3, "width"]),
        (lambda f, x: f.einsum([x, x], "ni,nj->nij"), ["n", "width"],
         ["n", "width", "width"]),
        (lambda f, x: f.conv("c", x, 2 * x.features, [3]), ["n", "t", "width"],
         ["n", "t", "2 * width"]),
        (lambda f, x: f.max_pool(x, [2]), ["n", "width", 3], ["n", "(width - 2) // 2 + 1", 3]),
        # Of the size 8 by chance: not what $width says.
        (lambda f, x: f.zeros([4, 4]).reshape(2, 8), ["n", "width"], [2, 8]),
        # Sizes that only a call decides.
        (lambda f, x: x[:-1], ["n", 3], ["n - 1", 3]),
        (lambda f, x: x.reshape(-1, 4), ["n", "width"], ["2 * n", 4]),
        (lambda f, x: f.split(x, 2, axis=0)[0], ["even", 3], ["even // 2", 3]),
        (lambda f, x: f.zeros([x.shape[0] + 1, 2 * x.shape[0]]), ["n", 3],
         ["n + 1", "2 * n"]),
        (lambda f, x: f.zeros([bx.max(x.shape[0], 4)]), ["n", 3], ["max(n, 4)"]),
    ],
)  # fmt: skip
def test_sizes_follow_through_ops(
    act: Any, shape: list[Any], expected: list[Any]
) -> None:
    assert sizes_of(act, *shape) == expected


@pytest.mark.parametrize(
    ("act", "written"),
    [
        (
            lambda b, f, x: f.conv("c", x, 4, [b.k, b.k], padding="VALID"),
            "image - k + 1",
        ),
        (
            lambda b, f, x: f.conv("c", x, 4, [b.k, b.k], strides=[b.k, b.k]),
            "-(-image // k)",
        ),
        (
            lambda b, f, x: f.conv(
                "c", x, 4, [b.k, b.k], strides=[b.k, b.k], padding="VALID"
            ),
            "image // k",
        ),
        (lambda b, f, x: f.max_pool(x, [b.k, b.k]), "image // k"),
        (lambda b, f, x: f.conv("c", x, 4, [3, 3], strides=[2, 2]), "-(-image // 2)"),
    ],
)
@pytest.mark.parametrize("image", [32, 30])
def test_sizes_follow_through_convolutions(act: Any, written: str, image: int) -> None:
    """Where the kernel or the strides are attributes too, which JAX wants as numbers."""

    def make(image: int = image, k: int = 4) -> bx.Graph:
        b = bx.GraphBuilder("m", image=image, k=k)

        @b.entry(x=bx.Input(["batch", b.image, b.image, 3]))
        def main(f: bx.F, x: bx.Value) -> bx.Value:
            y: bx.Value = act(b, f, x)
            assert text(y.shape[1]) == written
            y = y.reshape(x.shape[0], -1, y.features)
            return y + f.param("position", [y.shape[1], y.features])

        return b.graph()

    bx.check_attributes(make, image=29, k=5)


@pytest.mark.parametrize(
    ("act", "written"),
    [
        (
            lambda b, f, x: f.conv(
                "c", x, 4, [b.k, b.k], strides=[b.s, b.s], padding="VALID"
            ),
            "(image - k) // s + 1",
        ),
        (
            lambda b, f, x: f.conv("c", x, 4, [b.k, b.k], strides=[b.s, b.s]),
            "-(-image // s)",
        ),
        (
            lambda b, f, x: f.max_pool(x, [b.k, b.k], strides=[b.s, b.s]),
            "(image - k) // s + 1",
        ),
        (
            lambda b, f, x: f.max_pool(x, [b.k, b.k], strides=[2, 2], padding="SAME"),
            "-(-image // 2)",
        ),
        (
            lambda b, f, x: f.avg_pool(x, [3, 3], strides=[b.s, b.s]),
            "(image - 3) // s + 1",
        ),
        (
            lambda b, f, x: f.max_pool(x, [b.k, b.k], strides=[2, 2]),
            "(image - k) // 2 + 1",
        ),
    ],
)
@pytest.mark.parametrize("start", [(37, 3, 2), (32, 4, 4), (32, 3, 3)])
def test_kernels_and_strides_are_told_apart(
    act: Any, written: str, start: tuple[int, int, int]
) -> None:
    """Where `image // s` has the same value, and has it a little above too."""

    def make(image: int, k: int, s: int) -> bx.Graph:
        b = bx.GraphBuilder("m", image=image, k=k, s=s)

        @b.entry(x=bx.Input(["batch", b.image, b.image, 3]))
        def main(f: bx.F, x: bx.Value) -> bx.Value:
            y = act(b, f, x)
            assert text(y.shape[1]) == written
            rows = y.reshape(y.shape[0], y.shape[1], -1)
            return f.linear("out", rows, 2).sum(1) + f.linear(
                "flat", f.flatten(y, 1), 2
            )

        return b.graph()

    def of_start(image: int = start[0], k: int = start[1], s: int = start[2]) -> Any:
        return make(image, k, s)

    bx.check_attributes(of_start, image=start[0] + 1)
    bx.check_attributes(of_start, image=29, k=5, s=4)


def test_sizes_follow_through_calls_and_loops() -> None:
    def up(f: bx.F, x: bx.Value, *, times: int) -> bx.Value:
        return f.linear("l", x, times * x.features)

    def cell(f: bx.F, h: bx.Value, x: bx.Value) -> dict[str, bx.Value]:
        h = f.tanh(h + x)
        return {"h": h, "y": f.concatenate([h, h], axis=-1)}

    b = bx.GraphBuilder("m", width=8, depth=3)

    @b.entry(x=bx.Input(["batch", "time", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        y = f.call("up", up)(x, times=3)
        assert text(y.features) == "3 * width"
        out = f.scan("cell", cell, axis=1)(f.zeros([x.shape[0], b.width]), bx.slices(x))
        assert [str(s) for s in out["y"].shape] == ["batch", "time", "16"]
        assert text(out["y"].features) == "2 * width"
        assert text(out["h"].features) == "width"
        many = f.map("many", up, count=b.depth)(x[:, 0], times=2)
        assert [text(s) for s in many.shape] == ["depth", "batch", "2 * width"]
        return y

    b.graph()


def test_dims_refuse_what_needs_a_number() -> None:
    b = bx.GraphBuilder("m")
    asked: list[Callable[[Any], Any]] = [
        lambda n: n > 3, lambda n: int(n), lambda n: range(n), lambda n: not n,
        lambda n: [1, 2][n], lambda n: 0.5 * n, lambda n: n / 2,
    ]  # fmt: skip

    @b.entry(x=bx.Input(["batch", 4]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        for ask in asked:
            with pytest.raises(bx.SpecError, match="that only a call decides"):
                ask(x.shape[0])
        assert x.shape[0] == f.relu(x).shape[0]
        assert x.shape[0] != 4
        assert str(2 * x.shape[0] + 1) == "2 * batch + 1"
        return x

    b.graph()


def test_text_still_works() -> None:
    b = bx.GraphBuilder("m", width=8)

    @b.entry(x=bx.Input(["batch", "$width"]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        y = f.linear("l", x, "$4 * width") * "$width ** -0.5"
        return y.reshape("$batch", 2, "$2 * width")

    nodes = b.graph().plain()["functions"]["main"]["nodes"]
    assert nodes["l"]["in_features"] == "$width"
    assert nodes["l"]["out_features"] == "$4 * width"
    assert nodes["multiply_1"]["b"] == "$width ** -0.5"
    assert nodes["reshape_1"]["shape"] == ["$batch", 2, "$2 * width"]


def test_size_is_an_int_to_json_and_numpy() -> None:
    import json

    import numpy as np

    assert json.dumps([B.width, B.eps]) == "[64, 1e-05]"
    assert np.zeros(B.heads).shape == (4,)
    assert isinstance(B.width, Size)
