"""What a Graph was made of: which array is which, a table of rules that is read both ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from blox.mapping.public import map_params, unmap_params
from blox.mapping.reading import describe
from blox.mapping.rules import AnyRule
from blox.mapping.spec import Spec
from blox.schema import Graph, WeightsError
from blox.schema.diagnostics import bounded
from blox.weights.comparing import differences

from .jax.opened import Opened, opened
from .report import Report
from .sidecar import Table, dump, parse


@dataclass(frozen=True)
class Origin:
    """Where a Graph comes from.

    Attributes:
        graph: what was made of the source.
        rules: which array of the source is which of Params; data, for `bx.map_params`.
        constants: arrays that the source's code made and the Graph keeps, by name.
        report: what the import found; print it.
        specs: shapes and dtypes of the source's arrays, by their names in the rules.
        places: where they lie in what was imported, where that is not their name.
    """

    graph: Graph
    rules: tuple[AnyRule, ...]
    constants: Mapping[str, Any] = field(default_factory=dict)
    report: Report = field(default_factory=Report)
    specs: Mapping[str, Spec] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    _source: Opened | None = field(default=None, repr=False)

    def params(
        self, arrays: Mapping[str, Any] | None = None, dtype: Any = None
    ) -> dict[str, Any]:
        """The Params of the source's arrays, or of others by their names.

        Args:
            dtype: cast the model's floating parameters; by default they keep theirs.

        Raises:
            WeightsError: arrays that are not those of the source; none, of an origin that
                was read from a file.
        """
        if arrays is None:
            arrays = self._source.arrays if self._source else {}
        given = {**arrays, **self.constants}
        return map_params(self.graph, given, self.rules, dtype=dtype)

    def export(self, params: Any, like: Any = None) -> Any:
        """The source with the arrays of Params: a model trained in blox returns to its code.

            model = origin.export(trained)
            model = bx.load_origin("model").export(trained, like=make_model())

        Args:
            params: of the Graph.
            like: what the source's code makes: a module of Equinox or NNX, variables of
                Linen, Params of Haiku (in a tuple with its state), or the tree that a
                function was given.

        Returns:
            What was imported, or what `like` is, with these arrays. An origin that was read
            from a file knows no code: without `like` it gives the arrays by name.

        Raises:
            WeightsError: Params that are not those of the Graph, or a `like` whose arrays
                are not those of the source.
        """
        made = unmap_params(self.graph, params, self.rules)
        found = {name: made[name] for name in self.specs if name in made}
        if like is not None:
            return self._filled(opened(like), found)
        return self._source.filled(found) if self._source else found

    def _filled(self, whole: Opened, found: Mapping[str, Any]) -> Any:
        wanted = {self.places.get(n, n): spec for n, spec in self.specs.items()}
        there = {name: describe(array) for name, array in whole.arrays.items()}
        faults = (f for f in differences(there, wanted) if f.code != "weights-dtype")
        if listed := bounded(faults):
            raise WeightsError(listed)
        return whole.filled({self.places.get(n, n): a for n, a in found.items()})

    def sidecar(self, graph: Graph) -> bytes:
        """The file `source/origin.json`, which `bx.save(..., origin=origin)` writes.

        Args:
            graph: what is saved.

        Raises:
            SpecError: a Graph with other arrays than this one.
        """
        rules, names = list(self.rules), list(self.constants)
        data = dump(Table(rules, self.specs, self.places, names, self.report))
        parse(data, graph)  # Only what can be read again is written.
        return data
