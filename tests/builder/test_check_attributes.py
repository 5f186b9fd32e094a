"""`bx.check_attributes`: where a size lost its expression on the way."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

import blox as bx


def made(act: Callable[[bx.GraphBuilder, bx.F, bx.Value], Any]) -> Any:
    def graph(width: int = 8, depth: int = 2, rate: float = 0.5) -> bx.Graph:
        b = bx.GraphBuilder("m", width=width, depth=depth, rate=rate)

        def main(f: bx.F, x: bx.Value) -> Any:
            return act(b, f, x)

        b.entry(main, x=bx.Input(["batch", b.width]))
        return b.graph()

    return graph


def block(f: bx.F, x: bx.Value, *, rate: float) -> bx.Value:
    return x + f.linear("l", x, x.features) * rate


def sound(b: bx.GraphBuilder, f: bx.F, x: bx.Value) -> bx.Value:
    x = f.repeat("h", block, count=b.depth)(x, rate=b.rate)
    return f.linear("out", x, b.width // 2) * "$width ** 0.5"


def test_a_model_that_follows_its_attributes() -> None:
    bx.check_attributes(made(sound), width=12, depth=3, rate=0.25)


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (
            lambda b, f, x: f.linear("l", x, int(0.5 * b.width)),
            "main.l.out_features: expected 6, as the code writes it with these "
            "attributes, found 4 in the Graph",
        ),
        (
            lambda b, f, x: x * math.sqrt(b.width),
            "main.multiply_1[1]: expected 3.4641016151377544, as the code writes it with "
            "these attributes, found 2.8284271247461903 in the Graph",
        ),
        (
            lambda b, f, x: f.relu(x) if b.width > 10 else x,
            "main: expected nodes relu_1, as the code writes it with these attributes, "
            "found  in the Graph",
        ),
        (
            lambda b, f, x: f.repeat("h", block, count=b.depth)(x, rate=float(b.rate)),
            "main.h.multiply_1[1]: expected 0.25, as the code writes it with these "
            "attributes, found 0.5 in the Graph",
        ),
        (
            lambda b, f, x: f.repeat("h", block, count=int(b.depth), scan=False)(
                x, rate=1.0
            ),
            "main.h.count: expected 3, as the code writes it with these attributes, "
            "found 2 in the Graph",
        ),
    ],
)
def test_what_stays_behind_is_named(act: Any, text: str) -> None:
    with pytest.raises(bx.SpecError) as caught:
        bx.check_attributes(made(act), width=12, depth=3, rate=0.25)
    found = caught.value.diagnostics[0]
    assert found.code == "builder-attributes"
    assert f"{found.path}: {found.message}" == text
    assert "b.width" in found.hint


def test_an_attribute_that_the_model_does_not_have() -> None:
    with pytest.raises(TypeError):
        bx.check_attributes(made(sound), heads=3)


def by_name(b: bx.GraphBuilder, f: bx.F, x: bx.Value, lost: bool = False) -> Any:
    """Branches of which there are several, named after a number that follows width."""

    def left(f: bx.F, x: bx.Value, *, n: int) -> bx.Value:
        return f.linear("l", x, n)

    def right(f: bx.F, x: bx.Value, *, n: int) -> bx.Value:
        return f.linear("r", x, int(0.5 * n) * 2 if lost else n)

    y = f.cond("c", x.mean() > 0, left, right)(x, n=b.width)
    return f.cond("d", y.mean() > 0, left, right)(y, n=2 * b.width)


def test_branches_are_compared_by_what_they_do() -> None:
    graph = made(by_name)()
    assert list(graph.functions)[1:] == ["left_n8", "right_n8", "left_n16", "right_n16"]
    bx.check_attributes(made(by_name), width=12)
    with pytest.raises(bx.SpecError) as caught:
        bx.check_attributes(made(lambda b, f, x: by_name(b, f, x, lost=True)), width=12)
    paths = [found.path for found in caught.value.diagnostics]
    assert paths[0] == "main.c.r.out_features"
    assert not any("otherwise" in path for path in paths)
