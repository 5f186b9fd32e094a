"""What a family of checkpoints is: settings, a Graph, and what its arrays are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from blox.mapping.conventions import layer_rules, layers_of
from blox.mapping.rules import AnyRule, Ignored
from blox.schema.diagnostics import Diagnostic, SpecError, listing, quote

from .settings import attributes

if TYPE_CHECKING:
    from blox.builder.graph import GraphBuilder
    from blox.schema import Graph

    from .sentence import SentenceConfig


Heads = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Family:
    """Models that differ in settings.

    Attributes:
        model_type: of `config.json`.
        config: its fields.
        heads: classes of transformers, with what each has on top; the first is the model
            without a head.
        write: writes the entries of a model.
        modules: where layers lie in Params, and their modules in transformers. Those that
            a model doesn't have are left out.
        rules: for arrays that are no layer's; they go before.
        prefix: of all names but those of `top`, in classes with a head.
        prefixes: other ones, by class.
        top: first words of the names of what stands beside the model without a head.
        parts: what a model may have or not, as its arrays say: a name, and an array that
            is there where it has it.
        old_names: beginnings or ends of names in old checkpoints, and what they are now.
        ignored: arrays that are computed.
        apart: the list of layers, if its first one differs from the others: they are called
            `layers.first` and `layers.{i}` then, in `modules` and rules.
    """

    model_type: str
    config: type[Any]
    heads: Heads
    write: Callable[[GraphBuilder, Model], None]
    modules: Mapping[str, str]
    rules: Callable[[Model], list[AnyRule]] = lambda _: []
    prefix: str = ""
    prefixes: Mapping[str, str] = field(default_factory=dict)
    top: Sequence[str] = ()
    parts: Mapping[str, str] = field(default_factory=dict)
    old_names: Sequence[tuple[str, str]] = ()
    ignored: Sequence[str] = ()
    apart: Callable[[Model], str] = lambda _: ""

    @property
    def base(self) -> str:
        """The class without a head."""
        return next(iter(self.heads))


@dataclass(frozen=True, kw_only=True)
class Model:
    """One of a family: all that a folder says of it but its arrays.

    Attributes:
        family: of it.
        architecture: its class in transformers.
        config: its settings.
        raw: the data of its `config.json`.
        parts: those of the family's that it has.
        ignore: fields of `raw` that were said to change nothing.
        sentence: how tokens become one vector; None where nothing says it.
        scan: a decoder runs its layers by `jax.lax.scan`.
    """

    family: Family
    architecture: str
    config: Any
    raw: Mapping[str, Any]
    parts: frozenset[str] = frozenset()
    ignore: Sequence[str] = ()
    sentence: SentenceConfig | None = None
    scan: bool = False

    KEY: ClassVar[str] = "transformers"
    """In `metadata.extra`."""

    @property
    def head(self) -> str:
        """What is on top, `""` for nothing."""
        return self.family.heads[self.architecture]

    @property
    def labels(self) -> int:
        """How many classes a head tells apart."""
        return labels_of(self.raw)

    @property
    def attributes(self) -> dict[str, int]:
        """Those of the Graph."""
        found = attributes(self.config)
        return found | ({"labels": self.labels} if "labels" in self.head else {})

    def graph(self, name: str, **metadata: Any) -> Graph:
        """The Graph, whose metadata says what `to_hf` needs."""
        from blox.builder.graph import GraphBuilder

        builder = GraphBuilder(name, **self.attributes)
        self.family.write(builder, self)
        said: dict[str, Any] = {"architecture": self.architecture}
        said |= {"config": dict(self.raw)}
        said |= {"parts": sorted(self.parts)} if self.parts else {}
        said |= {"ignore": list(self.ignore)} if self.ignore else {}
        extra = {self.KEY: said, **metadata.pop("extra", {})}
        return builder.graph(extra=extra, **metadata)

    def rules(self, graph: Graph) -> list[AnyRule]:
        """What the arrays of its Graph are in transformers; see `names.Names`."""
        family = self.family
        layers = layers_of(graph, family.modules)
        ignored = [*family.ignored]  # and, after all that the model has, other heads
        ignored += [f"{word}{rest}" for word in family.top for rest in ("", ".**")]
        ignored += [f"{name.rpartition('.')[0]}.**" for name in family.parts.values()]
        return [
            *([] if self.sentence is None else self.sentence.rules()),
            *family.rules(self),
            *layer_rules(graph, layers),
            *([Ignored(*ignored)] if ignored else []),
        ]


def labels_of(raw: Mapping[str, Any]) -> int:
    """The number of classes that a config names; two by default."""
    names = raw.get("id2label")
    return max(1, len(names)) if isinstance(names, dict) else 2


def architecture_of(
    family: Family, raw: Mapping[str, Any], path: str, wanted: str | None
) -> str:
    """The class whose arrays are there, or the one that is `wanted`.

    Raises:
        SpecError: one that is not known.
    """
    given: Any = raw.get("architectures") or [family.base]
    given = [wanted] if wanted is not None else given
    if isinstance(given, list) and len(given) == 1 and given[0] in family.heads:
        return str(given[0])
    shown = quote(given[0] if isinstance(given, list) and len(given) == 1 else given)
    place = "architecture" if wanted is not None else f"{path}.architectures"
    message = f"expected one of {listing(family.heads)}, found {shown}"
    hint = ""
    if wanted is None:
        hint = f"its part without a head: architecture={family.base!r}"
    raise SpecError(Diagnostic("hf-architecture", place, message, hint))
