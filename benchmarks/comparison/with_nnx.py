"""The probes of Flax NNX."""

from __future__ import annotations

import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
import probing
from flax import nnx
from jax.sharding import PartitionSpec as P
from model_nnx import Tagger
from probing import BATCH, FEATURES, ONES, OPTIMIZER, TOKENS, cross_entropy

PACKAGE = "flax"


def training(**sizes: Any) -> Any:
    model = Tagger(rngs=nnx.Rngs(0), **sizes)
    optimizer = nnx.Optimizer(model, OPTIMIZER, wrt=nnx.Param)

    @nnx.jit
    def step(model: Tagger, optimizer: nnx.Optimizer, tokens: jax.Array) -> jax.Array:
        def loss_of(model: Tagger) -> jax.Array:
            return cross_entropy(model(tokens), tokens)

        loss, grads = nnx.value_and_grad(loss_of)(model)
        optimizer.update(model, grads)
        return loss

    return (model, optimizer), step


def stepped(step: Any, carry: Any, tokens: jax.Array, _: jax.Array) -> Any:
    step(*carry, tokens)
    return carry


def made() -> Tagger:
    return Tagger(rngs=nnx.Rngs(0))


def called(model: Any, *args: Any) -> Any:
    return model(*args)


def evaluation(**sizes: Any) -> Any:
    model = Tagger(rngs=nnx.Rngs(0), **sizes)
    model.eval()
    call = nnx.jit(called)
    return lambda tokens: call(model, tokens)


def evaluation_of_trees(**sizes: Any) -> Any:
    model = Tagger(rngs=nnx.Rngs(0), **sizes)
    model.eval()
    call = nnx.jit(called, graph=False)
    return lambda tokens: call(model, tokens)


def evaluation_of_arrays(**sizes: Any) -> Any:
    model = Tagger(rngs=nnx.Rngs(0), **sizes)
    model.eval()
    graphdef, state = nnx.split(model)

    @jax.jit
    def call(state: Any, tokens: jax.Array) -> Any:
        return nnx.merge(graphdef, state)(tokens)

    return lambda tokens: call(state, tokens)


# `jax.jit` ---------------------------------------------------------------------------


def jit_whole() -> str:
    model = made()
    found = probing.tried(lambda: str(jax.jit(called)(model, TOKENS).dtype) and "runs")
    lost = jnp.array_equal(model.norm.mean[...], made().norm.mean[...])
    return f"{found}; what it changed is {'lost' if lost else 'kept'}"


def jit_other_leaves() -> str:
    return probing.others(made())


def jit_compilations() -> str:
    model, call = made(), nnx.jit(called)
    found = probing.compilations(lambda: [call(model, TOKENS) for _ in range(3)])
    return f"{found}, by `nnx.jit`"


# State -------------------------------------------------------------------------------


def state_statistics() -> str:
    model = made()
    before = probing.numbers(model)
    model(TOKENS)
    there = [
        n for n in probing.changed(before, probing.numbers(model)) if "rngs" not in n
    ]
    return "attributes of the model: " + ", ".join(f"`{n}`" for n in there)


def state_in_place() -> str:
    model = made()
    before = probing.numbers(model)
    model(TOKENS)
    return probing.yes(probing.changed(before, probing.numbers(model)))


def state_keys() -> str:
    return probing.keys_in(made())


def transforms() -> str:
    return probing.listed(probing.own_transforms(nnx))


# Random numbers ----------------------------------------------------------------------


def dropout() -> nnx.Dropout:
    return nnx.Dropout(0.5, rngs=nnx.Rngs(0))


def random_vmap() -> str:
    closed = probing.tried(lambda: probing.masks(jax.vmap(dropout())(ONES)))
    given = probing.masks(jax.vmap(called, (None, 0))(dropout(), ONES))
    return f"closed over: {closed}; as an argument: {given}"


def random_vmap_own() -> str:
    @nnx.split_rngs(splits=4)
    @nnx.vmap
    def call(drop: nnx.Dropout, x: jax.Array) -> jax.Array:
        return drop(x)

    return f"{probing.masks(call(dropout(), ONES))}, by `nnx.split_rngs` and `nnx.vmap`"


def random_scan() -> str:
    drop = dropout()
    return probing.tried(
        lambda: probing.masks(jax.lax.scan(lambda c, x: (c, drop(x)), 0, ONES)[1])
    )


