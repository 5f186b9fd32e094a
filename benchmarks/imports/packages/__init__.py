"""Models of other people's packages, made small and with random weights, without a download.

A module for each package; each of its public functions makes one model, and so do those of
its table `LAYERS`. `EVERY` names the layers of a library, all of which are to have a row.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

sys.path.insert(0, str(Path(__file__).parents[3]))

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
        refused: what the error says where it is rightly refused.
    """

    model: Any
    inputs: Mapping[str, bx.Input]
    params: Any = None
    dims: Dims = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    refused: str = ""

    @property
    def fixed(self) -> dict[str, bx.Input]:
        """The inputs, with sizes for these dims."""
        return {
            name: replace(given, shape=[self.sizes.get(d, d) for d in given.shape])
            for name, given in self.inputs.items()
        }


REQUIREMENTS = {
    "attnax": ("attnax==0.2.0",),
    "discretax": ("discretax==0.3.0", "einops"),
    "equimo": ("equimo==1.1.0", "einops", "loguru", "lz4", "requests", "semver"),
    "esm2quinox": ("esm2quinox==0.2.0",),
    "flowjax": ("flowjax==19.1.2", "paramax", "lineax", "tqdm"),
    "heal_swin_nnx": ("heal-swin-nnx==0.2.0",),
    "jaxkan": ("jaxkan==0.3.7",),
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
    "mamba3_jax": ("mamba3-jax==1.0.1",),
    "memax": ("memax==0.1.1", "beartype"),
    "nanodl": ("nanodl==0.0.0",),
    "norax": ("norax==1.0.1",),
    "noxton": ("noxton==0.1.4", "beartype", "jaxonlayers"),
    "palm_jax": ("palm-jax==0.1.2", "einops"),
    "pdequinox": ("pdequinox==0.1.2",),
    "rnn_jax": ("rnn-jax==0.0.2", "einops"),
    "synecdoche": ("synecdoche==0.2.0",),
    "equinox": (),
    "equinox_models": (),
    "nnx": (),
    "linen": (),
    "flax_models": (),
    "haiku": ("dm-haiku==0.0.17", "jmp", "tabulate", "absl-py"),
}
"""What is installed for each, by its name in `packages`, each into a folder of its own, without
what it requires: JAX, Equinox and Flax are those of the environment."""


def classes(library: Any, base: type, without: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The names of all layers of a library: subclasses of `base` that it makes public.

    Args:
        without: those that are no layer, as they compute nothing by themselves.
    """
    return tuple(
        name
        for name, value in vars(library).items()
        if isinstance(value, type)
        and issubclass(value, base)
        and value is not base
        and name not in without
        and not name.startswith("_")
    )
