"""Modules of PyTorch with numbers of ours: what references of recipes are made of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch_reference import case, randn

Places = Mapping[str, str]
"""Where a module, or one array of it, lies in our tree."""


def leaf(*shape: int, scale: float = 1.0) -> Tensor:
    return (scale * randn(*shape)).float().double().requires_grad_()


class Numbers:
    """Arrays in our layout, and the same as the arrays of modules."""

    def __init__(self) -> None:
        self.own: dict[str, Tensor] = {}

    def of(
        self, module: nn.Module, places: Places, centred: Collection[str] = ()
    ) -> dict[str, Tensor]:
        """New numbers for all arrays of a module; all of them have a place.

        Norms in `centred` add 1 to what they keep; ours keep the sum.
        """
        found: dict[str, Tensor] = {}
        for name, there in [*module.named_parameters(), *module.named_buffers()]:
            part, _, last = name.rpartition(".")
            if last == "num_batches_tracked":
                continue
            where = places.get(name) or f"{places[part]}.{_called(last, there)}"
            layer = module.get_submodule(part)
            shape = _ours(layer, there).shape
            if last == "running_var":
                ours = (torch.rand(shape) + 0.5).float().double()
            elif last == "running_mean":
                ours = randn(*shape)
            else:
                ours = leaf(*shape, scale=0.5)
            self.own[f"net.{where}"] = ours
            found[name] = _theirs(layer, ours) - (1 if part in centred else 0)
        return found

    def stacked(
        self, modules: Sequence[nn.Module], places: Places
    ) -> list[dict[str, Tensor]]:
        """New numbers for the copies of a repeat, which lie in one array each."""
        before = self.own
        copies = []
        for module in modules:
            self.own = {}
            self.of(module, places)
            copies.append(self.own)
        self.own = before
        for name in copies[0]:
            one = torch.stack([c[name].detach() for c in copies])
            self.own[name] = one.requires_grad_()
        result = []
        for i, module in enumerate(modules):
            arrays = {}
            for name, there in module.named_parameters():
                part, _, last = name.rpartition(".")
                where = places.get(name) or f"{places[part]}.{_called(last, there)}"
                layer = module.get_submodule(part)
                arrays[name] = _theirs(layer, self.own[f"net.{where}"][i])
            result.append(arrays)
        return result


def _called(name: str, there: Tensor) -> str:
    """What we call an array of a layer."""
    if name == "weight":
        return "kernel" if there.ndim > 1 else "scale"
    return {"running_mean": "mean", "running_var": "var"}.get(name, name)


def _ours(layer: nn.Module, x: Tensor) -> Tensor:
    """A kernel with its spatial axes first, then inputs, then outputs."""
    if x.ndim < 2 or not _has_kernel(layer):
        return x
    transposed = isinstance(layer, (nn.ConvTranspose1d, nn.ConvTranspose2d))
    return x.movedim((0, 1), (-2, -1) if transposed else (-1, -2))


def _theirs(layer: nn.Module, x: Tensor) -> Tensor:
    if x.ndim < 2 or not _has_kernel(layer):
        return x
    transposed = isinstance(layer, (nn.ConvTranspose1d, nn.ConvTranspose2d))
    return x.movedim((-2, -1) if transposed else (-1, -2), (0, 1))


def _has_kernel(layer: nn.Module) -> bool:
    return isinstance(layer, (nn.Linear, nn.modules.conv._ConvNd))


def recorded(
    kind: str,
    module: nn.Module,
    places: Places,
    inputs: Mapping[str, Tensor],
    run: Callable[[Callable[..., Any]], Tensor],
    centred: Collection[str] = (),
    **options: Any,
) -> None:
    """A case of a recipe.

    Args:
        kind: the recipe.
        module: what computes the same.
        places: where its arrays lie in ours.
        inputs: of the recipe.
        run: the result, given the module with our numbers as a function.
        centred: norms that add 1 to what they keep.
        options: of the recipe.
    """
    module = module.double().eval()
    numbers = Numbers()
    arrays = numbers.of(module, places, centred)

    def call(*args: Any, **kwargs: Any) -> Any:
        return torch.func.functional_call(module, arrays, args, kwargs)

    case(kind, {**inputs, **numbers.own}, run(call), **options)
