"""The probes of Equinox."""

from __future__ import annotations

import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import probing
from jax.sharding import PartitionSpec as P
from model_equinox import Tagger
from probing import BATCH, FEATURES, ONES, OPTIMIZER, RUN, TOKENS, cross_entropy

PACKAGE = "equinox"
KEY = jax.random.key(0)
KEYS = jax.random.split(KEY, len(TOKENS))


def training(**sizes: Any) -> Any:
    model, state = eqx.nn.make_with_state(Tagger)(key=jax.random.key(0), **sizes)
    opt = OPTIMIZER.init(eqx.filter(model, eqx.is_inexact_array))

    @eqx.filter_jit
    def step(carry: Any, tokens: jax.Array, key: jax.Array) -> Any:
        model, state, opt = carry

        @eqx.filter_value_and_grad(has_aux=True)
        def loss_of(model: Tagger) -> Any:
            keys = jax.random.split(key, len(tokens))
            batched = jax.vmap(model, (0, None, 0), (0, None), axis_name="batch")
            logits, new_state = batched(tokens, state, keys)
            return cross_entropy(logits, tokens), new_state

        (loss, state), grads = loss_of(model)
        updates, opt = OPTIMIZER.update(grads, opt)
        return (eqx.apply_updates(model, updates), state, opt), loss

    return (model, state, opt), step


def stepped(step: Any, carry: Any, tokens: jax.Array, key: jax.Array) -> Any:
    return step(carry, tokens, key)[0]


def batched(
    model: Tagger, state: eqx.nn.State, tokens: jax.Array, keys: jax.Array = KEYS
) -> Any:
    call = jax.vmap(model, (0, None, 0), (0, None), axis_name="batch")
    return call(tokens, state, keys)


@cache
def made() -> tuple[Any, Any]:
    return eqx.nn.make_with_state(Tagger)(key=KEY)


def of_one(model: Tagger, state: eqx.nn.State, tokens: jax.Array) -> Any:
    keys = jnp.broadcast_to(KEY, len(tokens))
    return batched(model, state, tokens, keys)[0]


def evaluation(**sizes: Any) -> Any:
    model, state = eqx.nn.make_with_state(Tagger)(key=KEY, **sizes)
    model, call = eqx.nn.inference_mode(model), eqx.filter_jit(of_one)
    return lambda tokens: call(model, state, tokens)


def evaluation_of_arrays(**sizes: Any) -> Any:
    model, state = eqx.nn.make_with_state(Tagger)(key=KEY, **sizes)
    arrays, rest = eqx.partition(eqx.nn.inference_mode(model), eqx.is_array)

    @jax.jit
    def call(arrays: Any, state: Any, tokens: jax.Array) -> Any:
        return of_one(eqx.combine(arrays, rest), state, tokens)

    return lambda tokens: call(arrays, state, tokens)


# `jax.jit` ---------------------------------------------------------------------------


def jit_whole() -> str:
    return probing.tried(lambda: jax.jit(batched)(*made(), TOKENS) and "runs")


def jit_other_leaves() -> str:
    return probing.others(made()[0])


def jit_compilations() -> str:
    call = eqx.filter_jit(batched)
    found = probing.compilations(lambda: [call(*made(), TOKENS)[0] for _ in range(3)])
    return f"{found}, by `eqx.filter_jit`"


# State -------------------------------------------------------------------------------


def state_statistics() -> str:
    (_, state), (_, after) = made(), batched(*made(), TOKENS)
    there = probing.changed(probing.numbers(state), probing.numbers(after))
    return f"the second result of a call, `eqx.nn.State`: {len(there)} leaves"


def state_in_place() -> str:
    before = probing.numbers(made())
    batched(*made(), TOKENS)
    return probing.yes(probing.changed(before, probing.numbers(made())))


def state_keys() -> str:
    return probing.keys_in(made())


def transforms() -> str:
    return probing.listed(probing.own_transforms(eqx))


# Random numbers ----------------------------------------------------------------------

DROP = eqx.nn.Dropout(0.5)


def dropped(x: jax.Array, key: jax.Array = KEY) -> jax.Array:
    return DROP(x, key=key)


def random_vmap() -> str:
    return probing.masks(jax.vmap(dropped)(ONES))


def random_vmap_own() -> str:
    found = probing.masks(jax.vmap(dropped)(ONES, jax.random.split(KEY, 4)))
    return f"{found}: a key for each, `jax.random.split(key, 4)`"


def random_scan() -> str:
    return probing.masks(jax.lax.scan(lambda c, x: (c, dropped(x)), 0, ONES)[1])


def random_scan_own() -> str:
    keys = jax.random.split(KEY, 4)
    found = jax.lax.scan(lambda c, given: (c, dropped(*given)), 0, (ONES, keys))[1]
    return f"{probing.masks(found)}: a key for each, `jax.random.split(key, 4)`"


