"""Random models in Python: three levels of functions, loops and branches among them.

What a function does is drawn once; what its calls give it differs from call to call.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import blox as bx
from blox.schema import Graph


@dataclass(frozen=True)
class Given:
    """The arguments from which a stage takes what it needs."""

    n: int
    """A size, with its expression."""
    m: int
    """A small number."""
    s: float
    act: str
    flag: bool


Stage = Callable[[bx.F, str, bx.Value, bx.Value | None, Given], bx.Value]
"""Writes nodes of a name behind x, of shape (batch, seq, features), and gives the like."""


def stages_of(r: random.Random) -> dict[str, Stage]:
    """Stages, each with a body that is drawn."""
    more, twice, shifted, wide, rolled = (
        r.random() < p for p in (0.3, 0.3, 0.5, 0.5, 0.5)
    )

    def dense(
        f: bx.F, x: bx.Value, *, n: int, act: str = "relu", norm: bool = False,
        s: float = 1.0,
    ) -> bx.Value:  # fmt: skip
        size = 2 * n if twice else n + (x.features if more else 0)
        x = f.linear("l", x, size)
        if norm:
            x = f.layer_norm("n", x)
        x = getattr(f, act)(x) * s
        return x + n if shifted else x

    def attend(
        f: bx.F, x: bx.Value, mask: bx.Value | None = None, *, heads: int
    ) -> bx.Value:
        x = f.linear("up", x, 4 * heads).reshape(..., heads, 4)
        return f.flatten(f.dot_product_attention(x, x, x, mask), start=-2)

    def padded(f: bx.F, x: bx.Value, *, k: int) -> bx.Value:
        zeros = f.zeros([x.shape[0], x.shape[1], k])
        return f.concatenate([x, zeros], axis=-1)

    def moved(f: bx.F, x: bx.Value, *, k: int) -> bx.Value:
        first = f.zeros([x.shape[0], k, x.features])
        if rolled:
            first = x[:, x.shape[1] - k :]
        return f.concatenate([first, x[:, : x.shape[1] - k]], axis=1)

    def cell(f: bx.F, h: bx.Value, x: bx.Value, *, s: float) -> dict[str, bx.Value]:
        h = f.tanh(f.linear("w", x, h.features) + h * s)
        return {"h": h, "y": h}

    def total(f: bx.F, sofar: bx.Value, x: bx.Value, *, by: float) -> bx.Value:
        return sofar + x.mean() * by

    def scaled(f: bx.F, x: bx.Value, *, n: int, s: float) -> bx.Value:
        return f.linear("p", x, n) * s

    def plain(f: bx.F, x: bx.Value, *, n: int, s: float) -> bx.Value:
        return f.linear("p", x, n, use_bias=False) + (s if shifted else n)

    def small(f: bx.F, x: bx.Value, i: bx.Value, *, k: int, s: float) -> bx.Value:
        return i < k

    def grow(
        f: bx.F, x: bx.Value, i: bx.Value, *, k: int, s: float
    ) -> dict[str, bx.Value]:
        return {"x": x * s + (i if wide else k), "i": i + 1}

    def residual(f: bx.F, x: bx.Value, *, s: float) -> bx.Value:
        return x + f.linear("l", x, x.features) * s

    def joined(f: bx.F, xs: list[bx.Value], *, sizes: list[int]) -> bx.Value:
        first = f.linear("a", xs[0], sizes[0])
        return f.concatenate([first, xs[1][..., : sizes[1]]], axis=-1)

    def call(f: bx.F, at: str, x: bx.Value, mask: Any, g: Given) -> bx.Value:
        return f.call(at, dense)(x, n=g.n, act=g.act, norm=g.flag, s=g.s)

    def attention(f: bx.F, at: str, x: bx.Value, mask: Any, g: Given) -> bx.Value:
        if g.flag:
            return f.call(at, attend)(x, heads=g.m)
        return f.call(at, attend)(x, mask, heads=g.n if wide else g.m)

    def pad(f: bx.F, at: str, x: bx.Value, mask: Any, g: Given) -> bx.Value:
        return f.call(at, padded)(x, k=g.n if wide else g.m)

    def move(f: bx.F, at: str, x: bx.Value, mask: Any, g: Given) -> bx.Value:
        return f.call(at, moved)(x, k=g.m)

    def scan(f: bx.F, at: str, x: bx.Value, mask: Any, g: Given) -> bx.Value:
        start = f.zeros([x.shape[0], g.n])
        return f.scan(at, cell, axis=1)(start, bx.slices(x), s=g.s)["y"]

    def summed(f: bx.F, at: str, x: bx.Value, mask: Any, g: Given) -> bx.Value:
        zero: Any = 0.0 if g.flag else f.zeros([])
        return x + f.scan(at, total, axis=1)(zero, bx.slices(x), by=g.s)

    def lanes(f: bx.F, at: str, x: bx.Value, mask: Any, g: Given) -> bx.Value:
        if g.flag:
            return f.map(at, scaled, count=g.m)(x, n=g.n, s=g.s).sum(0)
        return f.map(at, scaled, axis=1)(bx.slices(x), n=g.n, s=g.s)

    def cond(f: bx.F, at: str, x: bx.Value, mask: Any, g: Given) -> bx.Value:
        return f.cond(at, x.mean() > g.s, scaled, plain)(x, n=g.n, s=g.s)

    def switch(f: bx.F, at: str, x: bx.Value, mask: Any, g: Given) -> bx.Value:
        which = (x.mean() > 0).astype("int32")
        parts = [plain, scaled, plain] if wide else [scaled, plain]
        return f.switch(at, which, parts)(x, n=g.n, s=g.s)

    def loop(f: bx.F, at: str, x: bx.Value, mask: Any, g: Given) -> bx.Value:
        start: Any = 0
        run = f.while_loop(at, small, grow, max_steps=4)
        return run(x, start, k=g.m, s=g.s)["x"]

    def repeat(f: bx.F, at: str, x: bx.Value, mask: Any, g: Given) -> bx.Value:
        s = bx.each([g.s, 0.5]) if g.m == 2 else g.s
        return f.repeat(at, residual, count=int(g.m), scan=not g.flag)(x, s=s)

    def copies(f: bx.F, at: str, x: bx.Value, mask: Any, g: Given) -> bx.Value:
        sizes = bx.each([g.n, g.n + g.m])
        return f.repeat(at, dense, count=int(g.m), scan=False)(x, n=sizes, s=g.s)

    def parts(f: bx.F, at: str, x: bx.Value, mask: Any, g: Given) -> bx.Value:
        return f.call(at, joined)([x, f.relu(x)], sizes=[g.n, 1])

    found: list[Stage] = [
        call, attention, pad, move, scan, summed, lanes, cond, switch, loop, repeat,
        copies, parts,
    ]  # fmt: skip
    return {stage.__name__: stage for stage in found}


def program(seed: int) -> Callable[..., Graph]:
    """A random program, by its attributes: entry x (batch, seq, width), mask optional."""

    def make(width: int = 8, heads: int = 2) -> Graph:
        r = random.Random(seed)
        stages = stages_of(r)
        own = r.sample(list(stages), 6)
        size = r.choice(["n", "2 * n", "n + m", "features"])

        def mid_of(names: list[str]) -> Any:
            def mid(
                f: bx.F, x: bx.Value, mask: bx.Value | None = None, *, n: int, m: int,
                s: float = 1.0, act: str = "relu", flag: bool = False,
            ) -> bx.Value:  # fmt: skip
                for i, name in enumerate(names):
                    own = {"n": n, "2 * n": 2 * n, "n + m": n + m}
                    given = Given(own.get(size, x.features), m, s, act, flag)
                    x = stages[name](f, f"{name}_{i}", x, mask, given)
                return x

            return mid

        mids = [mid_of(own[:2]), mid_of(own[2:4])]

        def outer(
            f: bx.F, x: bx.Value, mask: bx.Value | None = None, *, n: int, m: int,
            more: bool, flag: bool = False,
        ) -> bx.Value:  # fmt: skip
            y = f.call("a", mids[0])(x, mask, n=n, m=m, flag=flag)
            if more:
                y = f.call("b", mids[1])(y, mask, n=n * m, m=1, s=2)
            return f.concatenate([x, y], axis=-1)

        b = bx.GraphBuilder("m", width=width, heads=heads)
        b.dim("seq", min=4)
        sizes = [2, 3, b.width, b.heads, b.width // b.heads]
        plan = [
            (
                r.choice([*own, "mid_0", "mid_1", "outer", "outer"]), r.choice(sizes),
                r.choice([1, 2, 3]), r.choice([1, 2, 0.5, 1.0, 2.0, b.heads]),
                r.choice(["relu", "tanh"]), r.random() < 0.4, r.random() < 0.5,
                r.random() < 0.5,
            )
            for _ in range(r.randint(1, 3))
        ]  # fmt: skip
        optional = r.random() < 0.5

        @b.entry(
            x=bx.Input(["batch", "seq", b.width]),
            mask=bx.Input([1, 1, 1, 1], "bool", optional=optional),
        )
        def main(f: bx.F, x: bx.Value, mask: bx.Value) -> dict[str, bx.Value]:
            found = {}
            for i, (kind, n, m, s, act, flag, chain, masked) in enumerate(plan):
                at, given = f"c{i}", mask if masked else None
                if kind == "outer":
                    y = f.call(at, outer)(x, given, n=n, m=m, more=masked, flag=flag)
                elif kind.startswith("mid"):
                    mid = mids[int(kind[-1])]
                    y = f.call(at, mid)(x, given, n=n, m=m, s=s, act=act, flag=flag)
                else:
                    y = stages[kind](f, at, x, given, Given(n, m, s, act, flag))
                found[f"o{i}"] = y
                x = y if chain else x
            return found

        return b.graph()

    return make
