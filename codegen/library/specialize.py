"""The functions that a file carries over, each cut to what the file uses of it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass, field

from ..names import Names
from ..nodes import names_in, renamed
from ..walk import dumped
from .cut import Cutter
from .single import expression_of, is_small, passes_on
from .sources import Library
from .use import Cut, Use

HELPERS = {"fold_in": "keys", "merge": "state", "kept": "state"}
"""Functions that loops, keys and state call, by the module that they lie in."""


@dataclass
class Carried:
    """The carried functions of one file, by name, and all uses of them."""

    library: Library
    uses: dict[str, dict[object, Use]] = field(default_factory=dict)
    families: dict[str, str] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    """What the functions are called in the file."""
    calls: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)
    """How many calls of a function give an attribute a value, by its text."""
    sites: Counter[str] = field(default_factory=Counter)
    cuts: dict[str, Cut] = field(default_factory=dict)
    templates: dict[str, ast.expr | None] = field(default_factory=dict)

    def use(self, family: str, name: str, uses: Sequence[Use]) -> None:
        """Adds a call, with what is known of it in each instance of its function."""
        self.families[name] = family
        self.sites[name] += 1
        attributes = uses[0].attributes
        dumps = tuple((k, dumped(v)) for k, v in attributes.items())
        self.calls.setdefault(name, Counter()).update(dumps)
        for use in uses:
            same = (dumps, use.present, use.maybe, use.numbers, repr(use.facts))
            self.uses.setdefault(name, {})[same] = use

    def settle(self, names: Names) -> None:
        """Gives the functions names, once all uses are known."""
        self.families |= HELPERS
        self.titles |= {name: name for name in HELPERS}  # reserved: no graph has them
        for name in list(self.uses):
            self._settle(name, names)

    def _settle(self, name: str, names: Names) -> None:
        if name not in self.titles:
            self.titles[name] = names.fresh(name)
            for helper in self._helpers(name):
                self.families[helper] = self.families[name]
                self._settle(helper, names)

    def _helpers(self, name: str) -> list[str]:
        """The functions of the same module that one calls."""
        module = self.library.module(self.families[name])
        used = sorted(names_in(self.cut(name).function) - {name})
        return [u for u in used if u in module and module[u].function is not None]

    def functions(self, used: Set[str]) -> dict[str, ast.FunctionDef]:
        """Those whose titles are used, helpers before the functions that call them.

        A helper may be used by itself: by the method that an op has become.
        """
        done: dict[str, ast.FunctionDef] = {}
        for name in [*self.uses, *HELPERS, *self.titles]:
            if self.titles[name] in used:
                self._add(name, done)
        return done

    def _add(self, name: str, done: dict[str, ast.FunctionDef]) -> None:
        if name in done:
            return
        function = done[name] = self.cut(name).function  # helpers may call each other
        for helper in self._helpers(name):
            self._add(helper, done)
        del done[name]
        done[name] = renamed(function, self.titles)

    def _cutter(self, name: str) -> Cutter:
        module = self.library.module(self.families[name])
        functions = {n: m.function for n, m in module.items() if m.function is not None}
        uses = list(self.uses.get(name, {}).values())
        return Cutter(module[name], uses, self.calls.get(name, Counter()), functions)

    def cut(self, name: str) -> Cut:
        if name not in self.cuts:
            self.cuts[name] = self._cutter(name).cut()
        return self.cuts[name]

    def template(self, name: str) -> ast.expr | None:
        """The expression over parameters that stands in place of calls, if one does.

        That is where there is one call, or where the function only calls another or gives
        what it gets. What is an op of others keeps its name.
        """
        if name not in self.templates:
            self.templates[name] = self._template(name)
        return self.templates[name]

    def _template(self, name: str) -> ast.expr | None:
        found = None
        if not self.library.module(self.families[name])[name].of_blox:
            return None
        if self.sites[name] == 1:
            found = expression_of(self._cutter(name).body(whole=True))
            found = found if found is not None and is_small(found) else None
        if found is None:
            function = self.cut(name).function
            found = expression_of(function.body)
            arguments = {
                a.arg for a in (*function.args.args, *function.args.kwonlyargs)
            }
            alone = isinstance(found, ast.Name)
            if found is None or not (alone or passes_on(found, arguments)):
                return None
        helpers = self.library.module(self.families[name]).keys()
        return None if names_in(found) & helpers else found
