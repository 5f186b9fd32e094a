"""What arrays are called in a checkpoint, and in the table of their family."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from blox.schema.diagnostics import Diagnostic, quote
from blox.weights import TensorInfo

from .family import Model

FIRST = "first"
"""The first layer of a list whose others differ from it."""


class Names:
    """The names of a model's arrays: with a head, the rest is behind a prefix."""

    def __init__(self, model: Model) -> None:
        family = model.family
        with_head = model.architecture != family.base
        prefix = family.prefixes.get(model.architecture, family.prefix)
        self._prefix = prefix if with_head else ""
        self._any = {family.prefix, *family.prefixes.values()} - {""}
        self._old = family.old_names
        self._top = frozenset(family.top)
        self._apart = family.apart(model)

    def known(self, name: str) -> str:
        """An array of a checkpoint, as the table calls it."""
        prefix = next((p for p in self._any if name.startswith(p)), "")
        found = name.removeprefix(prefix)
        for old, new in self._old:
            if old.startswith(".") and found.endswith(old):
                found = found.removesuffix(old) + new
            elif found.startswith(old) and not old.startswith("."):
                found = new + found.removeprefix(old)
        place, number, rest = self._layer(found)
        if not number.isdecimal():
            return found
        return f"{place}{int(number) - 1 if int(number) else FIRST}.{rest}"

    def written(self, name: str) -> str:
        """An array of the table, as transformers writes it."""
        place, number, rest = self._layer(name)
        if number.isdecimal() or number == FIRST:
            name = f"{place}{0 if number == FIRST else int(number) + 1}.{rest}"
        return name if name.partition(".")[0] in self._top else self._prefix + name

    def _layer(self, name: str) -> tuple[str, str, str]:
        """What stands before a layer's number, the number, and what stands behind."""
        place = f"{self._apart}."
        if not self._apart or not name.startswith(place):
            return "", "", ""
        number, _, rest = name.removeprefix(place).partition(".")
        return place, number if len(number) < 9 else "", rest

    def table(
        self, tensors: Mapping[str, TensorInfo]
    ) -> tuple[dict[str, TensorInfo], list[Diagnostic]]:
        """The tensors by the names of the table; those that are there twice."""
        found: dict[str, TensorInfo] = {}
        faults = []
        for name, info in tensors.items():
            known = self.known(name)
            if known in found:
                other = quote(found[known].name)
                message = f"expected one tensor of this meaning, found {other} as well"
                faults.append(Diagnostic("weights-unexpected", quote(name), message))
            found[known] = info
        return found, faults


def parts_of(parts: Mapping[str, str], names: Iterable[str]) -> frozenset[str]:
    """The parts whose arrays are there."""
    there = set(names)
    return frozenset(part for part, array in parts.items() if array in there)
