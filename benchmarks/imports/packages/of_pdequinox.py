"""Models of pdequinox."""

from typing import Any

import jax
import pdequinox as pdeqx

import blox as bx

from . import Example

KEY = jax.random.key(0)
AXES = ("x", "y")


def _net(model: Any, dims: int = 1) -> Example:
    axes = AXES[:dims]
    return Example(
        lambda m, u: jax.vmap(m)(u),
        {"u": bx.Input(["batch", 2, *axes])},
        model,
        sizes=dict.fromkeys(axes, 16),
    )


def conv_net() -> Example:
    return _net(pdeqx.arch.ConvNet(1, 2, 3, hidden_channels=4, depth=2, key=KEY))


def conv_net_dirichlet() -> Example:
    model = pdeqx.arch.ConvNet(
        2, 2, 3, hidden_channels=4, depth=2, boundary_mode="dirichlet", key=KEY
    )
    return _net(model, 2)


def conv_net_neumann() -> Example:
    model = pdeqx.arch.ConvNet(
        1, 2, 3, hidden_channels=4, depth=2, boundary_mode="neumann", key=KEY
    )
    return _net(model)


def classic_res_net() -> Example:
    model = pdeqx.arch.ClassicResNet(1, 2, 3, hidden_channels=4, num_blocks=2, key=KEY)
    return _net(model)


def modern_res_net() -> Example:
    model = pdeqx.arch.ModernResNet(2, 2, 3, hidden_channels=4, num_blocks=2, key=KEY)
    return _net(model, 2)


def dilated_res_net() -> Example:
    model = pdeqx.arch.DilatedResNet(
        1, 2, 3, hidden_channels=4, dilation_rates=(1, 2, 1), key=KEY
    )
    return _net(model)


def classic_u_net() -> Example:
    model = pdeqx.arch.ClassicUNet(1, 2, 3, hidden_channels=4, num_levels=2, key=KEY)
    return _net(model)


def modern_u_net() -> Example:
    model = pdeqx.arch.ModernUNet(1, 2, 3, hidden_channels=4, num_levels=2, key=KEY)
    return _net(model)


def classic_fno() -> Example:
    model = pdeqx.arch.ClassicFNO(
        1, 2, 3, hidden_channels=4, num_modes=3, num_blocks=2, key=KEY
    )
    return _net(model)


def mlp() -> Example:
    model = pdeqx.arch.MLP(1, 2, 3, num_points=16, width_size=8, depth=2, key=KEY)
    return Example(
        lambda m, u: jax.vmap(m)(u), {"u": bx.Input(["batch", 2, 16])}, model
    )
