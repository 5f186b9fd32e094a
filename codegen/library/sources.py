"""The sources of the ops: functions of JAX by alias, functions of ours as trees."""

from __future__ import annotations

from collections.abc import Callable, Set
from functools import partial

from ...schema.registry import Definition
from ..allowlist import GenerationError, unwritable
from .allowed import Allowed
from .module import OpModule, asked
from .source import OpSource

Reader = Callable[[str], str]
"""The text of a module of `blox.ops`, by its name."""


class Library:
    """The sources of all ops, read module by module when they are asked for.

    Args:
        read: gives the text of a module, by its name in `blox.ops`, or by the name of
            an op that is no core op.
        taken: names of the user that an import of a module must not hide; it gets
            another one.
    """

    def __init__(self, read: Reader, taken: Set[str] = frozenset()) -> None:
        self._read = read
        self._taken = taken
        self._modules: dict[str, OpModule] = {}
        self._used: dict[tuple[str, str], None] = {}
        self._helpers: dict[str, tuple[str, str]] = {}
        self._home: dict[str, str] = {}
        self._reads: dict[str, frozenset[str]] = {}

    def op(self, definition: Definition) -> OpSource:
        home, name = definition.home, definition.python_name
        if home not in self._modules and definition.function is not None:
            titles = partial(self._title, definition)
            self._modules[home] = OpModule.of(self._read(home), self._taken, titles)
        module = self.module(home)
        source = module.get(name) or module.get(f"{name}_")
        if source is None:
            raise GenerationError.one(
                "generate",
                definition.key,
                f"expected the function {name} in the text of its module",
            )
        if definition.function is not None and (home, source.name) not in self._used:
            for used in self._modules[home].reached(source.name):
                # What runs of the op itself is what was registered, not decorated.
                if problem := _problem(used, of_its_own=used.name == name):
                    raise GenerationError.one(
                        "generate",
                        definition.key,
                        "expected functions of expressions, `if` and `for`, found "
                        f"{problem} in {used.name}",
                    )
        self._used[home, source.name] = None
        self._home[source.name] = home
        return source

    def _title(self, definition: Definition, name: str) -> str:
        """The name in a file of a function beside that of an op that is no core op.

        Other modules of its maker may have another function of that name.
        """
        function = definition.function
        assert function is not None
        if name == function.__name__:
            return definition.python_name
        maker = definition.name.partition(":")[0]
        title, owner = f"_{maker}_{name.strip('_')}", (function.__module__, name)
        while self._helpers.setdefault(title, owner) != owner:
            title += "_"
        return title

    def module(self, home: str) -> dict[str, OpSource]:
        return self._module(home).sources

    def _module(self, home: str) -> OpModule:
        if home not in self._modules:
            self._modules[home] = OpModule.of(self._read(home), self._taken)
        return self._modules[home]

    def reads(self, source: OpSource) -> frozenset[str]:
        """What a source, and what it calls, asks of its operands: `ndim`, `shape`, `dtype`.

        Sizes and dtypes count where they decide something, ranks wherever they stand.
        """
        if source.name not in self._reads:
            found: set[str] = set()
            for tree in self._modules[self._home[source.name]].closure(source.name):
                found |= asked(tree)
            self._reads[source.name] = frozenset(found)
        return self._reads[source.name]

    def names(self) -> set[str]:
        """What the modules so far import, by the names that a file has for it."""
        return {name for module in self._modules.values() for name in module.imports}

    def allowed(self, names: Set[str]) -> Allowed:
        """What the sources of all ops so far, and those of `names`, speak of."""
        found = Allowed({}, frozenset(), frozenset(), frozenset())
        wanted = dict(self._used)
        for home, module in self._modules.items():
            wanted |= {(home, n): None for n in module.sources if n in names}
        for home, name in wanted:
            found |= self._modules[home].allowed(name)
        return found


def _problem(source: OpSource, *, of_its_own: bool) -> str:
    """What a file can't hold of a source that is not ours."""
    if source.decorated and not of_its_own:
        return "a decorator"
    return "" if source.function is None else unwritable(source.function)
