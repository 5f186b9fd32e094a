"""Regular runs of statements as loops: they do what the lines did."""

from __future__ import annotations

import ast
from random import Random
from typing import Any

import pytest

from blox.codegen.emit.runs import rolled
from blox.codegen.printer import render

LINES = [
    'x = f(params["layer{i}"], x)',
    'x, state["layer{i}"] = f(params["layer{i}"], x, stride=1)',
    'x = f(params["{word}"], x, size={number})',
    "x = f(x, {number}, {number})",
    "x = f(x, {i})",
    "x = f(x, {i}.0)",
    "y = f(x)",
    'x = f(y, -{i}, (1, {number}), at="{word}")',
    "x = f(lambda x: {i})",
]


def written(random: Random) -> list[str]:
    """Lines of which some repeat, a few after another, with other numbers and texts."""
    lines: list[str] = []
    for _ in range(4):
        period = [random.choice(LINES) for _ in range(random.choice([1, 1, 2, 3, 5]))]
        start = random.choice([0, 1, 7])
        for i in range(start, start + random.choice([1, 2, 3, 4, 9])):
            word, number = random.choice(["conv", "norm1", "b00"]), random.randrange(3)
            lines += [p.format(i=i, word=word, number=number) for p in period]
    return lines


def done(lines: list[ast.stmt]) -> list[Any]:
    """What a program calls, and with what, in order."""
    log: list[Any] = []

    def f(*args: Any, **more: Any) -> tuple[str, str]:
        shown = [a(0) if callable(a) else a for a in args]
        log.append(repr((shown, more)))
        return f"x{len(log)}", f"s{len(log)}"

    class Keys(dict[str, Any]):
        def __missing__(self, key: str) -> str:
            return f"params of {key}"

    state: dict[str, Any] = {}
    exec(render(lines), {"f": f, "params": Keys(), "state": state, "x": "x", "y": "y"})
    return [*log, state]


@pytest.mark.parametrize("seed", range(60))
def test_loops_do_what_the_lines_did(seed: int) -> None:
    text = written(Random(seed))
    body = ast.parse("\n".join(text)).body
    loops = rolled(body, {"f", "params", "state"})
    assert render(body) == "\n".join(text)  # they are not changed
    assert done(loops) == done(body)
    assert len(render(loops).splitlines()) <= len(text) + 2  # a long table


def rows(lines: str, taken: set[str] | None = None) -> str:
    return render(rolled(ast.parse(lines).body, taken or set()))


def test_a_loop_says_only_what_differs() -> None:
    line = 'x, state["layer{0}"] = layer(params["layer{0}"], x, stride=1)\n'
    assert rows("".join(map(line.format, range(2, 5)))) == (
        'for name in ("layer2", "layer3", "layer4"):\n'
        "    x, state[name] = layer(params[name], x, stride=1)"
    )
    assert rows("".join(map(line.format, range(1, 49)))) == (
        "for i in range(1, 49):\n"
        '    x, state[f"layer{i}"] = layer(params[f"layer{i}"], x, stride=1)'
    )


def test_numbers_have_the_name_of_their_argument() -> None:
    pair = 'x = conv(x, params["conv{0}"], stride={1})\nx = relu(x)\n'
    text = "".join(pair.format(*p) for p in ((1, 2), (2, 2), (3, 4)))
    assert rows(text, {"stride"}) == (
        'for name, stride_ in (("conv1", 2), ("conv2", 2), ("conv3", 4)):\n'
        "    x = conv(x, params[name], stride=stride_)\n"
        "    x = relu(x)"
    )


@pytest.mark.parametrize(
    "lines",
    [
        "x = f(x)\nx = f(x)",  # twice is no run
        "a = f(x, 1)\nb = f(x, 2)\nc = f(x, 3)",  # other locals
        "x = f(x, 1, 2, 3, 4)\nx = f(x, 5, 6, 7, 8)\nx = f(x, 9, 1, 2, 5)",  # a table
        "x = f(x, True)\nx = f(x, False)\nx = f(x, True)",  # a choice is no number
    ],
)
def test_other_lines_stay(lines: str) -> None:
    assert rows(lines) == lines
