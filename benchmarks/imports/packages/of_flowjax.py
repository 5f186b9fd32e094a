"""Flows of flowjax: the log-probability that they give."""

from typing import Any

import jax
import jax.numpy as jnp
from flowjax import flows
from flowjax.bijections import RationalQuadraticSpline
from flowjax.distributions import Normal

import blox as bx

from . import Example

KEY = jax.random.key(0)
BASE = Normal(jnp.zeros(3))


def _flow(model: Any) -> Example:
    return Example(
        lambda flow, x: flow.log_prob(x), {"x": bx.Input(["batch", 3])}, model
    )


def coupling_flow() -> Example:
    return _flow(flows.coupling_flow(KEY, base_dist=BASE, flow_layers=2, nn_width=8))


def coupling_spline_flow() -> Example:
    spline = RationalQuadraticSpline(knots=4, interval=3)
    return _flow(
        flows.coupling_flow(
            KEY, base_dist=BASE, transformer=spline, flow_layers=2, nn_width=8
        )
    )


def coupling_flow_condition() -> Example:
    model = flows.coupling_flow(
        KEY, base_dist=BASE, cond_dim=2, flow_layers=2, nn_width=8
    )
    return Example(
        lambda flow, x, u: flow.log_prob(x, u),
        {"x": bx.Input(["batch", 3]), "u": bx.Input(["batch", 2])},
        model,
    )


def masked_autoregressive_flow() -> Example:
    return _flow(
        flows.masked_autoregressive_flow(KEY, base_dist=BASE, flow_layers=2, nn_width=8)
    )


def block_neural_autoregressive_flow() -> Example:
    return _flow(
        flows.block_neural_autoregressive_flow(KEY, base_dist=BASE, nn_block_dim=4)
    )


def planar_flow() -> Example:
    return _flow(
        flows.planar_flow(
            KEY, base_dist=BASE, flow_layers=2, invert=True, negative_slope=0.1
        )
    )


def triangular_spline_flow() -> Example:
    return _flow(
        flows.triangular_spline_flow(KEY, base_dist=BASE, flow_layers=2, knots=4)
    )
