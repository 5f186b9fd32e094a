"""What a frontend makes of a model: a pure function of its arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

from ..trace import Path

Kind = Literal["param", "buffer", "state"]


@dataclass(frozen=True)
class Source:
    """A model as a function of its arrays, whatever library wrote it.

    Args:
        call: of the arrays and the inputs -> (outputs, updates). Outputs are an array, or a
            dict, a list or a tuple of arrays. Updates are the new values of those arrays
            that a call changes, by path.
        arrays: a tree of arrays, of the source's own kind.
        marked: while it lasts, calls of known layers are one equation each, and calls of
            modules and of the user's functions are marked. The names in it are classes of
            layers that are to be traced like any other module.
        rebuilt: the model with other arrays, a tree like `arrays`.
        kinds: of arrays that are not trained, by path.
        name: of the class or function.
        caches: names of inputs of which the outputs of these names are the next values.
        flags: settings of its modules that the import chose.
    """

    call: Callable[..., tuple[Any, Mapping[Path, Any]]]
    arrays: Any
    name: str
    marked: Callable[[frozenset[str]], AbstractContextManager[None]] = field(
        default=lambda without: nullcontext()
    )
    rebuilt: Callable[[Any], Any] = field(default=lambda arrays: arrays)
    kinds: Mapping[Path, Kind] = field(default_factory=dict)
    caches: frozenset[str] = frozenset()
    flags: Mapping[str, bool] = field(default_factory=dict)
