"""Models of mamba2-jax."""

from flax import nnx
from mamba2_jax import Mamba2Config, Mamba2ForCausalLM
from mamba2_jax.modeling import Mamba2Forecaster

import blox as bx

from . import Example


def mamba2_for_causal_lm() -> Example:
    config = Mamba2Config(
        vocab_size=32,
        hidden_size=16,
        state_size=4,
        head_dim=8,
        chunk_size=4,
        num_hidden_layers=2,
    )
    return Example(
        lambda m, input_ids: m(input_ids)["logits"],
        {"input_ids": bx.Input(["batch", "seq"], "int32")},
        Mamba2ForCausalLM(config, rngs=nnx.Rngs(0)),
        sizes={"seq": 8},
    )


def mamba2_forecaster() -> Example:
    model = Mamba2Forecaster(
        3, 16, 2, 1, 4, d_state=4, headdim=8, chunk_size=4, rngs=nnx.Rngs(0)
    )
    return Example(
        lambda m, x: m(x),
        {"x": bx.Input(["batch", "seq", 3])},
        model,
        sizes={"seq": 8},
    )
