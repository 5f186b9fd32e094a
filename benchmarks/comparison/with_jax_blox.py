"""The probes of jax-blox."""

from __future__ import annotations

import re
import tempfile
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jax_blox as bx
import numpy as np
import optax
import probing
from jax.sharding import PartitionSpec as P
from model_jax_blox import Tagger
from probing import BATCH, ONES, OPTIMIZER, TOKENS, cross_entropy

PACKAGE = "jax-blox"
KEY = jax.random.key(0)


def training(**sizes: Any) -> Any:
    graph = bx.Graph("net")
    rng = bx.Rng(graph.child("rng"))
    model = Tagger(graph.child("tagger"), rng=rng, **sizes)
    _, params = model(rng.seed(bx.Params(), seed=0), TOKENS)
    trainable, rest = params.locked().split()

    @jax.jit
    def step(carry: Any, tokens: jax.Array) -> Any:
        trainable, rest, opt = carry

        def loss_of(trainable: Any) -> Any:
            logits, params = model(trainable.merge(rest), tokens)
            return cross_entropy(logits, tokens), params.split()[1]

        (loss, rest), grads = jax.value_and_grad(loss_of, has_aux=True)(trainable)
        updates, opt = OPTIMIZER.update(grads, opt)
        return (optax.apply_updates(trainable, updates), rest, opt), loss

    return (trainable, rest, OPTIMIZER.init(trainable)), step


def stepped(step: Any, carry: Any, tokens: jax.Array, _: jax.Array) -> Any:
    return step(carry, tokens)[0]


def new(**sizes: Any) -> tuple[Tagger, bx.Params]:
    graph = bx.Graph("net")
    rng = bx.Rng(graph.child("rng"))
    model = Tagger(graph.child("tagger"), rng=rng, **sizes)
    return model, model(rng.seed(bx.Params(), seed=0), TOKENS)[1].locked()


@cache
def made() -> Tagger:
    return new()[0]


@cache
def params() -> bx.Params:
    return new()[1]


def evaluation(**sizes: Any) -> Any:
    model, params = new(**sizes)
    call = jax.jit(partial(model, train=False))
    return lambda tokens: call(params, tokens)[0]


def evaluation_of_arrays(**sizes: Any) -> Any:
    model, params = new(**sizes)
    call = jax.jit(lambda params, tokens: model(params, tokens, train=False)[0])
    return lambda tokens: call(params, tokens)


# `jax.jit` ---------------------------------------------------------------------------


def jit_whole() -> str:
    return probing.tried(lambda: jax.jit(made())(params(), TOKENS) and "runs")


def jit_other_leaves() -> str:
    return probing.others(params())


def jit_compilations() -> str:
    model, given = jax.jit(new()[0]), params()
    return str(probing.compilations(lambda: [model(given, TOKENS) for _ in range(3)]))


# State -------------------------------------------------------------------------------


def state_statistics() -> str:
    _, after = made()(params(), TOKENS)
    there = {name for name, a in params().items() if a.value is not after[name].value}
    names = sorted("/".join(n) for n in there if "rng" not in n)
    return "among the params, the second result of a call: " + ", ".join(
        f"`{n}`" for n in names
    )


def state_in_place() -> str:
    before = probing.numbers(params())
    made()(params(), TOKENS)
    return probing.yes(probing.changed(before, probing.numbers(params())))


def state_keys() -> str:
    return probing.keys_in(params())


def transforms() -> str:
    return probing.listed(probing.own_transforms(bx))


# Random numbers ----------------------------------------------------------------------


@cache
def dropout(rate: float = 0.5) -> tuple[bx.Rng, bx.Dropout, bx.Params]:
    graph = bx.Graph("net")
    rng = bx.Rng(graph.child("rng"))
    drop = bx.Dropout(graph.child("drop"), rate, rng)
    return rng, drop, rng.seed(bx.Params(), seed=0).locked()


