"""Colours of the page: text has 4.5 : 1 on what lies below it, lines have 3 : 1 (WCAG AA)."""

from __future__ import annotations

import re
from itertools import product

import pytest

from blox.show.page.html import _file

COLOURS = {
    name: (light, dark)
    for name, light, dark in re.findall(
        r"--([\w-]+): light-dark\(#([0-9a-f]{6}), #([0-9a-f]{6})\);",
        _file("assets/page.css"),
    )
}
FILLS = ["plain-fill", "array-fill", "call-fill", "edge-fill"]
TEXTS = [
    *product(["ink", "soft"], ["panel", "ground", "raised", "chosen", *FILLS]),
    *product(["accent"], ["panel", "ground"]),
    *product(["word", "text", "number"], ["panel", "chosen"]),
]
LINES = [
    *product(["plain-line", "array-line", "call-line", "edge-line"], ["ground"]),
    *product(["accent"], ["chosen", *FILLS]),
    ("plain-line", "panel"),
    ("bar", "panel"),
]


def luminance(colour: str) -> float:
    """Of sRGB, as WCAG 2 has it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = [
        p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
    ]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    low, high = sorted([luminance(a), luminance(b)])
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_known_pairs() -> None:
    assert contrast("000000", "ffffff") == pytest.approx(21)
    assert contrast("777777", "ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("pairs", "least"), [(TEXTS, 4.5), (LINES, 3.0)])
def test_contrast(theme: str, pairs: list[tuple[str, str]], least: float) -> None:
    i = ["light", "dark"].index(theme)
    found = {
        f"{a} on {b}": round(contrast(COLOURS[a][i], COLOURS[b][i]), 2)
        for a, b in pairs
    }
    assert {pair: ratio for pair, ratio in found.items() if ratio < least} == {}
