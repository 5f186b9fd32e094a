"""Models as people write them in plain JAX: trees of arrays and functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import blox as bx

RNG = np.random.default_rng(0)


def normal(*shape: int) -> Any:
    return (RNG.normal(size=shape) * 0.3).astype("float32")


@dataclass(frozen=True)
class Model:
    """A function, its arrays, and what it is called with."""

    function: Callable[..., Any]
    params: Any
    inputs: Mapping[str, bx.Input]
    dims: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def dense(params: Any, x: Any) -> Any:
    return x @ params["w"] + params["b"]


def linear_params(n: int, m: int) -> dict[str, Any]:
    return {"w": normal(n, m), "b": normal(m)}


# A multi-layer perceptron ----------------------------------------------------------------


def mlp(params: Any, x: Any) -> Any:
    for layer in params["hidden"]:
        x = jax.nn.relu(dense(layer, x))
    return dense(params["out"], x)


# Layers that are stacked, by scan --------------------------------------------------------


def residual(layer: Any, x: Any) -> Any:
    mean = jnp.mean(x, axis=-1, keepdims=True)
    var = jnp.var(x, axis=-1, keepdims=True)
    y = (x - mean) / jnp.sqrt(var + 1e-5) * layer["scale"]
    return x + jax.nn.silu(y @ layer["w"])


def scanned(params: Any, x: Any) -> Any:
    def step(x: Any, layer: Any) -> Any:
        return residual(layer, x), None

    x, _ = jax.lax.scan(step, x, params["layers"])
    return x @ params["head"]


# Recurrent: a GRU, an LSTM that is read in both directions -------------------------------


def gru_step(cell: Any, h: Any, x: Any) -> Any:
    z = jax.nn.sigmoid(x @ cell["wz"] + h @ cell["uz"])
    r = jax.nn.sigmoid(x @ cell["wr"] + h @ cell["ur"])
    n = jnp.tanh(x @ cell["wn"] + (r * h) @ cell["un"])
    return (1 - z) * n + z * h


def gru(params: Any, xs: Any) -> Any:
    def step(h: Any, x: Any) -> Any:
        h = gru_step(params["cell"], h, x)
        return h, h

    start = jnp.zeros((xs.shape[0], 6))
    last, every = jax.lax.scan(step, start, jnp.swapaxes(xs, 0, 1))
    return {"last": last @ params["head"], "every": jnp.swapaxes(every, 0, 1)}


def lstm(cell: Any, xs: Any, reverse: bool) -> Any:
    def step(carry: Any, x: Any) -> Any:
        h, c = carry
        gates = x @ cell["w"] + h @ cell["u"] + cell["b"]
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    start = jnp.zeros((xs.shape[0], 5))
    _, hs = jax.lax.scan(step, (start, start), jnp.swapaxes(xs, 0, 1), reverse=reverse)
    return jnp.swapaxes(hs, 0, 1)


def bidirectional(params: Any, xs: Any) -> Any:
    forward = lstm(params["forward"], xs, reverse=False)
    backward = lstm(params["backward"], xs, reverse=True)
    return jnp.concatenate([forward, backward], axis=-1) @ params["head"]


# Convolutions ----------------------------------------------------------------------------


def cnn(params: Any, x: Any) -> Any:
    """Channels first."""
    for layer in params["layers"]:
        x = jax.lax.conv_general_dilated(x, layer["w"], (1, 1), "SAME")
        x = jax.nn.relu(x + layer["b"][None, :, None, None])
        window = (1, 1, 2, 2)
        x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")
    return dense(params["out"], jnp.mean(x, axis=(2, 3)))


# Attention -------------------------------------------------------------------------------


def rms_norm(x: Any, scale: Any, eps: float = 1e-6) -> Any:
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + eps) * scale


def rope(x: Any) -> Any:
    time, width = x.shape[1], x.shape[-1]
    freq = 10000.0 ** (-jnp.arange(0, width, 2) / width)
    angle = jnp.arange(time)[:, None] * freq
    cos, sin = jnp.cos(angle)[:, None, :], jnp.sin(angle)[:, None, :]
    a, b = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


def attention(layer: Any, x: Any) -> Any:
    q = rope(jnp.einsum("btd,dhk->bthk", x, layer["wq"]))
    k = rope(jnp.einsum("btd,dhk->bthk", x, layer["wk"]))
    v = jnp.einsum("btd,dhk->bthk", x, layer["wv"])
    scores = jnp.einsum("bqhk,bthk->bhqt", q, k) * q.shape[-1] ** -0.5
    mask = jnp.tril(jnp.ones((x.shape[1], x.shape[1]), bool))
    weights = jax.nn.softmax(jnp.where(mask, scores, -1e9), axis=-1)
    return jnp.einsum("bhqt,bthk,hkd->bqd", weights, v, layer["wo"])


def gated(layer: Any, x: Any) -> Any:
    return (jax.nn.silu(x @ layer["gate"]) * (x @ layer["up"])) @ layer["down"]


def block(layer: Any, x: Any) -> Any:
    x = x + attention(layer, rms_norm(x, layer["norm1"]))
    return x + gated(layer, rms_norm(x, layer["norm2"]))


def decoder(params: Any, tokens: Any) -> Any:
    x = params["embed"][tokens]
    for layer in params["layers"]:
        x = block(layer, x)
    return rms_norm(x, params["norm"]) @ params["embed"].T


def decoder_params() -> dict[str, Any]:
    layer = {
        "norm1": (8,),
        "wq": (8, 2, 4),
        "wk": (8, 2, 4),
        "wv": (8, 2, 4),
        "wo": (2, 4, 8),
        "norm2": (8,),
        "gate": (8, 12),
        "up": (8, 12),
        "down": (12, 8),
    }
    layers = [{n: normal(*s) for n, s in layer.items()} for _ in range(3)]
    return {"embed": normal(11, 8), "layers": layers, "norm": normal(8)}


def vit(params: Any, images: Any) -> Any:
    """Channels last, patches of 4."""
    batch, height, width, _ = images.shape
    x = images.reshape(batch, height // 4, 4, width // 4, 4, 3)
    x = x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, -1, 48)
    x = dense(params["patch"], x)
    first = jnp.broadcast_to(params["class"], (batch, 1, 8))
    x = jnp.concatenate([first, x], axis=1) + params["positions"]
    for layer in params["layers"]:
        q, k, v = (jnp.einsum("btd,dhk->bthk", x, layer[n]) for n in ("q", "k", "v"))
        y = jax.nn.dot_product_attention(q, k, v)
        x = x + jnp.einsum("bthk,hkd->btd", y, layer["o"])
        x = x + dense(layer["down"], jax.nn.gelu(dense(layer["up"], x)))
    return dense(params["head"], x[:, 0])


def vit_params() -> dict[str, Any]:
    def layer() -> dict[str, Any]:
        heads = {n: normal(8, 2, 4) for n in ("q", "k", "v")}
        up, down = linear_params(8, 16), linear_params(16, 8)
        return heads | {"o": normal(2, 4, 8), "up": up, "down": down}

    return {
        "patch": linear_params(48, 8),
        "class": normal(1, 1, 8),
        "positions": normal(5, 8),
        "layers": [layer(), layer()],
        "head": linear_params(8, 4),
    }


# Others ----------------------------------------------------------------------------------


def moe(params: Any, x: Any) -> Any:
    """All experts, weighted by the best two."""
    gates = jax.nn.softmax(x @ params["router"], axis=-1)
    best, at = jax.lax.top_k(gates, 2)
    best = best / jnp.sum(best, axis=-1, keepdims=True)
    mixed = jnp.sum(jax.nn.one_hot(at, 4) * best[..., None], axis=-2)
    hidden = jax.nn.relu(jnp.einsum("bd,edh->beh", x, params["up"]))
    return jnp.einsum("beh,ehd,be->bd", hidden, params["down"], mixed)


def mamba(params: Any, x: Any) -> Any:
    """A selective state space: the step of each position depends on it."""
    delta = jax.nn.softplus(x @ params["delta"])
    keep = jnp.exp(delta[..., None] * -jnp.exp(params["log_a"]))
    drive = (delta * x)[..., None] * (x @ params["b"])[:, :, None, :]

    def step(h: Any, now: Any) -> Any:
        keep, drive, c = now
        h = keep * h + drive
        return h, jnp.sum(h * c[:, None, :], axis=-1)

    start = jnp.zeros((x.shape[0], 4, 3))
    parts = (keep, drive, x @ params["c"])
    _, y = jax.lax.scan(step, start, [jnp.swapaxes(p, 0, 1) for p in parts])
    return jnp.swapaxes(y, 0, 1) + x * params["d"]


def coupling(layer: Any, x: Any) -> Any:
    a, b = jnp.split(x, 2, axis=-1)
    h = jnp.tanh(dense(layer["net"], a))
    shift, scale = jnp.split(dense(layer["out"], h), 2, axis=-1)
    scale = jnp.tanh(scale)
    x = jnp.concatenate([b * jnp.exp(scale) + shift, a], axis=-1)
    return x, jnp.sum(scale, axis=-1)


def flow(params: Any, x: Any) -> Any:
    """The log density of a normalising flow."""
    total = jnp.zeros(x.shape[0])
    for layer in params:
        x, change = coupling(layer, x)
        total = total + change
    density = -0.5 * jnp.sum(x**2 + jnp.log(2 * jnp.pi), axis=-1)
    return density + total


def ode(params: Any, x: Any) -> Any:
    """Four steps of Runge and Kutta through a small network."""

    def field(x: Any) -> Any:
        return jnp.tanh(x @ params["w"]) @ params["v"]

    def step(x: Any, _: Any) -> Any:
        k1 = field(x)
        k2 = field(x + 0.05 * k1)
        k3 = field(x + 0.05 * k2)
        k4 = field(x + 0.1 * k3)
        return x + 0.1 / 6 * (k1 + 2 * k2 + 2 * k3 + k4), None

    x, _ = jax.lax.scan(step, x, None, length=4)
    return x


def gnn(params: Any, nodes: Any, senders: Any, receivers: Any) -> Any:
    for layer in params["layers"]:
        messages = nodes[senders] @ layer["message"]
        summed = jax.ops.segment_sum(messages, receivers, nodes.shape[0])
        nodes = jax.nn.relu(nodes @ layer["own"] + summed)
    return nodes @ params["out"]


def gate(params: Any, x: Any, which: Any) -> Any:
    """A branch inside of a loop."""

    def step(x: Any, w: Any) -> Any:
        x = jax.lax.cond(which, lambda x: jnp.tanh(x @ w), lambda x: x + 1.0, x)
        return x, jnp.sum(x, axis=-1)

    x, sums = jax.lax.scan(step, x, params["ws"])
    return x, sums


def ensemble(params: Any, x: Any) -> Any:
    def member(params: Any) -> Any:
        return dense(params["out"], jnp.tanh(dense(params["hidden"], x)))

    return jnp.mean(jax.vmap(member)(params), axis=0)


def stacked(count: int, *shapes: tuple[int, ...]) -> Any:
    return [normal(count, *shape) for shape in shapes]


VECTOR = bx.Input(["batch", 4])
SEQUENCE = bx.Input(["batch", "time", 4])
MODELS: dict[str, Model] = {
    "mlp": Model(
        mlp,
        {
            "hidden": [linear_params(4, 8), linear_params(8, 8), linear_params(8, 8)],
            "out": linear_params(8, 2),
        },
        {"x": VECTOR},
    ),
    "scanned": Model(
        scanned,
        {"layers": {"scale": normal(3, 4), "w": normal(3, 4, 4)}, "head": normal(4, 2)},
        {"x": VECTOR},
    ),
    "gru": Model(
        gru,
        {
            "cell": {
                **{n: normal(4, 6) for n in ("wz", "wr", "wn")},
                **{n: normal(6, 6) for n in ("uz", "ur", "un")},
            },
            "head": normal(6, 2),
        },
        {"xs": SEQUENCE},
    ),
    "bidirectional": Model(
        bidirectional,
        {
            **{
                n: {"w": normal(4, 20), "u": normal(5, 20), "b": normal(20)}
                for n in ("forward", "backward")
            },
            "head": normal(10, 2),
        },
        {"xs": SEQUENCE},
    ),
    "cnn": Model(
        cnn,
        {
            "layers": [
                {"w": normal(6, 3, 3, 3), "b": normal(6)},
                {"w": normal(8, 6, 3, 3), "b": normal(8)},
            ],
            "out": linear_params(8, 5),
        },
        {"x": bx.Input(["batch", 3, 12, 12])},
    ),
    "decoder": Model(
        decoder,
        decoder_params(),
        {"tokens": bx.Input(["batch", "seq"], "int32")},
    ),
    "vit": Model(vit, vit_params(), {"images": bx.Input(["batch", 8, 8, 3])}),
    "moe": Model(
        moe,
        {"router": normal(4, 4), "up": normal(4, 4, 6), "down": normal(4, 6, 4)},
        {"x": VECTOR},
    ),
    "mamba": Model(
        mamba,
        {
            "delta": normal(4, 4),
            "log_a": normal(4, 3),
            "b": normal(4, 3),
            "c": normal(4, 3),
            "d": normal(4),
        },
        {"x": SEQUENCE},
    ),
    "flow": Model(
        flow,
        [{"net": linear_params(2, 6), "out": linear_params(6, 4)} for _ in range(3)],
        {"x": VECTOR},
    ),
    "ode": Model(ode, {"w": normal(4, 6), "v": normal(6, 4)}, {"x": VECTOR}),
    "gnn": Model(
        gnn,
        {
            "layers": [
                {"message": normal(4, 4), "own": normal(4, 4)} for _ in range(2)
            ],
            "out": normal(4, 2),
        },
        {
            "nodes": bx.Input(["nodes", 4]),
            "senders": bx.Input(["edges"], "int32"),
            "receivers": bx.Input(["edges"], "int32"),
        },
    ),
    "gate": Model(
        gate,
        {"ws": normal(3, 4, 4)},
        {"x": VECTOR, "which": bx.Input([], "bool")},
    ),
    "ensemble": Model(
        ensemble,
        {
            "hidden": {"w": normal(5, 4, 6), "b": normal(5, 6)},
            "out": {"w": normal(5, 6, 2), "b": normal(5, 2)},
        },
        {"x": VECTOR},
    ),
}