def random_layers() -> str:
    found = jax.lax.scan(lambda x, key: (x, dropped(x, key)), ONES[0], KEYS)[1]
    return f"{probing.masks(found)}: keys split by hand, beside the layers"


# Trees -------------------------------------------------------------------------------


def tree_step() -> str:
    carry, step = training()
    return probing.same_tree(carry, stepped(step, carry, TOKENS, KEY))


def tree_scan() -> str:
    carry, step = training()
    keys = jax.random.split(KEY, 3)

    def checked(found: Any) -> str:
        expected = carry
        for key in keys:
            expected = stepped(step, expected, TOKENS, key)
        return probing.alike(found, expected)

    def plain() -> str:
        def body(carry: Any, key: jax.Array) -> Any:
            return step(carry, TOKENS, key)[0], None

        return checked(jax.lax.scan(body, carry, keys)[0])

    def own() -> str:
        arrays, rest = eqx.partition(carry, eqx.is_array)

        def body(arrays: Any, key: jax.Array) -> Any:
            after = stepped(step, eqx.combine(arrays, rest), TOKENS, key)
            return eqx.filter(after, eqx.is_array), None

        return checked(jax.lax.scan(body, arrays, keys)[0])

    return probing.either(plain, ("`eqx.partition` around it", own))


class Tied(eqx.Module):
    embed: eqx.nn.Embedding
    head: eqx.nn.Linear

    def __init__(self) -> None:
        self.embed = eqx.nn.Embedding(7, 5, key=KEY)
        head = eqx.nn.Linear(5, 7, use_bias=False, key=KEY)
        self.head = eqx.tree_at(lambda h: h.weight, head, self.embed.weight)

    def __call__(self, token: jax.Array) -> jax.Array:
        return self.head(self.embed(token))


class Shared(eqx.Module):
    layers: eqx.nn.Shared

    def __init__(self) -> None:
        embed = eqx.nn.Embedding(7, 5, key=KEY)
        head = eqx.nn.Linear(5, 7, use_bias=False, key=KEY)
        self.layers = eqx.nn.Shared(
            (embed, head), lambda pair: pair[1].weight, lambda pair: pair[0].weight
        )

    def __call__(self, token: jax.Array) -> jax.Array:
        embed, head = self.layers()
        return head(embed(token))


def tied_loss(model: Any) -> jax.Array:
    return jnp.sum(jax.vmap(model)(TOKENS[0] % 7) ** 2)


def downhill(model: Any) -> Any:
    arrays, rest = eqx.partition(model, eqx.is_inexact_array)
    grads = jax.grad(lambda arrays: tied_loss(eqx.combine(arrays, rest)))(arrays)
    arrays = jax.tree.map(lambda p, g: p - 0.1 * g, arrays, grads)
    return eqx.combine(arrays, rest)


def tied_arrays() -> str:
    return str(len(jax.tree.leaves(eqx.filter(Tied(), eqx.is_array))))


def tied_plain() -> str:
    model = downhill(Tied())
    same = jnp.array_equal(model.embed.weight, model.head.weight)
    return "equal" if same else "apart"


def tied_own() -> str:
    embed, head = downhill(Shared()).layers()
    same = jnp.array_equal(embed.weight, head.weight)
    return f"{'one array' if same else 'apart'}, by `eqx.nn.Shared`"


# Statistics of batches ---------------------------------------------------------------


def norm(axis_name: Any = "batch") -> tuple[Any, Any]:
    make = eqx.nn.make_with_state(eqx.nn.BatchNorm)
    return make(FEATURES, axis_name, momentum=0.9, mode="batch")


LAYER, STATE = norm()


def normed(x: jax.Array, state: Any, layer: Any = LAYER) -> Any:
    return jax.vmap(layer, (0, None), (0, None), axis_name="batch")(x, state)


def mean_of(state: Any, layer: Any = LAYER) -> Any:
    return state.get(layer.batch_state_index)[0]


def statistics_jit() -> str:
    return probing.statistics(mean_of(jax.jit(normed)(BATCH, STATE)[1]))


def statistics_grad() -> str:
    def loss(x: jax.Array) -> Any:
        y, state = normed(x, STATE)
        return jnp.sum(y**2), state

    return probing.statistics(mean_of(jax.grad(loss, has_aux=True)(BATCH)[1]))


def statistics_vmap() -> str:
    return probing.statistics(mean_of(normed(BATCH, STATE)[1]))


def statistics_scan() -> str:
    def body(state: Any, x: jax.Array) -> Any:
        return normed(x, state)[::-1]

    batches = jnp.stack([BATCH] * 3)
    return probing.tried(
        lambda: probing.statistics(mean_of(jax.lax.scan(body, STATE, batches)[0]), 3)
    )