def random_scan_own() -> str:
    found = jax.lax.scan(lambda drop, x: (drop, drop(x)), dropout(), ONES)[1]
    return f"{probing.masks(found)}: the model as carry"


def random_layers() -> str:
    @nnx.split_rngs(splits=4)
    @nnx.vmap
    def layers(rngs: nnx.Rngs) -> nnx.Dropout:
        return nnx.Dropout(0.5, rngs=rngs)

    @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=(nnx.Carry, 0))
    def call(x: jax.Array, drop: nnx.Dropout) -> Any:
        return x, drop(x)

    found = probing.masks(call(ONES[0], layers(nnx.Rngs(0)))[1])
    return f"{found}, by `nnx.split_rngs` and `nnx.vmap` where they are made"


# Trees -------------------------------------------------------------------------------


def tree_step() -> str:
    carry, step = training()
    before = jax.tree.map(lambda a: a, nnx.split(carry))
    return probing.same_tree(before, nnx.split(stepped(step, carry, TOKENS, None)))


def tree_scan() -> str:
    (carry, step), (expected, _) = training(), training()

    def run() -> str:
        def body(carry: Any, _: None) -> Any:
            step(*carry, TOKENS)
            return carry, None

        return probing.alike(jax.lax.scan(body, carry, length=3)[0], expected)

    for _ in range(3):
        step(*expected, TOKENS)
    return probing.tried(run)