def random_vmap() -> str:
    _, drop, params = dropout()
    return probing.masks(jax.vmap(drop, (None, 0), (0, None))(params, ONES)[0])


def random_vmap_own() -> str:
    rng, drop, params = dropout()

    def call(params: bx.Params, x: jax.Array) -> Any:
        seed = rng.get_seed(params)
        own = jax.random.fold_in(seed, jax.lax.axis_index("lane"))
        y, params = drop(rng.seed(params, seed=own), x)
        return y, rng.seed(params, seed=seed)

    run = jax.vmap(call, (None, 0), (0, None), axis_name="lane")
    found = probing.masks(run(params, ONES)[0])
    return f"{found}: the lane folded into the seed by hand, and the seed put back"


def random_scan() -> str:
    _, drop, params = dropout()
    return probing.masks(jax.lax.scan(lambda c, x: (c, drop(params, x)[0]), 0, ONES)[1])


def random_scan_own() -> str:
    _, drop, params = dropout()
    found = jax.lax.scan(lambda p, x: drop(p, x)[::-1], params, ONES)[1]
    return f"{probing.masks(found)}: the params as carry"


def random_layers() -> str:
    return "layers are not stacked: a loop in Python"


# Trees -------------------------------------------------------------------------------


def tree_step() -> str:
    carry, step = training()
    return probing.same_tree(carry, stepped(step, carry, TOKENS, KEY))


def tree_scan() -> str:
    carry, step = training()

    def run() -> str:
        def body(carry: Any, _: None) -> Any:
            return step(carry, TOKENS)[0], None

        expected = carry
        for _ in range(3):
            expected = stepped(step, expected, TOKENS, KEY)
        return probing.alike(jax.lax.scan(body, carry, length=3)[0], expected)

    return probing.tried(run)


@cache
def tied() -> tuple[Any, bx.Params]:
    graph = bx.Graph("net")
    rng = bx.Rng(graph.child("rng"))
    embed = bx.Embed(graph.child("embed"), 7, 5, rng)

    def model(params: bx.Params, tokens: jax.Array) -> Any:
        x, params = embed(params, tokens)
        return embed.attend(params, x)

    _, params = model(rng.seed(bx.Params(), seed=0), TOKENS[0] % 7)
    return model, params.locked()


def tied_arrays() -> str:
    trainable, _ = tied()[1].split()
    return f"{len(jax.tree.leaves(trainable))}, by `Embed.attend`"


def tied_plain() -> str:
    model, params = tied()
    trainable, rest = params.split()
    grads = jax.grad(lambda t: jnp.sum(model(t.merge(rest), TOKENS[0] % 7)[0] ** 2))
    after = jax.tree.map(lambda p, g: p - 0.1 * g, trainable, grads(trainable))
    return "one array" if len(jax.tree.leaves(after)) == 1 else "apart"


def tied_own() -> str:
    return "as above"


# Statistics of batches ---------------------------------------------------------------


@cache
def norm(axis_name: str | None = None) -> tuple[bx.BatchNorm, bx.Params]:
    layer = bx.BatchNorm(bx.Graph("net").child("norm"), axis_name=axis_name)
    plain = bx.BatchNorm(bx.Graph("net").child("norm"))
    return layer, plain(bx.Params(), BATCH, is_training=False)[1].locked()


def mean_of(params: bx.Params) -> Any:
    return params["net", "norm", "running_mean"].value


def statistics_jit() -> str:
    layer, params = norm()
    return probing.statistics(mean_of(jax.jit(layer)(params, BATCH)[1]))


def statistics_grad() -> str:
    layer, params = norm()

    def loss(x: jax.Array) -> Any:
        y, after = layer(params, x)
        return jnp.sum(y**2), after

    return probing.statistics(mean_of(jax.grad(loss, has_aux=True)(BATCH)[1]))


def statistics_vmap() -> str:
    layer, params = norm("data")
    call = jax.vmap(layer, (None, 0), (0, None), axis_name="data")
    return probing.tried(
        lambda: probing.statistics(mean_of(call(params, BATCH[:, None])[1]))
    )


