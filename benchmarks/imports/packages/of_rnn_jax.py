"""State-space and recurrent models of rnn-jax."""

from typing import Any

import jax

import blox as bx

from . import Example

KEY = jax.random.key(0)


def _over_time(model: Any) -> Example:
    return Example(
        lambda m, x: jax.vmap(m)(x),
        {"x": bx.Input(["batch", "time", 3])},
        model,
        sizes={"time": 8},
    )


def _recurrent(cell: Any) -> Example:
    from rnn_jax.layers.rnn import RNN

    return _over_time(RNN(cell, 2, key=KEY))


def elman() -> Example:
    from rnn_jax.cells import ElmanRNNCell

    return _recurrent(ElmanRNNCell(3, 4, key=KEY))


def independent() -> Example:
    from rnn_jax.cells import IndRNNCell

    return _recurrent(IndRNNCell(3, 4, key=KEY))


def lstm() -> Example:
    from rnn_jax.cells import LongShortTermMemory

    return _recurrent(LongShortTermMemory(3, 4, key=KEY))


def gru() -> Example:
    from rnn_jax.cells import GatedRecurrentUnit

    return _recurrent(GatedRecurrentUnit(3, 4, key=KEY))


def antisymmetric() -> Example:
    from rnn_jax.cells import AntiSymmetricRNNCell

    return _recurrent(AntiSymmetricRNNCell(3, 4, 0.1, 0.1, key=KEY))


def gated_antisymmetric() -> Example:
    from rnn_jax.cells import GatedAntiSymmetricRNNCell

    return _recurrent(GatedAntiSymmetricRNNCell(3, 4, 0.1, 0.1, key=KEY))


def lipschitz() -> Example:
    from rnn_jax.cells import LipschitzRNNCell

    return _recurrent(
        LipschitzRNNCell(3, 4, 0.65, 1.0, 0.65, 1.0, 0.001, 1 / 16, key=KEY)
    )


def coupled_oscillatory() -> Example:
    from rnn_jax.cells import CoupledOscillatoryRNNCell

    return _recurrent(CoupledOscillatoryRNNCell(3, 4, 1.0, 1.0, 0.01, key=KEY))


def unitary() -> Example:
    from rnn_jax.cells import UnitaryEvolutionRNNCell

    return _recurrent(UnitaryEvolutionRNNCell(3, 4, key=KEY))


def clockwork() -> Example:
    from rnn_jax.cells import ClockWorkRNNCell

    cell = ClockWorkRNNCell(
        3, [4, 3, 5], periods=[2, 4, 8], nonlinearity=jax.nn.relu, key=KEY
    )
    return _recurrent(cell)


def bidirectional_lstm() -> Example:
    from rnn_jax.cells import LongShortTermMemory
    from rnn_jax.layers.rnn import BidirectionalRNN

    cells = [LongShortTermMemory(3, 4, key=k) for k in jax.random.split(KEY)]
    return _over_time(BidirectionalRNN(*cells, 2, key=KEY))


def deep_lstm() -> Example:
    from rnn_jax.cells import LongShortTermMemory
    from rnn_jax.layers.rnn import DeepRNN

    cells = [LongShortTermMemory(n, 4, key=KEY) for n in (3, 4, 4)]
    return _over_time(DeepRNN(cells, 2, key=KEY))


def linear_recurrent_unit() -> Example:
    from rnn_jax.ssm import (
        DeepStateSpaceModelEncoder,
        GLUMixer,
        LinearRecurrentUnit,
    )

    layers = [LinearRecurrentUnit(4, 4, 4, key=KEY) for _ in range(2)]
    mixers = [GLUMixer(4, 4, key=KEY) for _ in range(2)]
    return _over_time(DeepStateSpaceModelEncoder(3, layers, mixers, out_dim=2, key=KEY))


def simplified_state_space() -> Example:
    from rnn_jax.ssm import DeepStateSpaceModelEncoder, GLUMixer
    from rnn_jax.ssm.s5 import SimplifiedStateSpaceLayer

    layers = [SimplifiedStateSpaceLayer(4, 4, 4, key=KEY) for _ in range(2)]
    mixers = [GLUMixer(4, 4, key=KEY) for _ in range(2)]
    return _over_time(DeepStateSpaceModelEncoder(3, layers, mixers, out_dim=2, key=KEY))
