"""Which arrays of theirs may be which of ours, by words and shapes: one rule for each way."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from .alike import Layer
from .conventions import Reader
from .flattened import Names
from .layouts import Constant, Gates, Kernel, Rearrange, Sum
from .patterns import is_number
from .rules import Rule
from .spec import Layout, Spec
from .transposed import FLIPPED, kernel_layouts

_WORDS: dict[str, tuple[str, ...]] = {
    "kernel": ("weight", "kernel", "w", "weight_ih"),
    "recurrent_kernel": ("weight_hh",),
    "bias": ("bias", "b", "beta", "offset", "bias_ih"),
    "recurrent_bias": ("bias_hh",),
    "scale": ("weight", "scale", "gamma"),
    "embedding": ("weight", "embedding", "embeddings"),
    "mean": ("running_mean", "mean", "moving_mean"),
    "var": ("running_var", "var", "moving_variance"),
    "slope": ("weight", "negative_slope", "alpha"),
}
"""What arrays of ours are called elsewhere."""
COUNTER = "num_batches_tracked"
SECOND_BIAS = "bias_hh"
"""Of an LSTM in PyTorch: added to the first one, and to be added to ours."""
TURNED = ("torch", "equinox")
"""Libraries whose kernels are (out, in, spatial...), behind images with channels first."""


class Fitting:
    """The ways in which layers of a library may be layers of ours.

    Args:
        of: the library; None for any.
        ops: what reads an array, by the parts of its path without numbers.
        images: channels of a flattened image, by the parts of the map that gets it.
    """

    def __init__(
        self,
        of: str | None,
        ops: Mapping[Names, Reader],
        images: Mapping[Names, int],
    ) -> None:
        self.of, self._ops, self._images = of, ops, images

    def fits(self, ours: Layer, theirs: Layer) -> bool:
        """True where each array of ours has one of theirs, and none is left."""
        words = [self._word(slot, theirs) for slot in ours.arrays]
        more = {COUNTER, SECOND_BIAS} if self._is_summed(ours, theirs) else {COUNTER}
        if None in words or set(words) != theirs.arrays.keys() - more:
            return False
        return all(self.rules(ours, theirs, slot) for slot in ours.arrays)

    def _word(self, slot: str, theirs: Layer) -> str | None:
        known = (slot, *_WORDS.get(slot, ()))
        return next((word for word in known if word in theirs.arrays), None)

    def _is_summed(self, ours: Layer, theirs: Layer) -> bool:
        """True of a cell that has one bias here and two there."""
        both = theirs.arrays.keys() >= {"bias_ih", SECOND_BIAS}
        return both and "bias" in ours.arrays and "recurrent_bias" not in ours.arrays

    def rules(self, ours: Layer, theirs: Layer, slot: str) -> list[Rule]:
        """The rules that shapes allow for an array of ours."""
        word = self._word(slot, theirs)
        if word is None:
            return []
        (mine, spec), (other, given) = ours.arrays[slot], theirs.arrays[word]
        names: tuple[str, ...] = (other,)
        last: tuple[Layout, ...] = ()
        if slot == "mean" and COUNTER in theirs.arrays:
            counter, counted = theirs.arrays[COUNTER]
            names, last = (other, counter), (Constant(0, counted.dtype),)
        if slot == "bias" and self._is_summed(ours, theirs):
            names, last = (other, theirs.arrays[SECOND_BIAS][0]), (Sum(),)
        found = dict.fromkeys(self._layouts(ours, slot, spec, given))
        return [Rule(mine, names, *layouts, *last) for layouts in found]

    def _layouts(
        self, layer: Layer, slot: str, ours: Spec, theirs: Spec
    ) -> Iterator[tuple[Layout, ...]]:
        turned = slot in ("kernel", "recurrent_kernel") and len(ours.shape) > 1
        there = Kernel().unshapes([ours])[0].shape if turned else None
        at = _parts(layer.name)
        reader = self._ops.get((*at, slot), Reader())
        if slot == "kernel" and reader.flipped is not None:
            yield from self._transposed(reader, ours, theirs)
            return
        if self.of in (None, *TURNED) and there == theirs.shape:
            yield (Kernel(),)
            if len(ours.shape) == 2 and (channels := self._images.get(at)):
                yield (Rearrange("o (c n) -> (n c) o", c=channels),)
        if ours.shape == theirs.shape and not (turned and self.of in TURNED):
            yield from self._as_it_lies((*at, slot))
        if self.of not in TURNED:
            yield from _heads(slot, ours.shape, theirs.shape)
        rank = max(len(spec.shape) for _, spec in layer.arrays.values())
        ones = (1,) * (rank - 2)
        if slot == "bias" and ones and theirs.shape == (*ours.shape, *ones):
            yield (Rearrange(f"o {'1 ' * len(ones)}-> o"),)

    def _transposed(
        self, reader: Reader, ours: Spec, theirs: Spec
    ) -> Iterator[tuple[Layout, ...]]:
        """Of the kernel of a transposed convolution, by the libraries that read it so."""
        libraries = FLIPPED if self.of is None else {self.of} & FLIPPED.keys()
        for of in libraries:
            if FLIPPED[of] is reader.flipped:
                layouts = kernel_layouts(of, len(ours.shape) - 2, reader.groups)
                there = [ours]
                for layout in reversed(layouts):
                    there = [*layout.unshapes(there)]
                if there[0].shape == theirs.shape:
                    yield layouts

    def _as_it_lies(self, path: Names) -> Iterator[tuple[Layout, ...]]:
        """As it is; the gates of a GRU have another order in Keras."""
        gru = self._ops.get(path, Reader()).op == "gru_cell"
        if gru and self.of in (None, "keras"):
            yield (Gates("zrn", "rzn"),)
        if not gru or self.of != "keras":
            yield ()


def _heads(
    slot: str, ours: tuple[int, ...], theirs: tuple[int, ...]
) -> Iterator[tuple[Layout, ...]]:
    """Heads on an axis of their own, as in attention of Flax and Keras."""
    if len(theirs) != len(ours) + 1 or math.prod(theirs) != math.prod(ours):
        return
    if slot == "bias" and len(ours) == 1:
        yield (Rearrange("h d -> (h d)", h=theirs[0]),)
    elif slot == "kernel" and len(ours) == 2:
        if theirs[0] == ours[0]:
            yield (Rearrange("i h d -> i (h d)", h=theirs[1]),)
        if theirs[-1] == ours[-1]:
            yield (Rearrange("h d o -> (h d) o", h=theirs[0]),)


def _parts(name: str) -> Names:
    """The parts of a name without numbers of copies."""
    parts = name.split(".")
    return tuple(p for p in parts if not is_number(p) and not p.startswith("{"))
