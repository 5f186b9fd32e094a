"""Selective state spaces: Mamba, over whole sequences and step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .parts import at_least_one, expect

if TYPE_CHECKING:
    from ..function import FunctionBuilder
    from ..values import Value


def mamba(
    f: FunctionBuilder,
    x: Value,
    *,
    inner: int | None = None,
    state_size: int = 16,
    kernel: int = 4,
    rank: int | None = None,
    use_bias: bool = False,
) -> Value:
    """A gated selective scan: (..., time, features) -> (..., time, features).

    `out_proj(scan(silu(conv(u))) * silu(gate))`, u and gate being halves of `in_proj(x)`.
    The scan is `h[t] = exp(dt[t] * a) * h[t - 1] + dt[t] * b[t] * u[t]`,
    `y[t] = h[t] @ c[t] + d * u[t]` for each feature u, with a state h of `state_size`;
    dt, b and c are maps of u. Gu and Dao, arXiv:2312.00752. All steps are taken at once,
    by `linear_recurrence`; `mamba_step` takes one after another.

    Parameters: `in_proj`, `conv`, `x_proj`, `dt_proj`, `a_log` (inner, state_size), which
    starts as log(1) to log(state_size) (S4D, arXiv:2206.11893), `d` (inner), `out_proj`.

    Args:
        f: writes it.
        x: (..., time, features).
        inner: the features of the scan, by default 2 * features.
        state_size: the numbers that a feature keeps.
        kernel: how many steps the convolution sees, itself and those before.
        rank: of the map that gives dt, by default ceil(features / 16).
        use_bias: `in_proj` and `out_proj` have one; `conv` and `dt_proj` always do.

    Raises:
        SpecError: a size below 1.
    """
    width = _width(x, inner, state_size, kernel, rank)
    u, gate = _parts(f, x, width, use_bias)
    u = f.silu(f.conv("conv", u, width, [kernel], padding="CAUSAL", groups=width))
    y, _ = _scan(f, u, None, state_size, _rank(x, rank))
    return f.linear("out_proj", y * f.silu(gate), x.features, use_bias=use_bias)


def mamba_step(
    f: FunctionBuilder,
    x: Value,
    window: Value,
    h: Value,
    *,
    kernel: int = 4,
    rank: int | None = None,
    use_bias: bool = False,
) -> dict[str, Value]:
    """The next steps of `mamba`, from where the last ones ended.

    Parameters: those of `mamba`.

    Args:
        f: writes it.
        x: (..., time, features), often of one step.
        window: (..., kernel - 1, inner), what the convolution saw last, at first zeros.
        h: (..., inner, state_size), the state, at first zeros.
        kernel: as `rank` and `use_bias`, in `mamba`.
        rank: see `kernel`.
        use_bias: see `kernel`.

    Returns:
        `y` (..., time, features), and the next `window` and `h`.

    Raises:
        SpecError: a size below 1, or a `window` that is not of `kernel - 1` steps.
    """
    width = _width(x, window.features, h.features, kernel, rank)
    steps = window.shape[-2]
    fits = not isinstance(steps, int) or steps == kernel - 1
    expect(x, fits, "window", f"{kernel - 1} steps", steps, "as many as kernel - 1")
    u, gate = _parts(f, x, width, use_bias)
    seen = f.concatenate([window, u], axis=-2, name="seen")
    u = f.silu(f.conv("conv", seen, width, [kernel], padding="VALID", groups=width))
    y, states = _scan(f, u, h, h.features, _rank(x, rank))
    y = f.linear("out_proj", y * f.silu(gate), x.features, use_bias=use_bias)
    return {
        "y": y,
        "window": seen[..., 1 - kernel :, :],
        "h": states[..., -1, :, :],
    }


def _width(
    x: Value, inner: int | None, state_size: int, kernel: int, rank: int | None
) -> int:
    width = 2 * x.features if inner is None else inner
    at_least_one(x, inner=width, state_size=state_size, kernel=kernel, rank=rank)
    return width


def _rank(x: Value, rank: int | None) -> int:
    return (x.features + 15) // 16 if rank is None else rank


def _parts(
    f: FunctionBuilder, x: Value, width: int, use_bias: bool
) -> tuple[Value, Value]:
    """What is scanned, and its gate."""
    both = f.linear("in_proj", x, 2 * width, use_bias=use_bias)
    u, gate = f.split(both, 2, axis=-1, names=["u", "gate"], name="parts")
    return u, gate


def _scan(
    f: FunctionBuilder, u: Value, start_h: Value | None, state_size: int, rank: int
) -> tuple[Value, Value]:
    """What the scan gives, and its state at each step, (..., time, inner, state_size)."""
    width = u.features
    all_three = f.linear("x_proj", u, rank + 2 * state_size, use_bias=False)
    dt, b, c = f.split(
        all_three, [rank, state_size, state_size], axis=-1, names=["dt", "b", "c"],
        name="selected",
    )  # fmt: skip
    # Steps that start near 0.01: softplus of the bias.
    near = {"name": "constant", "value": -4.6}
    dt = f.softplus(f.linear("dt_proj", dt, width, init={"bias": near}), name="dt")
    counted = {"name": "progression", "start": 1.0, "of": "log"}
    a_log = f.param("a_log", [width, state_size], init={"value": counted})
    a = f.negative(f.exp(a_log), name="a")
    decay = f.exp(a * dt[..., None], name="decay")
    gain = f.multiply((dt * u)[..., None], b[..., None, :], name="gain")
    h = f.linear_recurrence(decay, gain, -3, initial=start_h, name="states")
    y = f.einsum([h, c], "...ds,...s->...d")
    return y + u * f.param("d", [width], init={"value": {"name": "ones"}}), h
