"""`bx.suggest_rules`: a first table of rules, by names and shapes; what is open is asked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from blox.schema import Graph, SpecError
from blox.schema.diagnostics import Diagnostic, listing, quote
from blox.schema.graph import expect_graph

from .alike import Layer, layers_of, stacked_layers
from .conventions import LIBRARIES, ops_of
from .fitting import COUNTER, SECOND_BIAS, TURNED, Fitting
from .flattened import flattened
from .fused import fused_rules, parted
from .layouts import Same
from .patterns import Index, Pattern
from .reading import describe
from .rules import AnyRule, Rule
from .trees import named
from .units import all_units

_SAME = {"q": "query", "k": "key", "v": "value", "o": "out", "output": "out", "w": "word",
         "ln": "norm", "layernorm": "norm", "batchnorm": "norm", "bn": "norm",
         "embedding": "embed", "embeddings": "embed", "fc": "linear", "dense": "linear",
         "proj": "", "layer": "layers", "h": "layers", "blocks": "layers", "model": "",
         "attn": "attention", "self": ""}  # fmt: skip
"""Parts of names that mean the same."""
_STACKED = ("linen", "nnx", "haiku")
"""Libraries that may have all layers of a kind in one array."""
_MORE = ((COUNTER,), (COUNTER, SECOND_BIAS))
"""Words of arrays that layers may have beside those that ours have."""
_LONGEST = 300
_MOST = 500
"""Layers of one kind that are compared; more are asked for."""


@dataclass(frozen=True)
class Question:
    """An array of ours, and the rules that would fit: one of them is right."""

    ours: str
    choices: tuple[Rule, ...]


@dataclass(frozen=True)
class Suggestion:
    """Rules that names and shapes speak for; prints as Python to be pasted.

    Attributes:
        rules: those without an alternative.
        questions: what names and shapes leave open.
        without: names of ours that nothing fits.
        unused: names of theirs that fit nothing.
    """

    rules: tuple[AnyRule, ...]
    questions: tuple[Question, ...]
    without: tuple[str, ...]
    unused: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield "rules = ["
        yield from (f"    {rule!r}," for rule in self.rules)
        for question in self.questions:
            yield f"    # {question.ours}: one of these"
            yield from (f"    # {rule!r}," for rule in question.choices)
        yield "]"
        yield from (f"# of yours, without a rule: {name}" for name in self.without)
        yield from (f"# of theirs, without a use: {name}" for name in self.unused)


def suggest_rules(graph: Graph, tree: Any, of: str | None = None) -> Suggestion:
    """Rules for `bx.map_params`, as far as names and shapes decide them.

        print(bx.suggest_rules(graph, model.state_dict(), of="torch"))

    Layers are compared as a whole. Of layers of the same shapes that is taken whose name is
    nearest, if one is; otherwise all are asked for. A square kernel may be turned or not:
    without `of` it is asked for, too. A suggestion is to be read and to be tried on an
    example: shapes that fit prove nothing.

    Args:
        graph: what the arrays are for.
        tree: as for `bx.map_params`; no array is read.
        of: the library that wrote it: `torch`, `equinox`, `linen`, `nnx`, `haiku`, `keras`.

    Raises:
        SpecError: another library. ModelError: a tree that is none.
    """
    expect_graph(graph)
    if of is not None and of not in LIBRARIES:
        message = f"expected one of {listing(LIBRARIES)}, found {quote(of)}"
        raise SpecError(Diagnostic("mapping-rule", "", message))
    program = graph.program()
    units = all_units(program.leaves())
    ours = layers_of({u.name: u.spec for some in units.values() for u in some})
    found = {name: describe(array) for name, array in named(tree).arrays.items()}
    plain = {name: spec for name, spec in found.items() if _is_plain(name)}
    theirs = layers_of(plain)
    if of in _STACKED:
        theirs += stacked_layers(plain, {layer.copies for layer in ours})
    fitting = Fitting(of, ops_of(program), flattened(program))
    return _Search(ours, theirs, fitting).suggestion(found)


class _Search:
    def __init__(
        self, ours: list[Layer], theirs: list[Layer], fitting: Fitting
    ) -> None:
        self.ours, self.theirs, self.fitting = ours, theirs, fitting
        self.patterns = [p for layer in theirs for p, _ in layer.arrays.values()]
        kinds: dict[tuple[object, ...], list[Layer]] = {}
        for layer in theirs:
            for kind in {_without(layer, *words).kind for words in _MORE}:
                kinds.setdefault(kind, []).append(layer)
        self.candidates = {
            layer.name: [
                t for t in kinds.get(layer.kind, [])[:_MOST] if fitting.fits(layer, t)
            ]
            for layer in ours
        }

    def suggestion(self, names: Iterable[str]) -> Suggestion:
        """What is found; `names` are all of theirs."""
        pairs = self._decided()
        taken = {id(layer) for layer in pairs.values()}
        rules: list[AnyRule] = []
        questions: list[Question] = []
        missing: list[Layer] = []
        for layer in self.ours:
            left = [t for t in self.candidates[layer.name] if id(t) not in taken]
            chosen = [pairs[layer.name]] if layer.name in pairs else left
            if not chosen:
                missing.append(layer)
            for slot, (pattern, _) in layer.arrays.items():
                choices = self._choices(layer, chosen, slot)
                if len(choices) == 1:
                    rules += choices
                elif choices:
                    questions.append(Question(pattern, tuple(choices)))
        sure, asked = self._fused(missing, taken)
        rules += sure
        questions += asked
        fused = (*sure, *(rule for question in asked for rule in question.choices))
        made = {name for rule in fused for name in rule.ours}
        patterns = [p for layer in missing for p, _ in layer.arrays.values()]
        without = [pattern for pattern in patterns if pattern not in made]
        offered = [*rules, *(rule for q in questions for rule in q.choices)]
        used = {n for rule in offered if isinstance(rule, Rule) for n in rule.theirs}
        unused = self._unused(names, used)
        return Suggestion(tuple(rules), tuple(questions), tuple(without), unused)

    def _choices(self, layer: Layer, chosen: list[Layer], slot: str) -> list[Rule]:
        found = [rule for t in chosen for rule in self.fitting.rules(layer, t, slot)]
        if slot == "embedding" and len(found) == 2:  # one table under two names?
            both = tuple(name for rule in found for name in rule.theirs)
            found.append(Rule(found[0].ours, both, Same(2)))
        return found

    def _fused(
        self, ours: list[Layer], taken: set[int]
    ) -> tuple[list[Rule], list[Question]]:
        """Each query, key and value that are one of the layers left; of several, asked."""
        of = self.fitting.of
        ways = {"turned": of in (None, *TURNED), "straight": of != "equinox"}
        left = [layer for layer in self.theirs if id(layer) not in taken]
        found = []
        for parts in parted(ours):
            every = (fused_rules(parts, layer, **ways) for layer in left)
            found.append([rules for rules in every if rules])
        uses = Counter(rules[0].theirs for choices in found for rules in choices)
        sure: list[Rule] = []
        asked: list[Question] = []
        for choices in found:
            if len(choices) == 1 and uses[choices[0][0].theirs] == 1:
                sure += choices[0]
            else:
                rows = zip(*choices, strict=True)
                asked += [Question(", ".join(row[0].ours), row) for row in rows]
        return sure, asked

    def _unused(self, names: Iterable[str], used: set[str]) -> tuple[str, ...]:
        """Patterns of theirs that no rule has, and names that are in none."""
        index = Index(enumerate(map(Pattern, self.patterns)))
        taken = Index(enumerate(map(Pattern, sorted(used))))
        left = (name for name in names if not taken.matches(name))
        found: dict[str, None] = {}
        for name in left:
            known = [pattern.text for _, pattern, _ in index.matches(name)]
            found[known[0] if known else name] = None
        return tuple(found)

    def _decided(self) -> dict[str, Layer]:
        """The layer of theirs by the name of ours, where each is the other's nearest."""
        pairs: dict[str, Layer] = {}
        left = {layer.name: layer for layer in self.ours}
        while True:
            taken = {id(layer) for layer in pairs.values()}
            open_ = {
                name: [t for t in self.candidates[name] if id(t) not in taken]
                for name in left
            }
            rivals: dict[int, list[str]] = {}
            for name, some in open_.items():
                for t in some:
                    rivals.setdefault(id(t), []).append(name)
            new = {}
            for name, some in open_.items():
                best = _nearest(name, {t.name: t for t in some})
                if best is None:
                    continue
                back = _nearest(best.name, {n: left[n] for n in rivals[id(best)]})
                sure = self._alone(name) or _is_alike(name, best.name)
                if back is not None and back.name == name and sure:
                    new[name] = best
            if not new:
                return pairs
            pairs |= new
            left = {name: layer for name, layer in left.items() if name not in new}

    def _alone(self, name: str) -> bool:
        """True of a layer that no other is like, here and there."""
        mine = self.candidates[name]
        takers = [
            n for n, some in self.candidates.items() if any(t in mine for t in some)
        ]
        return len(mine) == 1 and takers == [name]


