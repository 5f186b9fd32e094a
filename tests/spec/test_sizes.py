"""Sizes that are not known: spec classes calculate with them as with numbers."""

from __future__ import annotations

import operator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sample_specs import function, spec

import blox as bx
from blox.schema import Graph
from blox.schema.sizes import Unknown

SIGNS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
}
VALUES = {"a": 7, "b": 3}


def trees() -> st.SearchStrategy[Any]:
    leaves = st.sampled_from(["a", "b", 2, 5])
    return st.recursive(
        leaves, lambda part: st.tuples(part, st.sampled_from([*SIGNS]), part)
    )


def calculated(tree: Any, names: dict[str, Any]) -> Any:
    match tree:
        case (left, sign, right):
            return SIGNS[sign](calculated(left, names), calculated(right, names))
        case str():
            return names[tree]
    return tree


@given(trees())
def test_the_text_is_what_was_calculated(tree: Any) -> None:
    found = calculated_or_none(tree, {n: Unknown.named(n) for n in VALUES})
    assume(isinstance(found, Unknown))
    assert {n for n in VALUES if n in str(tree)} == found.names
    wanted = calculated_or_none(tree, VALUES)
    if wanted is not None:
        assert eval(found.text, {}, dict(VALUES)) == wanted


def calculated_or_none(tree: Any, names: dict[str, Any]) -> Any:
    try:
        return calculated(tree, names)
    except ZeroDivisionError:
        return None


@pytest.mark.parametrize("sign", SIGNS)
def test_a_number_on_either_side(sign: str) -> None:
    size = Unknown.named("n")
    assert str(SIGNS[sign](4, size)) == f"4 {sign} n"
    assert str(SIGNS[sign](size, 4)) == f"n {sign} 4"


def test_a_size_that_is_not_given_comes_from_another_node() -> None:
    """`in_features // groups` of a conv that has neither, where a sibling knows both."""
    conv = {"op": "conv", "x": "x", "kernel_size": [3], "params": "shared"}
    sizes = {"in_features": 4, "out_features": 6, "groups": 2}
    data = spec(
        {"a": conv | {"groups": 2}, "b": conv | sizes},
        "b",
        inputs={"x": {"shape": [5, 4], "dtype": "float"}},
    )
    leaves = Graph.parse(data).program().leaves()
    assert leaves["shared.kernel"].shape == (3, 2, 6)


def test_lacking_names_what_arrays_need() -> None:
    node = {"op": "linear", "x": "x"}
    for fields, wanted in (
        ({}, {"in_features", "out_features"}),
        ({"out_features": 3}, {"in_features"}),
        ({"kernel": "k"}, {"out_features"}),
        ({"kernel": "k", "use_bias": False}, set()),
    ):
        op = Graph.parse(spec({"a": node | fields})).functions["main"].nodes["a"]
        assert op.lacking() == wanted


def test_a_size_that_a_dim_decides_is_reported_by_its_field() -> None:
    data = spec(
        {"a": {"op": "linear", "x": "x", "in_features": "$batch", "out_features": 2}},
        inputs={"x": {"shape": ["batch", 4], "dtype": "float"}},
        functions={"f": function({}, "x")},
    )
    with pytest.raises(
        bx.SpecError, match=r"main\.a\.in_features: expected a size that"
    ):
        Graph.parse(data).program()
