"""Bounds and constraints that no sizes satisfy are an error; others never are."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest
from sample_specs import RELU, spec

from blox.schema import Graph, Report
from blox.schema.content import split_constraint
from blox.schema.expressions import ExpressionError, evaluate
from blox.schema.resolve.bounds import COMPARISONS, Limits
from blox.schema.resolve.resolver import validate

DIMS: tuple[str, ...] = ("a", "b", "c")


def graph(constraints: list[str], **dims: dict[str, Any]) -> Graph:
    inputs = {"x": {"shape": list(DIMS), "dtype": "float"}}
    attributes = {"n": 6, "r": 0.5}
    more: dict[str, Any] = {"constraints": constraints, "dims": dims}
    return Graph.parse(
        spec({"relu": RELU}, None, inputs, attributes=attributes, **more)
    )


def checked(*constraints: str, **dims: dict[str, Any]) -> Report:
    return validate(graph(list(constraints), **dims))


IMPOSSIBLE: list[tuple[list[str], dict[str, Any], str]] = [
    (["a >= b"], {"a": {"max": 4}, "b": {"min": 5}}, "constraints.0"),
    (["a > b"], {"a": {"max": 4}, "b": {"min": 4}}, "constraints.0"),
    (["a < 0"], {}, "constraints.0"),
    (["a * b < n"], {"a": {"min": 2}, "b": {"min": 3}}, "constraints.0"),
    (["a // 2 == n"], {"a": {"max": 11}}, "constraints.0"),
    (["r * a >= 3.6"], {"a": {"max": 7}}, "constraints.0"),
    (["a < b", "b < c", "c < a"], {}, "constraints.2"),
    (["a == b + 1", "b >= a"], {}, "constraints.1"),
    (["a - 1 > b", "b > a"], {}, "constraints.1"),
    (["a == b", "b == c", "c == n", "a > n"], {}, "constraints.1"),
    (["a == n + 1"], {"a": {"multiple_of": 2, "max": 8}}, "constraints.0"),
    (["min(a, b) > n"], {"a": {"max": 6}}, "constraints.0"),
    (["max(a, b, 3) < c"], {"c": {"max": 3}}, "constraints.0"),
    (["a % 4 == 5"], {}, "constraints.0"),
    (["a <= b * 2", "b <= 3", "a >= 7"], {}, "constraints.0"),
]


@pytest.mark.parametrize(("constraints", "dims", "path"), IMPOSSIBLE)
def test_what_is_impossible(
    constraints: list[str], dims: dict[str, Any], path: str
) -> None:
    (found,) = checked(*constraints, **dims).errors
    assert (found.code, found.path) == ("constraint", path)
    assert "found none that bounds" in found.message
    assert "of main" in found.message


def test_what_it_says() -> None:
    (found,) = checked("a >= b + 1", a={"max": 4}, b={"min": 5}).errors
    assert found.message == (
        "expected 'a >= b + 1' to hold for some sizes of main, found none that bounds "
        "and the other constraints allow (a from 0 to 4, b at least 5)"
    )


def test_each_entry_by_the_constraints_that_speak_of_its_dims() -> None:
    data = graph(["a > d", "d > a"]).plain()
    main = data["functions"]["main"]
    other = {**main, "inputs": {"x": {"shape": ["a", "d"], "dtype": "float"}}}
    data["functions"]["other"] = other
    assert (
        validate(Graph.parse(data)).errors[0].code == "expression"
    )  # d is in no entry
    data["entries"] = ["main", "other"]
    (found,) = validate(Graph.parse(data)).errors
    assert "of other, found none" in found.message


def test_size_zero_is_a_size() -> None:
    assert checked("a < 1").ok
    assert not checked("a < 1", a={"min": 1}).ok


def holds(texts: list[str], sizes: dict[str, int]) -> bool:
    known: dict[str, Any] = {"n": 6, "r": 0.5, **sizes}
    for text in texts:
        left, sign, right = split_constraint(text)
        try:
            sides = (evaluate(side, known, "float") for side in (left, right))
            if not COMPARISONS[sign](*sides):
                return False
        except ExpressionError:
            return False
    return True


TERMS = (
    "a", "b", "c", "n", "3", "a + 1", "b - 2", "2 * c", "a * b", "c // 2", "n // b",
    "a / 2", "-a + 4", "r * b", "(a - b) * (c - 3)", "b ** 2", "7 // (a - 2)",
    "min(a, b)", "max(c, 3, a - b)", "a % 3", "7 % (b - 2)", "-c % b",
)  # fmt: skip


def drawn(count: int) -> Iterator[tuple[list[str], dict[str, Any], list[range]]]:
    """Random constraints, small bounds, and the sizes within these."""
    draw = random.Random(0)
    signs = list(COMPARISONS)
    for _ in range(count):
        dims: dict[str, Any] = {}
        ranges = []
        for name in DIMS:
            low, factor = draw.randint(0, 4), draw.choice((1, 1, 2))
            high = low + draw.randint(1, 6)
            dims[name] = {"min": low, "max": high, "multiple_of": factor}
            ranges.append(range(-(-low // factor) * factor, high + 1, factor))
        texts = [
            f"{draw.choice(TERMS)} {draw.choice(signs)} {draw.choice(TERMS)}"
            for _ in range(draw.randint(1, 4))
        ]
        yield [t for t in texts if any(name in t for name in DIMS)], dims, ranges


def test_nothing_that_is_possible_is_refused() -> None:
    """Each combination of sizes is tried."""
    refused = 0
    for texts, dims, ranges in drawn(600):
        report = checked(*texts, **dims)
        assert all(d.code == "constraint" for d in report.errors), (texts, dims)
        if not report.ok:
            refused += 1
            for sizes in itertools.product(*ranges):
                found = dict(zip(DIMS, sizes, strict=True))
                assert not holds(texts, found), (texts, dims)
    assert refused > 100


def test_what_breaks_limits() -> None:
    """The loader, the shape engine and the samples ask one class, which agrees with
    bounds and constraints read one by one."""
    seen = set()
    for texts, dims, ranges in drawn(25):
        limits = Limits(graph(texts, **dims), DIMS)
        for sizes in itertools.product(range(8), repeat=3):
            found = dict(zip(DIMS, sizes, strict=True))
            within = all(n in r for n, r in zip(sizes, ranges, strict=True))
            fine = within and holds(texts, found)
            seen.add(fine)
            broken = list(limits.broken(found, {"n": 6, "r": 0.5, **found}))
            assert (not broken) is fine, (texts, dims, found)
    assert seen == {True, False}


def test_chains_of_many_dims_are_possible() -> None:
    names = [f"d{i}" for i in range(200)]
    inputs = {"x": {"shape": names[:20], "dtype": "float"}} | {
        f"x{i}": {"shape": names[20 * i : 20 * i + 20], "dtype": "float"}
        for i in range(1, 10)
    }
    texts = [f"{a} < {b}" for a, b in itertools.pairwise(names)]
    random.Random(0).shuffle(texts)

    def of(texts: list[str]) -> Report:
        return validate(
            Graph.parse(spec({"relu": RELU}, inputs=inputs, constraints=texts))
        )

    assert of(texts).ok
    assert not of([*texts, "d199 < d0"]).ok
