"""The parts of a file of classes, each with a template of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ...schema.syntax import parsed
from ..parts import Part
from ..printer import render


@dataclass(frozen=True)
class Helper(Part):
    """Functions of a library's own, laid out anew: names decide where lines break."""

    TEMPLATE: ClassVar[str]
    title: str
    """The class of the model."""
    stacked: bool
    """True where copies lie on an axis somewhere."""
    listed: bool
    """True where copies lie in a list somewhere."""
    pinned: bool
    """True where arrays have one floating type, whatever the model's is."""

    def __str__(self) -> str:
        return render(parsed(super().__str__()).body)


class Filled(Helper):
    """Reads the arrays that a model wants, with one error for all faults."""

    TEMPLATE = "classes_filled"


class EquinoxLoad(Helper):
    """Fills the classes of Equinox."""

    TEMPLATE = "equinox_load"


class EquinoxUpdated(Helper):
    """A module with new state."""

    TEMPLATE = "equinox_updated"


class EquinoxKept(Helper):
    """The state of what does not run."""

    TEMPLATE = "equinox_kept"


class NnxLoad(Helper):
    """Fills the classes of Flax NNX."""

    TEMPLATE = "nnx_load"


class NnxStacked(Helper):
    """Modules on an axis."""

    TEMPLATE = "nnx_stacked"


class NnxWithState(Helper):
    """A call of a module inside of a loop."""

    TEMPLATE = "nnx_with_state"


class NnxMethodWithState(Helper):
    """A call of a method of a module inside of a loop."""

    TEMPLATE = "nnx_method_with_state"


class NnxWithArrays(Helper):
    """A module with other state."""

    TEMPLATE = "nnx_with_arrays"


class NnxBuffer(Helper):
    """The kind of what is not trained."""

    TEMPLATE = "nnx_buffer"


@dataclass(frozen=True)
class ClassFile(Part):
    """A whole file."""

    TEMPLATE = "classes"
    docstring: str
    imports: str
    constants: Sequence[str]
    parts: Sequence[Part | str]
