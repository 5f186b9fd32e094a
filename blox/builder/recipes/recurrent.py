"""Recurrent networks over time, as recipes: cells under `scan`, in layers and directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from ..arguments import index, slices

if TYPE_CHECKING:
    from ..function import FunctionBuilder
    from ..values import Value

Values = dict[str, "Value"]


def lstm(
    f: FunctionBuilder,
    x: Value,
    h: Value | None = None,
    c: Value | None = None,
    lengths: Value | None = None,
    *,
    units: int,
    layers: int = 1,
    bidirectional: bool = False,
    reverse: bool = False,
    use_bias: bool = True,
) -> Values:
    """Layers of `lstm_cell` over time, as `torch.nn.LSTM` has them, batch first.

    Parameters: `layer_0.cell`, `layer_1.cell`, ...; of what runs backwards
    `layer_0_reverse.cell`, ...

    Args:
        f: writes it.
        x: (..., time, features).
        h: (..., layers * directions, units), where each begins, directions of a layer
            side by side; by default with zeros.
        c: as `h`.
        lengths: (...) integer, how many steps count. From there on y is 0 and states
            stay; what runs backwards begins there.
        units: of each layer and direction.
        layers: each runs over what the one before gave.
        bidirectional: each layer runs both ways, and joins what both give.
        reverse: of one direction: from the last step to the first.
        use_bias: of the cells.

    Returns:
        `y` (..., time, directions * units), and where each ended, `h` and `c`
        (..., layers * directions, units).

    Raises:
        SpecError: one of `h` and `c` alone, or `reverse` of both directions.
    """
    return _over_time(
        f, x, lstm_layer, {"h": h, "c": c}, lengths, layers, bidirectional, reverse,
        {"units": units, "use_bias": use_bias},
    )  # fmt: skip


def gru(
    f: FunctionBuilder,
    x: Value,
    h: Value | None = None,
    lengths: Value | None = None,
    *,
    units: int,
    layers: int = 1,
    bidirectional: bool = False,
    reverse: bool = False,
    variant: Literal["reset_after", "original"] = "reset_after",
    use_bias: bool = True,
) -> Values:
    """Layers of `gru_cell` over time, as `torch.nn.GRU` has them, batch first.

    Parameters and arguments as of `lstm`, and `variant` of the cells.

    Returns:
        `y` (..., time, directions * units), and where each ended, `h`
        (..., layers * directions, units).
    """
    return _over_time(
        f, x, gru_layer, {"h": h}, lengths, layers, bidirectional, reverse,
        {"units": units, "variant": variant, "use_bias": use_bias},
    )  # fmt: skip


def simple_rnn(
    f: FunctionBuilder,
    x: Value,
    h: Value | None = None,
    lengths: Value | None = None,
    *,
    units: int,
    layers: int = 1,
    bidirectional: bool = False,
    reverse: bool = False,
    activation: Literal["tanh", "relu"] = "tanh",
    use_bias: bool = True,
) -> Values:
    """Layers of `rnn_cell` over time, as `torch.nn.RNN` has them, batch first.

    Parameters and arguments as of `lstm`, and `activation` of the cells. Returns as `gru`.
    """
    return _over_time(
        f, x, rnn_layer, {"h": h}, lengths, layers, bidirectional, reverse,
        {"units": units, "activation": activation, "use_bias": use_bias},
    )  # fmt: skip


def _over_time(
    f: FunctionBuilder,
    x: Value,
    layer: Callable[..., Values],
    begin: Mapping[str, Value | None],
    lengths: Value | None,
    count: int,
    bidirectional: bool,
    reverse: bool,
    options: Mapping[str, Any],
) -> Values:
    """What layers give, one after another, and where they end."""
    given = {name: value for name, value in begin.items() if value is not None}
    if given and len(given) < len(begin):
        x.fault("builder-value", "expected h and c together")
    if bidirectional and reverse:
        x.fault(
            "builder-value", "expected one of bidirectional and reverse, found both"
        )
    ends: dict[str, list[Value]] = {name: [] for name in begin}
    ways = (False, True) if bidirectional else (reverse,)
    for number in range(count):
        ys: list[Value] = []
        for backwards in ways:
            at = number * len(ways) + len(ys)
            start = {name: value[..., at, :] for name, value in given.items()}
            name = f"layer_{number}_reverse" if backwards else f"layer_{number}"
            run = f.call(name, layer)
            found = run(x, **start, lengths=lengths, reverse=backwards, **options)
            ys.append(found["y"])
            for end, values in ends.items():
                values.append(found[end])
        x = ys[0] if len(ys) == 1 else f.concatenate(ys, axis=-1)
    return {"y": x} | {name: f.stack(end, axis=-2) for name, end in ends.items()}


def _scanned(
    f: FunctionBuilder,
    x: Value,
    step: Callable[..., Values],
    begin: Mapping[str, Value | None],
    lengths: Value | None,
    units: int,
    reverse: bool,
    options: Mapping[str, Any],
) -> Values:
    """One layer in one direction."""
    start: dict[str, Value] = {}
    for name, value in begin.items():
        start[name] = f.zeros([*x.shape[:-2], units]) if value is None else value
    run = f.scan("steps", step, axis=-2, reverse=reverse, params=".")
    counted = {} if lengths is None else {"lengths": lengths, "time": index()}
    return run(**start, x=slices(x), **counted, **options)


def lstm_layer(
    f: FunctionBuilder,
    x: Value,
    h: Value | None = None,
    c: Value | None = None,
    lengths: Value | None = None,
    *,
    units: int,
    reverse: bool,
    use_bias: bool,
) -> Values:
    """One layer in one direction: x (..., time, features)."""
    begin, options = {"h": h, "c": c}, {"use_bias": use_bias}
    return _scanned(f, x, lstm_step, begin, lengths, units, reverse, options)


def gru_layer(
    f: FunctionBuilder,
    x: Value,
    h: Value | None = None,
    lengths: Value | None = None,
    *,
    units: int,
    reverse: bool,
    variant: Literal["reset_after", "original"],
    use_bias: bool,
) -> Values:
    """One layer in one direction: x (..., time, features)."""
    options = {"variant": variant, "use_bias": use_bias}
    return _scanned(f, x, gru_step, {"h": h}, lengths, units, reverse, options)


def rnn_layer(
    f: FunctionBuilder,
    x: Value,
    h: Value | None = None,
    lengths: Value | None = None,
    *,
    units: int,
    reverse: bool,
    activation: Literal["tanh", "relu"],
    use_bias: bool,
) -> Values:
    """One layer in one direction: x (..., time, features)."""
    options = {"activation": activation, "use_bias": use_bias}
    return _scanned(f, x, rnn_step, {"h": h}, lengths, units, reverse, options)


def lstm_step(
    f: FunctionBuilder,
    h: Value,
    c: Value,
    x: Value,
    lengths: Value | None = None,
    time: Value | None = None,
    *,
    use_bias: bool,
) -> Values:
    """One step: x (..., features)."""
    new_h, new_c = f.lstm_cell("cell", x, h, c, use_bias=use_bias)
    return _counted(f, {"h": h, "c": c}, {"h": new_h, "c": new_c}, lengths, time)


def gru_step(
    f: FunctionBuilder,
    h: Value,
    x: Value,
    lengths: Value | None = None,
    time: Value | None = None,
    *,
    variant: Literal["reset_after", "original"],
    use_bias: bool,
) -> Values:
    """One step: x (..., features)."""
    new = f.gru_cell("cell", x, h, variant=variant, use_bias=use_bias)
    return _counted(f, {"h": h}, {"h": new}, lengths, time)


def rnn_step(
    f: FunctionBuilder,
    h: Value,
    x: Value,
    lengths: Value | None = None,
    time: Value | None = None,
    *,
    activation: Literal["tanh", "relu"],
    use_bias: bool,
) -> Values:
    """One step: x (..., features)."""
    new = f.rnn_cell("cell", x, h, activation=activation, use_bias=use_bias)
    return _counted(f, {"h": h}, {"h": new}, lengths, time)


def _counted(
    f: FunctionBuilder,
    old: Values,
    new: Values,
    lengths: Value | None,
    time: Value | None,
) -> Values:
    """The new states where a step counts, the old ones where it does not."""
    if lengths is None or time is None:
        return new | {"y": new["h"]}
    counts = f.expand_dims(f.less(time, lengths), axis=-1)
    kept = {name: f.where(counts, new[name], value) for name, value in old.items()}
    return kept | {"y": f.where(counts, new["h"], 0.0)}