def statistics_shard_map() -> str:
    layer, state = norm(("batch", "data"))

    def run(**options: Any) -> str:
        call = jax.shard_map(
            lambda x, state: normed(x, state, layer),
            mesh=probing.two_devices(),
            in_specs=(P("data"), P()),
            out_specs=(P("data"), P()),
            **options,
        )
        return probing.statistics(mean_of(call(BATCH, state)[1], layer))

    return probing.either(run, ("`check_vma=False`", lambda: run(check_vma=False)))


# Starts and settings -----------------------------------------------------------------


def kernels(names: str) -> dict[str, Any]:
    keys = jax.random.split(KEY, len(names))
    return {
        name: eqx.nn.Linear(4, 4, key=key).weight
        for name, key in zip(names, keys, strict=True)
    }


def init_inserted() -> str:
    return f"{probing.moved(kernels('abc'), kernels('aXbc'))}, by `jax.random.split(key, n)`"


def init_appended() -> str:
    return f"{probing.moved(kernels('abc'), kernels('abcX'))}, by `jax.random.split(key, n)`"


def settings_changed() -> str:
    call = eqx.filter_jit(lambda layer, x: layer(x, key=KEY))
    call(eqx.nn.Dropout(0.1), ONES)
    high = eqx.nn.Dropout(0.9)
    found = probing.in_force(
        probing.compilations(lambda: call(high, ONES)), call(high, ONES)
    )
    return f"another layer: {found}"


def settings_same() -> str:
    call = eqx.filter_jit(batched)
    jax.block_until_ready(call(*made(), TOKENS)[0])
    again = eqx.nn.make_with_state(Tagger)(key=KEY)
    return str(probing.compilations(lambda: call(*again, TOKENS)[0]))


# Saving ------------------------------------------------------------------------------


@cache
def saved() -> tuple[Path, Any, Any]:
    """The folder of a saved tagger, its arrays, and what it computes."""
    folder = Path(tempfile.mkdtemp())
    eqx.tree_serialise_leaves(folder / "model.eqx", made())
    model, state = eqx.nn.inference_mode(made()[0]), made()[1]
    return folder, made(), lambda tokens: batched(model, state, tokens)[0]


def save_files() -> str:
    return f"`eqx.tree_serialise_leaves`: {probing.files(saved()[0])}"


def save_run() -> str:
    folder, _, model = saved()
    setup = "import equinox as eqx; model = eqx.tree_deserialise_leaves('model.eqx')"
    code = RUN.format(setup=setup, call="model(x)")
    return probing.same_outputs(probing.in_a_new_process(code, folder), model(TOKENS))


def save_names() -> str:
    text = (saved()[0] / "model.eqx").read_bytes()
    arrays = probing.numbers(saved()[1])
    found = [n for n in arrays if n.rpartition(".")[2].encode() in text]
    code = """
import numpy as np, os
file, count = open("model.eqx", "rb"), 0
while file.tell() < os.path.getsize("model.eqx"):
    count += np.load(file).ndim > 0
print(count)
"""
    read = probing.in_a_new_process(code, saved()[0])
    return f"{len(found)} of {len(arrays)}; {read} arrays in the order of the tree"


def save_settings() -> str:
    return probing.words(saved()[0])


def save_export() -> str:
    return probing.exported(saved()[2])


LAYOUTS = {2: (1, 0), 3: (2, 1, 0)}
"""Kernels of Equinox have the axis of outputs first."""


def logits() -> list[float]:
    def fill(keys: Any, leaf: Any) -> Any:
        if not eqx.is_array(leaf):
            return leaf
        name = ".".join(re.findall(r"\w+", probing.path(keys))).replace("_proj", "")
        name = name.replace("attn.output", "attn.out")
        if name == "embed.weight":
            return probing.filled("embed.embedding", leaf.shape)
        if re.match(r".*(norm|ln_.)\.weight$", name):
            return probing.filled(name.replace("weight", "scale"), leaf.shape)
        if name.endswith("bias"):
            return probing.filled(name, (leaf.size,)).reshape(leaf.shape)
        order = LAYOUTS[leaf.ndim]
        shape = tuple(leaf.shape[axis] for axis in order)
        return probing.filled(name.replace("weight", "kernel"), shape).transpose(order)

    model = jax.tree_util.tree_map_with_path(fill, eqx.nn.inference_mode(made()[0]))
    arrays, rest = eqx.partition(model, lambda a: isinstance(a, np.ndarray))
    model = eqx.combine(jax.tree.map(jnp.asarray, arrays), rest)
    running = tuple(probing.filled(f"norm.{n}", (32,)) for n in ("mean", "var"))
    state = made()[1].set(model.norm.batch_state_index, running)
    return probing.some(batched(model, state, TOKENS)[0])
