"""Models of other people's packages, made small and with random weights, without a download.

A module for each package; each of its public functions makes one model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import blox as bx

Dims: TypeAlias = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Example:
    """What `bx.from_jax` is given.

    Args:
        model: a module, or a function of `params` and the inputs.
        dims: what bounds them.
        sizes: for dims that the model's own code can't have as symbols: tried with these
            where the import with symbols fails.
    """

    model: Any
    inputs: Mapping[str, bx.Input]
    params: Any = None
    dims: Dims = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def fixed(self) -> dict[str, bx.Input]:
        """The inputs, with sizes for these dims."""
        return {
            name: replace(given, shape=[self.sizes.get(d, d) for d in given.shape])
            for name, given in self.inputs.items()
        }


REQUIREMENTS = {
    "discretax": ("discretax==0.3.0", "einops"),
    "equimo": ("equimo==1.1.0", "einops", "loguru", "lz4", "requests", "semver"),
    "esm2quinox": ("esm2quinox==0.2.0",),
    "flowjax": ("flowjax==19.1.2", "paramax", "lineax", "tqdm"),
    "jaxonmodels": (
        "jaxonmodels==0.5.5",
        "jaxonlayers",
        "statedict2pytree",
        "einops",
        "ftfy",
        "wcwidth",
        "regex",
        "loguru",
        "tqdm",
        "beartype",
    ),
    "jraphx": ("jraphx==0.1.0",),
    "mamba2_jax": ("mamba2-jax==1.1.2",),
    "pdequinox": ("pdequinox==0.1.2",),
    "rnn_jax": ("rnn-jax==0.0.2", "einops"),
    "synecdoche": ("synecdoche==0.2.0",),
    "equinox": (),
    "flax": (),
}
"""What is installed for each, by its name in `packages`, each into a folder of its own, without
what it requires: JAX, Equinox and Flax are those of the environment."""
