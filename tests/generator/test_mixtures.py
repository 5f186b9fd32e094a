"""One file with nodes of an op that give different parts of what it may take.

A carried function is cut to what all its uses have in common: every mixture of optional
operands, parameters and flags has to be called in a way that fits what is left of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from random import Random
from typing import Any

import numpy as np
import pytest
from generated_files import assert_same_program
from generator.op_cases import CASES, Case, add_node, new_main, parsed, python_name

import blox as bx
from blox.schema import Graph, SpecError, op_class, op_names
from blox.schema.op import Op, ScopeOp

Variant = tuple[Case, frozenset[str]]
"""A node, and the operands whose inputs may be left out."""
SHUFFLED = 3
"""Mixtures of a few nodes, beside that of all of them."""


def class_of(name: str) -> type[Op]:
    cls = op_class(name)
    assert cls is not None
    return cls


def operands_of(case: Case) -> Iterator[Variant]:
    """Each optional operand absent, there, or an input that may be left out."""
    name, attributes, operands = case
    fields = list(class_of(name).fields().operands.items())[: len(operands)]
    free = [f for f, m in fields if m.optional and not m.many]
    given = dict(zip([f for f, _ in fields], operands, strict=True))
    free = [f for f in free if given[f] is not None and np.shape(given[f]) != ()]
    for ways in product(("absent", "there", "maybe"), repeat=len(free)):
        way = dict(zip(free, ways, strict=True))
        values = [None if way.get(f) == "absent" else v for f, v in given.items()]
        maybe = frozenset(f for f in free if way[f] == "maybe")
        yield (name, attributes, tuple(values)), maybe


def flags_of(case: Case) -> Iterator[Variant]:
    """Each flag of a parameter set and not."""
    name, attributes, operands = case
    flags = [f for f in class_of(name).model_fields if f.startswith("use_")]
    for values in product((True, False), repeat=len(flags)):
        changed = {**attributes, **dict(zip(flags, values, strict=True))}
        yield (name, changed, operands), frozenset()


def variants(name: str) -> list[Variant]:
    """What nodes of an op may be given, each once."""
    cases = [case for case in CASES if case[0] == name]
    fullest = max(cases, key=lambda c: sum(v is not None for v in c[2]))
    found = [(case, frozenset[str]()) for case in cases]
    found += [*operands_of(fullest), *flags_of(cases[0])]
    different = {repr(variant): variant for variant in found}
    return [*different.values()]


def is_sound(name: str, variant: Variant) -> bool:
    """False of operands that only go together."""
    try:
        mixture(name, [variant]).program()
    except SpecError:
        return False
    return True


def mixture(name: str, chosen: list[Variant]) -> Graph:
    main = new_main()
    for i, (case, maybe) in enumerate(chosen):
        add_node(main, f"n{i}", case, maybe)
    return parsed(main, f"some_{python_name(name)}")


def of_all(name: str) -> Graph:
    return mixture(name, [v for v in variants(name) if is_sound(name, v)])


def of_few(name: str) -> Iterator[Graph]:
    every = [v for v in variants(name) if is_sound(name, v)]
    random = Random(name)
    for _ in range(SHUFFLED if len(every) > 2 else 0):
        yield mixture(name, random.sample(every, random.randint(2, min(4, len(every)))))


NAMES = sorted({case[0] for case in CASES})
SEVERAL = [name for name in NAMES if len(variants(name)) > 1]


def test_every_op_has_a_case() -> None:
    controls = {name for name in op_names() if issubclass(class_of(name), ScopeOp)}
    assert {*op_names()} - controls == {*NAMES}


@pytest.mark.parametrize("name", SEVERAL)
def test_nodes_that_give_different_parts(name: str) -> None:
    graph = of_all(name)
    assert_same_program(graph, bx.generate(graph))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SEVERAL if len(variants(name)) > 2])
def test_some_of_the_nodes(name: str) -> None:
    for graph in of_few(name):
        assert_same_program(graph, bx.generate(graph))


def slow_files() -> dict[str, str]:
    """Those that `test_clean` checks where time is no matter."""
    return {
        f"{python_name(name)}_{i}": bx.generate(graph)
        for name in SEVERAL
        for i, graph in enumerate([of_all(name), *of_few(name)])
    }


def test_slots_that_are_given_and_stored() -> None:
    """A parameter that one node has and another takes from elsewhere."""
    for name in NAMES:
        slots: Any = class_of(name).fields().slots
        case = next(c for c in CASES if c[0] == name)
        if not slots:
            continue
        main = new_main()
        add_node(main, "own", case)
        for slot in slots:
            add_node(main, f"no_{slot}", case)
            leaf = class_of(name)(**main["nodes"]["own"]).parameters().get(slot)
            if leaf is not None:
                given: dict[str, Any] = {"shape": list(leaf.shape), "dtype": "float"}
                main["inputs"][f"the_{slot}"] = given
                main["nodes"][f"no_{slot}"][slot] = f"the_{slot}"
        graph = parsed(main, f"some_{python_name(name)}")
        assert_same_program(graph, bx.generate(graph))
