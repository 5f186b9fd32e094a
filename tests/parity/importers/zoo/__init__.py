"""Whole models of the libraries: each imported, with what it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from importers.agreement import noisy, quick

import blox as bx

TOKENS = {"tokens": bx.Input(["batch", "seq"], "int32")}
IMAGES = {"images": bx.Input(["batch", 12, 12, 3])}
SHORT = {"seq": {"max": 16}}


@dataclass(frozen=True)
class Case:
    """What `bx.from_jax` is given.

    Args:
        call: the model of the library, of what is imported and inputs.
    """

    model: Any
    params: Any
    inputs: Mapping[str, bx.Input]
    call: Callable[..., Any]
    dims: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def imported(self, name: str) -> Any:
        """Graph, Params and Origin."""
        return bx.from_jax(
            self.model, self.inputs, self.params, name=name, dims=self.dims, check=False
        )


def equinox_gpt() -> Case:
    import jax

    from . import equinox_models as models

    def call(model: Any, tokens: Any) -> Any:
        return jax.vmap(model)(tokens)

    made = noisy(jax.eval_shape(lambda: models.GPT(jax.random.key(0))))
    return Case(call, made, TOKENS, quick(call), SHORT)


def nnx_gpt() -> Case:
    from flax import nnx

    from . import nnx_models as models

    return _nnx(models.GPT(nnx.Rngs(0)), SHORT)


def nnx_tagger() -> Case:
    from flax import nnx

    from . import nnx_models as models

    return _nnx(models.Tagger(nnx.Rngs(0)))


def _nnx(model: Any, dims: Mapping[str, Mapping[str, int]] | None = None) -> Case:
    from flax import nnx

    model.eval()

    def call(model: Any, tokens: Any) -> Any:
        graphdef, state = nnx.split(model)
        return quick(lambda state, x: nnx.merge(graphdef, state)(x))(state, tokens)

    return Case(model, None, TOKENS, call, dims or {})


def linen_gpt() -> Case:
    from . import linen_models as models

    return _linen(models.GPT(), TOKENS, SHORT)


def linen_tagger() -> Case:
    from . import linen_models as models

    return _linen(models.Tagger(), TOKENS)


def linen_vit() -> Case:
    from . import linen_models as models

    return _linen(models.ViT(), IMAGES)


def linen_resnet() -> Case:
    from . import linen_models as models

    return _linen(models.ResNet(), IMAGES)


def _linen(
    model: Any,
    inputs: Mapping[str, bx.Input],
    dims: Mapping[str, Mapping[str, int]] | None = None,
) -> Case:
    import jax

    given = _zeros(inputs)
    variables = noisy(jax.eval_shape(lambda: model.init(jax.random.key(0), *given)))
    return Case(model, variables, inputs, quick(model.apply), dims or {})


def haiku_gpt() -> Case:
    import haiku as hk
    import jax

    from . import haiku_models as models

    model = hk.transform(models.gpt)
    given = _zeros(TOKENS)
    params = noisy(jax.eval_shape(lambda: model.init(jax.random.key(0), *given)))

    def call(params: Any, tokens: Any) -> Any:
        return model.apply(params, None, tokens)

    return Case(model, params, TOKENS, quick(call), SHORT)


def _zeros(inputs: Mapping[str, bx.Input]) -> list[Any]:
    import jax.numpy as jnp

    return [
        jnp.zeros([2 if isinstance(n, str) else n for n in one.shape], _dtype(one))
        for one in inputs.values()
    ]


def _dtype(one: bx.Input) -> str:
    return "int32" if one.dtype == "int32" else "float32"


CASES: dict[str, Callable[[], Case]] = {
    case.__name__: case
    for case in (
        equinox_gpt,
        haiku_gpt,
        linen_gpt,
        linen_resnet,
        linen_tagger,
        linen_vit,
        nnx_gpt,
        nnx_tagger,
    )
}
