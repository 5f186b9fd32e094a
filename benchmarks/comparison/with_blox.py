"""The probes of blox."""

from __future__ import annotations

import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import model_blox
import optax
import probing
from jax.sharding import PartitionSpec as P
from probing import BATCH, FEATURES, ONES, OPTIMIZER, RUN, TOKENS, cross_entropy

import blox as bx
from blox.schema.registry import op_class, op_names

PACKAGE = "blox-format"
KEY = jax.random.key(0)
tagger = cache(model_blox.tagger)


def training(**sizes: Any) -> Any:
    graph = tagger(**sizes)
    model = bx.build(graph, train=True)
    trainable, rest = bx.split(graph, bx.init(graph, jax.random.key(0)))

    @jax.jit
    def step(carry: Any, tokens: jax.Array, key: jax.Array) -> Any:
        trainable, rest, opt = carry

        def loss_of(trainable: Any) -> Any:
            logits, state = model(bx.merge(trainable, rest), tokens, key=key)
            return cross_entropy(logits, tokens), state

        (loss, state), grads = jax.value_and_grad(loss_of, has_aux=True)(trainable)
        updates, opt = OPTIMIZER.update(grads, opt)
        trainable = optax.apply_updates(trainable, updates)
        return (trainable, bx.merge(rest, state), opt), loss

    return (trainable, rest, OPTIMIZER.init(trainable)), step


def stepped(step: Any, carry: Any, tokens: jax.Array, key: jax.Array) -> Any:
    return step(carry, tokens, key)[0]


def evaluation(**sizes: Any) -> Any:
    graph = tagger(**sizes)
    params, call = bx.init(graph, KEY), jax.jit(bx.build(graph))
    return lambda tokens: call(params, tokens)[0]


evaluation_of_arrays = evaluation


# `jax.jit` ---------------------------------------------------------------------------


def jit_whole() -> str:
    params = bx.init(tagger(), KEY)
    model = bx.build(tagger(), train=True)
    return probing.tried(lambda: jax.jit(model)(params, TOKENS, key=KEY) and "runs")


def jit_other_leaves() -> str:
    return probing.others(bx.init(tagger(), KEY))


def jit_compilations() -> str:
    params = bx.init(tagger(), KEY)
    jax.clear_caches()  # other probes may have compiled an equal Graph
    model = jax.jit(bx.build(model_blox.tagger(), train=True))
    return str(
        probing.compilations(lambda: [model(params, TOKENS, key=KEY) for _ in range(3)])
    )


# State -------------------------------------------------------------------------------


def state_statistics() -> str:
    _, state = bx.build(tagger(), train=True)(bx.init(tagger(), KEY), TOKENS, key=KEY)
    return "the second result of a call: " + ", ".join(
        f"`{n}`" for n in probing.leaves(state)
    )


def state_in_place() -> str:
    params = bx.init(tagger(), KEY)
    before = probing.numbers(params)
    bx.build(tagger(), train=True)(params, TOKENS, key=KEY)
    return probing.yes(probing.changed(before, probing.numbers(params)))


def state_keys() -> str:
    return probing.keys_in(bx.init(tagger(), KEY))


def transforms() -> str:
    rooms = [(n, str(op_class(n).__module__).split(".")[-1]) for n in op_names()]
    ops = [n for n, room in rooms if room in ("control", "loops") and n != "call"]
    own = probing.listed(probing.own_transforms(bx))
    return f"{own}; ops of the format {probing.listed(ops)}"


# Random numbers ----------------------------------------------------------------------


@cache
def dropout(rate: float = 0.5) -> Any:
    b = bx.GraphBuilder("net", rate=rate)

    @b.entry(x=bx.Input(["...", 64]), key=bx.Input([], "key"))
    def main(f: bx.F, x: bx.Value, key: bx.Value) -> bx.Value:
        return f.dropout("drop", x, b.rate, key=key)

    model = bx.build(b.graph())
    return lambda x, key: model({}, x, key)[0]


def random_vmap() -> str:
    return probing.masks(jax.vmap(dropout(), (0, None))(ONES, KEY))


def random_vmap_own() -> str:
    found = probing.masks(jax.vmap(dropout())(ONES, jax.random.split(KEY, 4)))
    return f"{found}: a key for each, `jax.random.split(key, 4)`"


def random_scan() -> str:
    return probing.masks(jax.lax.scan(lambda c, x: (c, dropout()(x, KEY)), 0, ONES)[1])


def random_scan_own() -> str:
    keys = jax.random.split(KEY, 4)
    found = jax.lax.scan(lambda c, given: (c, dropout()(*given)), 0, (ONES, keys))[1]
    return f"{probing.masks(found)}: a key for each, `jax.random.split(key, 4)`"


def random_layers() -> str:
    b = bx.GraphBuilder("layers")

    def layer(f: bx.F, x: bx.Value, key: bx.Value) -> dict[str, bx.Value]:
        return {"x": x, "y": f.dropout("drop", x, 0.5, key=key)}

    @b.entry(x=bx.Input([64]), key=bx.Input([], "key"))
    def main(f: bx.F, x: bx.Value, key: bx.Value) -> bx.Value:
        return f.repeat("h", layer, count=4)(x, key)["y"]

    found, _ = bx.build(b.graph())({}, ONES[0], KEY)
    return f"{probing.masks(found)}: one key, folded by the number of the copy"


# Trees -------------------------------------------------------------------------------


def tree_step() -> str:
    carry, step = training()
    return probing.same_tree(carry, stepped(step, carry, TOKENS, KEY))


