"""Trains the model of `blox demo`: a small convolutional network on handwritten digits.

    python examples/train_digits.py [--output FOLDER] [--epochs N]

Writes the model, and the digits that it has never seen, to FOLDER. The data are the
1,797 digits of 8 x 8 pixels that come with scikit-learn; the last 360 are held out.
Takes about 20 seconds on two cores; needs the extra `train`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits

import blox as bx

HELD_OUT = 360
BATCH = 64


# --- The spec --------------------------------------------------------------------


def digits() -> bx.Graph:
    """images (batch, 8, 8), from 0 white to 16 black -> logits (batch, 10)."""
    b = bx.GraphBuilder("digits", width=16, depth=2, classes=10)

    @b.entry(
        images=bx.Input(["batch", 8, 8], doc="gray values from 0 to 16"),
        key=bx.Input([], "key", optional=True, doc="for dropout, in training"),
    )
    def main(f: bx.F, images: bx.Value, key: bx.Value) -> dict[str, bx.Value]:
        x = (images * (1 / 16))[..., None]
        x = f.batch_norm("stem_norm", conv(f, "stem", x, b.width))
        # Unrolled: XLA's convolutions on CPU are slow inside of a loop.
        x = f.repeat("blocks", residual, count=b.depth, scan=False)(x)
        x = f.max_pool(f.relu(x), window=[2, 2])
        x = f.relu(f.batch_norm("wide_norm", conv(f, "wide", x, 2 * b.width)))
        x = f.dropout("drop", f.flatten(x, start=1), 0.3, key=key)
        return {"logits": f.linear("head", x, b.classes)}

    return b.graph(
        description="A small residual network that reads handwritten digits.",
        license="MIT",
        source="Optical Recognition of Handwritten Digits, UCI Machine Learning "
        "Repository, https://doi.org/10.24432/C50P49, CC BY 4.0",
    )


def residual(f: bx.F, x: bx.Value) -> bx.Value:
    y = conv(f, "conv_1", f.relu(x), x.features)
    y = conv(f, "conv_2", f.relu(f.batch_norm("norm_1", y)), x.features)
    return x + f.batch_norm("norm_2", y)


def conv(f: bx.F, name: str, x: bx.Value, features: int) -> bx.Value:
    # A batch norm follows, which would take a bias away again.
    return f.conv(name, x, features, kernel_size=[3, 3], use_bias=False)


# --- The training -------------------------------------------------------------------


def batches(count: int, epochs: int) -> Iterator[np.ndarray[Any, Any]]:
    """Indices of a batch at a time, shuffled anew for each epoch."""
    rng = np.random.default_rng(0)
    for _ in range(epochs):
        order = rng.permutation(count)
        for start in range(0, count - BATCH + 1, BATCH):
            yield order[start : start + BATCH]


def shifted(key: jax.Array, images: jax.Array) -> jax.Array:
    """Each image moved by up to one pixel, so that few digits look like many."""
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1)))
    starts = jax.random.randint(key, (len(images), 2), 0, 3)
    cut = jax.vmap(lambda image, at: jax.lax.dynamic_slice(image, at, (8, 8)))
    return cut(padded, starts)


def train(
    graph: bx.Graph, images: jax.Array, labels: jax.Array, epochs: int
) -> dict[str, Any]:
    """Params that fit `labels` (count,) to `images` (count, 8, 8)."""
    model = bx.build(graph, train=True)
    trainable, rest = bx.split(graph, bx.init(graph, jax.random.key(0)))
    steps = epochs * (len(images) // BATCH)
    optimizer = optax.adamw(optax.cosine_onecycle_schedule(steps, 4e-3))
    moments = optimizer.init(trainable)

    @jax.jit
    def step(trainable: Any, rest: Any, moments: Any, chosen: Any, key: Any) -> Any:
        shift_key, drop_key = jax.random.split(key)
        x = shifted(shift_key, images[chosen])

        def loss(trainable: Any) -> tuple[jax.Array, Any]:
            logits, state = model(bx.merge(trainable, rest), x, drop_key)
            losses = optax.softmax_cross_entropy_with_integer_labels(
                logits, labels[chosen]
            )
            return losses.mean(), state

        grads, state = jax.grad(loss, has_aux=True)(trainable)
        updates, moments = optimizer.update(grads, moments, trainable)
        trainable = optax.apply_updates(trainable, updates)
        return trainable, bx.merge(rest, state), moments

    key = jax.random.key(1)
    for i, chosen in enumerate(batches(len(images), epochs)):
        trainable, rest, moments = step(
            trainable, rest, moments, chosen, jax.random.fold_in(key, i)
        )
    params: dict[str, Any] = bx.merge(trainable, rest)
    return params


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains the model of `blox demo`.")
    parser.add_argument("--output", type=Path, default=Path("digits"))
    parser.add_argument("--epochs", type=int, default=30)
    options = parser.parse_args()

    pixels, labels = load_digits(return_X_y=True)
    images = np.asarray(pixels, np.uint8).reshape(-1, 8, 8)
    labels = np.asarray(labels, np.uint8)
    seen, unseen = slice(None, -HELD_OUT), slice(-HELD_OUT, None)

    graph = digits()
    params = train(
        graph,
        jnp.asarray(images[seen], jnp.float32),
        jnp.asarray(labels[seen]),
        options.epochs,
    )

    held_out = images[unseen].astype(np.float32)
    logits, _ = jax.jit(bx.build(graph))(params, held_out)
    right = int((np.asarray(logits).argmax(-1) == labels[unseen]).sum())
    print(f"{right} of {HELD_OUT} held-out digits are right ({right / HELD_OUT:.1%})")

    example = {"images": held_out[:8]}
    bx.save(options.output, graph, params, examples=[example])
    np.savez_compressed(
        options.output / "held_out.npz", images=images[unseen], labels=labels[unseen]
    )
    print(f"{options.output}: written; next: blox show {options.output}")


if __name__ == "__main__":
    main()
