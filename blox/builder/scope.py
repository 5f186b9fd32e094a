"""The names that a function has for numbers and sizes: its arguments, dims, attributes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .sizes import Dim, numbered
from .trees import Symbol, Tree, tree_of_size


class NumberScope:
    """The symbols of one run of a function, each with a name of its own.

    Args:
        shown: a symbolic size of JAX as users know it.
    """

    def __init__(self, shown: Callable[[str], str]) -> None:
        self._shown = shown
        self.is_body = False
        """True where the arguments of the function stay attributes: its calls are written
        as nodes of an op, or it is one of another Graph."""
        self.static: dict[str, Any] = {}
        """The arguments that are no values."""
        self.parameters: frozenset[str] = frozenset()
        """The names of all arguments."""
        self.bindings: dict[Symbol, Tree] = {}
        """What each symbol is to the caller: an expression there, or a number."""
        self.dims: dict[str, Symbol] = {}
        self._names: set[str] = set()
        self._known_dims: dict[str, Tree] = {}
        self._declared_dims: dict[tuple[str, str], Symbol] = {}

    def symbol(self, name: str, value: Any, bound: Tree) -> Symbol:
        """A new symbol of this function, with a name of its own."""
        made = Symbol(self._free(name), value, self)
        self.bindings[made] = bound
        return made

    def size(self, name: str, value: int, bound: Tree) -> Any:
        """The size of an axis of an input; names of arguments are theirs."""
        while name in self.parameters:
            name = f"{name}_size"
        return numbered(value, self.symbol(name, value, bound))

    def _free(self, name: str) -> str:
        wanted, count = name, 1
        while name in self._names:
            count += 1
            name = f"{wanted}_{count}"
        self._names.add(name)
        return name

    # Dims --------------------------------------------------------------------------

    def bind_dim(
        self, name: str, size: Any, at: tuple[str, int], bound: Tree, declared: str = ""
    ) -> Dim:
        """An axis of an input whose size only a call decides, by a name.

        Args:
            declared: the dim of the entry that the function is; axes of one dim are one.
        """
        text = str(size)
        made = self._declared_dims.get((text, declared)) if declared else None
        if made is None:
            if name in self._names or name in self.parameters:
                name = f"{at[0]}_{at[1]}"
            while name in self.parameters:
                name = f"{name}_size"
            made = Symbol(self._free(name), size, self, at)
            self.dims[made.name] = self._declared_dims[text, declared] = made
            if bound is not None:
                self.bindings[made] = bound
        self._known_dims.setdefault(text, made)
        return Dim(made, size)

    def dim(self, size: Any) -> Dim:
        """A symbolic size of JAX in the words of this function."""
        text = str(size)
        if text not in self._known_dims:
            shown = self._shown
            dims = reversed(self.dims.values())  # the first of equal ones
            names = {shown(str(s.value)): s for s in dims}
            try:
                self._known_dims[text] = tree_of_size(shown(text), names.__getitem__)
            except (KeyError, SyntaxError, AssertionError):
                self._known_dims[text] = None
        return Dim(self._known_dims[text], size)

    @property
    def sizes(self) -> dict[str, Any]:
        """The dims by name, as the engine takes them."""
        return {name: symbol.value for name, symbol in self.dims.items()}
