"""Models with memory of memax: layers between feed-forward ones, of one sequence."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from memax.equinox.models.residual import ResidualModel
from memax.equinox.semigroups import delta, fart, ffm, fwp, gdn, lrnn, lru, nmax, s6
from memax.equinox.set_actions import elman, gru, lstm, mgu

import blox as bx

from . import Example

KEY = jax.random.key(0)


def _model(make: Callable[..., Any], **options: Any) -> Any:
    """Makes a model of such layers, later."""

    def layer(recurrent_size: int, key: jax.Array) -> Any:
        return make(recurrent_size=recurrent_size, key=key, **options)

    def call(m: Any, x: jax.Array) -> jax.Array:
        start = jnp.zeros(x.shape[0], bool)
        return m(m.initialize_carry(), (x, start))[1]

    def example() -> Example:
        model = ResidualModel(layer, 3, 2, 4, key=KEY)
        return Example(call, {"x": bx.Input(["time", 3])}, model, sizes={"time": 6})

    return example


def _sized(make: Callable[..., Any]) -> Any:
    return _model(partial(make, hidden_size=4))


def _ffm(recurrent_size: int, key: jax.Array) -> Any:
    return ffm.FFM(recurrent_size, 3, 4, key=key)


LAYERS: dict[str, Callable[[], Example]] = {
    "delta_net": _sized(delta.DeltaNet),
    "elman": _sized(elman.Elman),
    "fart": _sized(fart.FART),
    "ffm": _model(_ffm),
    "fwp": _sized(fwp.FWP),
    "gdn": _sized(gdn.GDN),
    "gru": _model(gru.GRU),
    "linear_recurrent": _model(lrnn.LinearRecurrent),
    "lru": _sized(lru.LRU),
    "lstm": _model(lstm.LSTM),
    "mgu": _model(mgu.MGU),
    "nmax": _model(nmax.NMax),
    "s6": _sized(s6.S6),
}