def _is_plain(name: str) -> bool:
    """True of a name that a pattern can have as it is."""
    odd = any(c in name for c in "{}*") or "" in name.split(".")
    return not odd and len(name) <= _LONGEST


def _without(layer: Layer, *words: str) -> Layer:
    arrays = {word: row for word, row in layer.arrays.items() if word not in words}
    return Layer(layer.name, layer.copies, arrays)


def _nearest(name: str, others: dict[str, Layer]) -> Layer | None:
    """The layer whose name is nearest; None where two are as near."""
    ranked = sorted(others, key=lambda other: -_nearness(name, other))
    if len(ranked) > 1 and _nearness(name, ranked[0]) == _nearness(name, ranked[1]):
        return None
    return others[ranked[0]] if ranked else None


def _is_alike(one: str, other: str) -> bool:
    """True where the last word of one name is in the other."""
    a, b = _parts(one), _parts(other)
    return bool(a and b) and (a[-1] in b or b[-1] in a)


def _nearness(one: str, other: str) -> float:
    """How many parts of two names mean the same; the last ones count most."""
    a, b = _parts(one), _parts(other)
    common = set(a) & set(b)
    weight = sum(2.0 if part in (a[-1], b[-1]) else 1.0 for part in common)
    return (
        weight
        + (4.0 if a and b and a[-1] == b[-1] else 0.0)
        - 0.01 * abs(len(a) - len(b))
    )


def _parts(name: str) -> list[str]:
    """The words of a name, and its numbers, less what says nothing."""
    split = re.findall(r"[a-z]+|[A-Z][a-z]*|[0-9]+", name[:400].replace("{i", ""))
    words = [_SAME.get(word.lower(), word.lower()) for word in split]
    return [word for word in words if word]