class Tied(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.embed = nnx.Embed(5, 5, rngs=rngs)
        self.head = nnx.Linear(5, 5, use_bias=False, rngs=rngs)
        self.head.kernel = self.embed.embedding

    def __call__(self, tokens: jax.Array) -> jax.Array:
        return self.head(self.embed(tokens))


def tied_loss(model: Tied) -> jax.Array:
    return jnp.sum(model(TOKENS[0] % 5) ** 2)


def tied_arrays() -> str:
    model = Tied(nnx.Rngs(0))
    own = len(jax.tree.leaves(nnx.state(model)))
    return f"{len(jax.tree.leaves(model))} ({own} in `nnx.state`)"


def still_tied(model: Tied) -> str:
    if model.head.kernel is model.embed.embedding:
        return "one array"
    same = jnp.array_equal(model.head.kernel[...], model.embed.embedding[...])
    return "equal" if same else "apart"


def tied_plain() -> str:
    model = Tied(nnx.Rngs(0))
    grads = jax.grad(tied_loss)(model)
    return still_tied(jax.tree.map(lambda p, g: p - 0.1 * g, model, grads))


def tied_own() -> str:
    model = Tied(nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, OPTIMIZER, wrt=nnx.Param)
    optimizer.update(model, nnx.grad(tied_loss)(model))
    return f"{still_tied(model)}, by `nnx.grad` and `nnx.Optimizer`"


# Statistics of batches ---------------------------------------------------------------


def norm(axis_name: str | None = None) -> nnx.BatchNorm:
    return nnx.BatchNorm(FEATURES, momentum=0.9, axis_name=axis_name, rngs=nnx.Rngs(0))


def kept(call: Any, model: nnx.BatchNorm, x: jax.Array) -> str:
    """The statistics of the model that was given to a call."""
    call(model, x)
    return probing.statistics(model.mean[...])


def returned(call: Any, model: nnx.BatchNorm, x: jax.Array) -> str:
    """The statistics of the model that a call returns as its second result."""
    return probing.statistics(call(model, x)[1].mean[...])


def both(model: nnx.BatchNorm, x: jax.Array) -> Any:
    return model(x), model


def loss(model: nnx.BatchNorm, x: jax.Array) -> jax.Array:
    return jnp.sum(model(x) ** 2)


def loss_and_model(model: nnx.BatchNorm, x: jax.Array) -> Any:
    return loss(model, x), model


RETURNED = "the model returned"


def statistics_jit() -> str:
    return probing.either(
        lambda: kept(jax.jit(called), norm(), BATCH),
        (RETURNED, lambda: returned(jax.jit(both), norm(), BATCH)),
        ("`nnx.jit`", lambda: kept(nnx.jit(called), norm(), BATCH)),
    )


def statistics_grad() -> str:
    aux = jax.grad(loss_and_model, has_aux=True)
    return probing.either(
        lambda: kept(jax.grad(loss), norm(), BATCH),
        (RETURNED, lambda: returned(aux, norm(), BATCH)),
        ("`nnx.grad`", lambda: kept(nnx.grad(loss), norm(), BATCH)),
    )


def statistics_vmap() -> str:
    x, options = BATCH[:, None], {"in_axes": (None, 0), "axis_name": "data"}
    out = {"out_axes": (0, None)}
    return probing.either(
        lambda: kept(jax.vmap(called, **options), norm("data"), x),
        (RETURNED, lambda: returned(jax.vmap(both, **options, **out), norm("data"), x)),
        ("`nnx.vmap`", lambda: kept(nnx.vmap(called, **options), norm("data"), x)),
    )


def statistics_scan() -> str:
    batches = jnp.stack([BATCH] * 3)
    found, _ = jax.lax.scan(lambda model, x: both(model, x)[::-1], norm(), batches)
    return probing.statistics(found.mean[...], 3)


def statistics_shard_map() -> str:
    options = {"mesh": probing.two_devices(), "in_specs": (P(), P("data"))}

    def run(how: Any, transform: Any, function: Any, out: Any) -> str:
        return how(transform(function, **options, out_specs=out), norm("data"), BATCH)

    lanes = P("data")
    return probing.either(
        lambda: run(kept, jax.shard_map, called, lanes),
        (RETURNED, lambda: run(returned, jax.shard_map, both, (lanes, P()))),
        ("`nnx.shard_map`", lambda: run(kept, nnx.shard_map, called, lanes)),
    )


# Starts and settings -----------------------------------------------------------------


def kernels(names: str) -> dict[str, Any]:
    rngs = nnx.Rngs(0)
    return {name: nnx.Linear(4, 4, rngs=rngs).kernel[...] for name in names}


def init_inserted() -> str:
    return f"{probing.moved(kernels('abc'), kernels('aXbc'))}, by one `nnx.Rngs`"


def init_appended() -> str:
    return f"{probing.moved(kernels('abc'), kernels('abcX'))}, by one `nnx.Rngs`"


def settings_changed() -> str:
    drop, call = dropout(), nnx.jit(called)
    drop.rate = 0.1
    call(drop, ONES)
    drop.rate = 0.9
    found = probing.in_force(
        probing.compilations(lambda: call(drop, ONES)), call(drop, ONES)
    )
    return f"in place: {found}"


def settings_same() -> str:
    call = nnx.jit(called)
    first, again = made(), made()
    call(first, TOKENS)
    return str(probing.compilations(lambda: call(again, TOKENS)))


# Saving ------------------------------------------------------------------------------


@cache
def saved() -> tuple[Path, Any, Any]:
    """The folder of a saved tagger, its arrays, and what it computes."""
    model = made()
    model.eval()
    state = nnx.state(model, (nnx.Param, nnx.BatchStat))
    folder = Path(tempfile.mkdtemp()) / "model"
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(folder, nnx.to_pure_dict(state))
    return folder, state, model


def save_files() -> str:
    return f"`orbax.checkpoint` of `nnx.to_pure_dict`: {probing.files(saved()[0])}"


READ = """
import jax, orbax.checkpoint as ocp
from pathlib import Path
tree = ocp.StandardCheckpointer().restore(Path("model").absolute())
"""


def save_run() -> str:
    found = probing.in_a_new_process(
        f"{READ}\nprint(type(tree).__name__)", saved()[0].parent
    )
    return f"no: a `{found}` of arrays"


def save_names() -> str:
    found = probing.in_a_new_process(
        f"{READ}\nprint(len(jax.tree.leaves(tree)))", saved()[0].parent
    )
    return f"{found} of {len(jax.tree.leaves(saved()[1]))}"


def save_settings() -> str:
    return probing.words(saved()[0])


def save_export() -> str:
    return probing.exported(lambda tokens: saved()[2](tokens))


def logits() -> list[float]:
    def fill(keys: Any, leaf: jax.Array) -> Any:
        name = ".".join(re.findall(r"\w+", probing.path(keys))).removesuffix(".value")
        if "rngs" in name:
            return leaf
        sizes = (leaf.size // 32, 32) if "attn" in name else leaf.shape
        return jnp.asarray(probing.filled(name, sizes).reshape(leaf.shape))

    model = jax.tree_util.tree_map_with_path(fill, made())
    return probing.some(
        nnx.view(model, deterministic=True, use_running_average=True)(TOKENS)
    )
