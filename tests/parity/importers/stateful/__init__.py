"""Whole models of each library: what is imported, and how the library runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import equinox as eqx
import haiku as hk
import jax
import jax.numpy as jnp
from flax import nnx

import blox as bx

from . import of_equinox, of_haiku, of_linen, of_nnx

KEY = jax.random.key(0)
BATCH, LENGTH = 2, 6
TOKENS = {
    "text": bx.Input(["batch", "seq"], "int32"),
    "token": bx.Input(["batch", 1], "int32"),
}
IMAGES = {"images": bx.Input(["batch", 8, 8, 3])}
TEXT = jnp.array([[1, 2, 3], [7, 0, 10]])
SAID = jnp.array([[4], [8]])


@dataclass(frozen=True)
class Whole:
    """A model of a library.

    Args:
        given: what `bx.from_jax` is given: the model, and its arrays where it has none.
        run: of what `origin.export` gives, whether it trains, and inputs: what it gives, and
            the same after the call.
        caches: shapes of those arrays that are caches.
    """

    given: tuple[Any, ...]
    inputs: Mapping[str, bx.Input]
    run: Callable[..., tuple[Any, Any]]
    caches: Mapping[str, Any] = field(default_factory=dict)

    def nothing(self, graph: bx.Graph) -> dict[str, Any]:
        """The caches of the Graph at the start, by name."""
        sizes = {"batch": BATCH, "cached": LENGTH}
        given = graph.plain()["functions"]["main"]["inputs"]
        return {
            name: jnp.zeros(
                [sizes.get(size, size) for size in declared["shape"]],
                "int32" if declared["dtype"] == "int32" else "float32",
            )
            for name, declared in given.items()
            if name not in self.inputs
        }


# Flax ------------------------------------------------------------------------------------


def _of_nnx(model: Any, train: bool, *xs: Any) -> tuple[Any, Any]:
    after = nnx.clone(model)
    after.train() if train else after.eval()
    return after(*xs), after


def nnx_translator() -> Whole:
    model = of_nnx.Translator(nnx.Rngs(0))
    model.init_cache(BATCH, LENGTH)
    return Whole((model,), TOKENS, _of_nnx, flax_caches())


def nnx_classifier() -> Whole:
    return Whole((of_nnx.ResNet(nnx.Rngs(0)),), IMAGES, _of_nnx)


def flax_caches() -> dict[str, Any]:
    cache = ["batch", "cached", "..."]
    return {"cached_key": cache, "cached_value": cache, "cache_index": []}


def linen_translator() -> Whole:
    model = of_linen.Translator()
    text = jnp.zeros((BATCH, LENGTH), jnp.int32)
    variables = model.init(KEY, text, text)  # the caches have the length of this

    def run(variables: Any, _: bool, *xs: Any) -> tuple[Any, Any]:
        out, changed = model.apply(variables, *xs, mutable=["cache"])
        return out, {**variables, **changed}

    return Whole((model, variables), TOKENS, run, flax_caches())


def linen_classifier() -> Whole:
    model = of_linen.ResNet()
    variables = model.init(KEY, jnp.zeros((1, 8, 8, 3)), True)

    def run(variables: Any, train: bool, *xs: Any) -> tuple[Any, Any]:
        out, changed = model.apply(variables, *xs, train, mutable=["batch_stats"])
        return out, {**variables, **changed}

    return Whole((model, variables), IMAGES, run)


# Equinox ---------------------------------------------------------------------------------


def equinox_translator() -> Whole:
    make = eqx.nn.make_with_state(of_equinox.Translator)
    pair = make(BATCH, LENGTH, KEY)

    def run(pair: Any, _: bool, *xs: Any) -> tuple[Any, Any]:
        out, state = of_equinox.translated(pair, *xs)
        return out, (pair[0], state)

    cache = ["batch", "cached", "..."]
    caches = {"keys": cache, "values": cache, "place": []}
    inputs = {**TOKENS, "token": bx.Input(["batch"], "int32")}
    return Whole((of_equinox.translated, pair), inputs, run, caches)


def equinox_classifier() -> Whole:
    pair = eqx.nn.make_with_state(of_equinox.ResNet)(KEY)

    def run(pair: Any, train: bool, images: Any) -> tuple[Any, Any]:
        model = pair[0] if train else eqx.nn.inference_mode(pair[0])
        out, state = of_equinox.batched_net((model, pair[1]), images)
        return out, (pair[0], state)

    inputs = {"images": bx.Input(["batch", 3, 8, 8])}
    return Whole((of_equinox.batched_net, pair), inputs, run)


# Haiku -----------------------------------------------------------------------------------


def haiku_translator() -> Whole:
    model = hk.transform_with_state(of_haiku.translator)
    arrays = model.init(KEY, TEXT, SAID)
    zeros = jax.tree.map(jnp.zeros_like, arrays[1])

    def run(arrays: Any, _: bool, *xs: Any) -> tuple[Any, Any]:
        out, state = model.apply(*arrays, None, *xs)
        return out, (arrays[0], state)

    cache = ["batch", "..."]
    caches = {"keys": cache, "values": cache, "place": []}
    return Whole((model, (arrays[0], zeros)), TOKENS, run, caches)


def haiku_classifier() -> Whole:
    model = hk.transform_with_state(of_haiku.resnet)
    arrays = model.init(KEY, jnp.zeros((1, 8, 8, 3)), True)

    def run(arrays: Any, train: bool, *xs: Any) -> tuple[Any, Any]:
        out, state = model.apply(*arrays, None, *xs, train)
        return out, (arrays[0], state)

    return Whole((model, arrays), IMAGES, run)


TRANSLATORS: dict[str, Callable[[], Whole]] = {
    "nnx_translator": nnx_translator,
    "linen_translator": linen_translator,
    "equinox_translator": equinox_translator,
    "haiku_translator": haiku_translator,
}
CLASSIFIERS: dict[str, Callable[[], Whole]] = {
    "nnx_classifier": nnx_classifier,
    "linen_classifier": linen_classifier,
    "equinox_classifier": equinox_classifier,
    "haiku_classifier": haiku_classifier,
}


KEPT: dict[str, Callable[[], Whole]] = {**TRANSLATORS, **CLASSIFIERS}


def imported(name: str, whole: Whole, **options: Any) -> Any:
    """The Graph, Params and origin of a model."""
    model, *arrays = whole.given
    return bx.from_jax(
        model, whole.inputs, *arrays, name=name, caches=whole.caches, **options
    )
