"""Gives a trained model another head, and trains that alone: digits become even or odd.

    python examples/retrain_head.py

The model is that of `blox demo`, the data are the digits of scikit-learn. Takes about ten
seconds on two cores; needs the extra `train`.
"""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits

import blox as bx

HELD_OUT = 360
STEPS = 30


def even_or_odd(digits: bx.Graph) -> bx.Graph:
    """images (batch, 8, 8) -> logits (batch, 2), with the parameters of `digits`."""
    b = bx.GraphBuilder("even_or_odd", classes=2)

    def parity(f: bx.F, node: bx.Node) -> bx.Value:
        return f.linear("parity", node.x, b.classes)

    base = b.include(digits, around={"main.head": parity})

    @b.entry(images=bx.Input(["batch", 8, 8], doc="gray values from 0 to 16"))
    def main(f: bx.F, images: bx.Value) -> dict[str, bx.Value]:
        return {"logits": f.call("digits", base.main)(images)}

    return b.graph(license="MIT")


def main() -> None:
    with as_file(files("blox.demo_data")) as folder:
        digits, weights = bx.load(folder, mmap=False)
    graph = even_or_odd(digits)
    del weights["head"]
    params = bx.init(graph, jax.random.key(0), given={"digits": weights})
    freeze = [f"digits.{name}" for name in weights]
    trainable, rest = bx.split(graph, params, freeze=freeze)

    images, labels = load_digits(return_X_y=True)
    x = jnp.asarray(images, "float32").reshape(-1, 8, 8)
    y = jnp.asarray(labels % 2, "int32")
    model, optimiser = bx.build(graph), optax.adam(0.05)

    def loss(trainable: Any, rest: Any, x: jax.Array, y: jax.Array) -> jax.Array:
        logits, _ = model(bx.merge(trainable, rest), x)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, y)
        return jnp.mean(losses)

    @jax.jit
    def step(trainable: Any, state: Any, *given: Any) -> tuple[Any, Any, jax.Array]:
        value, grads = jax.value_and_grad(loss)(trainable, *given)
        updates, state = optimiser.update(grads, state)
        return optax.apply_updates(trainable, updates), state, value

    trained, state, losses = trainable, optimiser.init(trainable), []
    for _ in range(STEPS):
        trained, state, value = step(trained, state, rest, x[:-HELD_OUT], y[:-HELD_OUT])
        losses.append(value)
    logits, _ = jax.jit(model)(bx.merge(trained, rest), x[-HELD_OUT:])
    right = float(np.mean(np.argmax(logits, -1) == y[-HELD_OUT:]))
    count = sum(a.size for a in jax.tree.leaves(trainable))
    print(
        f"{count} of {sum(a.size for a in jax.tree.leaves(params)):,} numbers trained"
    )
    print(f"loss {losses[0]:.2f} -> {losses[-1]:.2f}, {right:.1%} of new digits right")
    assert right > 0.9


if __name__ == "__main__":
    main()