def tree_scan() -> str:
    carry, step = training()
    keys = jax.random.split(KEY, 3)

    def run() -> str:
        def body(carry: Any, key: jax.Array) -> Any:
            return step(carry, TOKENS, key)[0], None

        expected = carry
        for key in keys:
            expected = stepped(step, expected, TOKENS, key)
        return probing.alike(jax.lax.scan(body, carry, keys)[0], expected)

    return probing.tried(run)


def tied_arrays() -> str:
    return str(len(jax.tree.leaves(bx.init(tied(), KEY))))


@cache
def tied() -> bx.Graph:
    """An embedding and a linear layer without bias that have one array."""
    b = bx.GraphBuilder("tied")

    @b.entry(ids=bx.Input(["batch"], "int32"))
    def main(f: bx.F, ids: bx.Value) -> bx.Value:
        return f.unembed("head", f.embed("embed", ids, 7, 5), params="embed")

    return b.graph()


def tied_plain() -> str:
    params = bx.init(tied(), KEY)
    grads = jax.grad(lambda p: jnp.sum(bx.build(tied())(p, TOKENS[0] % 7)[0] ** 2))
    params = jax.tree.map(lambda p, g: p - 0.1 * g, params, grads(params))
    return "one array" if len(jax.tree.leaves(params)) == 1 else "apart"


def tied_own() -> str:
    return "as above"


# Statistics of batches ---------------------------------------------------------------


@cache
def norm(axis_name: str | None = None) -> Any:
    b = bx.GraphBuilder("net")

    @b.entry(x=bx.Input(["batch", FEATURES]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.batch_norm("norm", x, momentum=0.9)

    model = bx.build(b.graph(), train=True, axis_name=axis_name)
    params = bx.init(b.graph(), KEY)

    def call(x: Any, mean: Any = None) -> Any:
        given = params if mean is None else bx.merge(params, {"norm": {"mean": mean}})
        y, state = model(given, x)
        return y, state["norm"]["mean"]

    return call


def statistics_jit() -> str:
    return probing.statistics(jax.jit(norm())(BATCH)[1])


def statistics_grad() -> str:
    def loss(x: Any) -> Any:
        y, mean = norm()(x)
        return jnp.sum(y**2), mean

    return probing.statistics(jax.grad(loss, has_aux=True)(BATCH)[1])


def statistics_vmap() -> str:
    call = jax.vmap(norm("data"), out_axes=(0, None), axis_name="data")
    return probing.statistics(call(BATCH[:, None])[1])


def statistics_scan() -> str:
    def body(mean: Any, x: Any) -> Any:
        return norm()(x, mean)[::-1]

    batches = jnp.stack([BATCH] * 3)
    return probing.statistics(jax.lax.scan(body, jnp.zeros(FEATURES), batches)[0], 3)


def statistics_shard_map() -> str:
    call = jax.shard_map(
        norm("data"),
        mesh=probing.two_devices(),
        in_specs=P("data"),
        out_specs=(P("data"), P()),
    )
    return probing.statistics(call(BATCH)[1])


# Starts and settings -----------------------------------------------------------------


def init_inserted() -> str:
    return probing.moved(*(kernels(names) for names in ("abc", "aXbc")))


def init_appended() -> str:
    return probing.moved(*(kernels(names) for names in ("abc", "abcX")))


def kernels(names: str) -> dict[str, Any]:
    """The starts of linear layers of these names."""
    b = bx.GraphBuilder("net")

    @b.entry(x=bx.Input(["batch", 4]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        for name in names:
            x = f.linear(name, x, 4)
        return x

    return {n: p["kernel"] for n, p in bx.init(b.graph(), KEY).items()}


def settings_changed() -> str:
    low, high = jax.jit(dropout(0.1)), jax.jit(dropout(0.9))
    low(ONES, KEY)
    count = probing.compilations(lambda: high(ONES, KEY))
    return f"another Graph: {probing.in_force(count, high(ONES, KEY))}"


def settings_same() -> str:
    params = bx.init(tagger(), KEY)
    jax.block_until_ready(jax.jit(bx.build(tagger()))(params, TOKENS))
    graph = model_blox.tagger()
    return str(probing.compilations(lambda: jax.jit(bx.build(graph))(params, TOKENS)))


# Saving ------------------------------------------------------------------------------


@cache
def saved() -> tuple[Path, Any, Any]:
    """The folder of a saved tagger, its arrays, and what it computes."""
    params = bx.init(tagger(), KEY)
    folder = Path(tempfile.mkdtemp()) / "model"
    bx.save(folder, tagger(), params)
    return folder, params, lambda tokens: bx.build(tagger())(params, tokens)[0]


def save_files() -> str:
    return f"`bx.save`: {probing.files(saved()[0])}"


def save_run() -> str:
    folder, _, model = saved()
    setup = "import blox as bx; graph, params = bx.load('model')"
    code = RUN.format(setup=setup, call="bx.build(graph)(params, x)[0]")
    return probing.same_outputs(
        probing.in_a_new_process(code, folder.parent), model(TOKENS)
    )


def save_names() -> str:
    folder, params, _ = saved()
    code = (
        "import json; f = open('model/params.safetensors', 'rb'); "
        "n = int.from_bytes(f.read(8), 'little'); "
        "print(len(set(json.loads(f.read(n))) - {'__metadata__'}))"
    )
    found = probing.in_a_new_process(code, folder.parent)
    return f"{found} of {len(jax.tree.leaves(params))}"


def save_settings() -> str:
    return probing.words(saved()[0])


def save_export() -> str:
    return probing.exported(saved()[2])


def logits() -> list[float]:
    def fill(keys: Any, leaf: jax.Array) -> Any:
        return probing.filled(
            ".".join(re.findall(r"\w+", probing.path(keys))), leaf.shape
        )

    params = jax.tree_util.tree_map_with_path(fill, bx.init(tagger(), KEY))
    return probing.some(bx.build(tagger())(params, TOKENS)[0])