def statistics_scan() -> str:
    layer, params = norm()
    batches = jnp.stack([BATCH] * 3)
    after, _ = jax.lax.scan(lambda p, x: layer(p, x)[::-1], params, batches)
    return probing.statistics(mean_of(after), 3)


def statistics_shard_map() -> str:
    layer, params = norm("data")
    call = jax.shard_map(
        layer,
        mesh=probing.two_devices(),
        in_specs=(P(), P("data")),
        out_specs=(P("data"), P()),
    )
    return probing.tried(lambda: probing.statistics(mean_of(call(params, BATCH)[1])))


# Starts and settings -----------------------------------------------------------------


def kernels(names: str) -> dict[str, Any]:
    graph = bx.Graph("net")
    rng = bx.Rng(graph.child("rng"))
    params, x = rng.seed(bx.Params(), seed=0), jnp.ones((1, 4))
    for name in names:
        x, params = bx.Linear(graph.child(name), 4, rng)(params, x)
    return {name: params["net", name, "kernel"].value for name in names}


def init_inserted() -> str:
    return f"{probing.moved(kernels('abc'), kernels('aXbc'))}, by one `bx.Rng`"


def init_appended() -> str:
    return f"{probing.moved(kernels('abc'), kernels('abcX'))}, by one `bx.Rng`"


def settings_changed() -> str:
    _, drop, params = dropout.__wrapped__(0.1)
    call = jax.jit(drop)
    call(params, ONES)
    drop.rate = 0.9
    count = probing.compilations(lambda: call(params, ONES))
    found = probing.in_force(count, call(params, ONES)[0])
    again = jax.jit(dropout(0.9)[1])
    count = probing.compilations(lambda: again(params, ONES))
    return (
        f"in place: {found}; another: {probing.in_force(count, again(params, ONES)[0])}"
    )


def settings_same() -> str:
    jax.block_until_ready(jax.jit(made())(params(), TOKENS))
    again = new()[0]
    found = probing.compilations(lambda: jax.jit(again)(params(), TOKENS))
    same = probing.compilations(lambda: jax.jit(made())(params(), TOKENS))
    return f"{found}; of the same module: {same}"


# Saving ------------------------------------------------------------------------------


@cache
def saved() -> tuple[Path, Any, Any]:
    """The folder of a saved tagger, its arrays, and what it computes."""
    folder = Path(tempfile.mkdtemp())
    trainable, rest = params().split()
    kept, _ = rest.split(lambda path, _: "rng" not in path)
    arrays = {"/".join(n): p.value for n, p in trainable.merge(kept).items()}
    np.savez(folder / "params.npz", **arrays)
    return folder, arrays, lambda tokens: made()(params(), tokens, train=False)[0]


def save_files() -> str:
    own = [n for n in bx.__all__ if re.search("save|load|serial", n)]
    return f"{probing.listed(own)} functions for it; `numpy.savez`: {probing.files(saved()[0])}"


def save_run() -> str:
    code = "import numpy as np; print(type(dict(np.load('params.npz'))).__name__)"
    return f"no: a `{probing.in_a_new_process(code, saved()[0])}` of arrays"


def save_names() -> str:
    code = "import numpy as np; print(len(np.load('params.npz').files))"
    return f"{probing.in_a_new_process(code, saved()[0])} of {len(saved()[1])}"


def save_settings() -> str:
    return probing.words(saved()[0])


def save_export() -> str:
    return probing.exported(saved()[2])


def logits() -> list[float]:
    values = {}
    for names, param in params().items():
        name = ".".join(names[2:]).replace("block_", "blocks.").replace("running_", "")
        keep = "rng" in names
        value = param.value if keep else probing.filled(name, param.value.shape)
        values[names] = param.replace(value=jnp.asarray(value))
    given = params().unlocked()
    for names, param in values.items():
        given[names] = param
    return probing.some(made()(given, TOKENS, train=False)[0])
