"""Models of esm2quinox."""

import esm2quinox
import jax

import blox as bx

from . import Example

TOKENS = {"tokens": bx.Input(["batch", "length"], "int32")}


def _esm2(token_dropout: bool) -> Example:
    model = esm2quinox.ESM2(2, 16, 2, token_dropout, jax.random.key(0))
    return Example(
        lambda m, tokens: jax.vmap(m)(tokens), TOKENS, model, sizes={"length": 7}
    )


def esm2() -> Example:
    return _esm2(False)


def esm2_token_dropout() -> Example:
    return _esm2(True)
