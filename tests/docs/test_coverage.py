"""docs/coverage.md: nothing is left out, and what it says of a name is so."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import re
from collections.abc import Callable
from typing import Any

import jax
import pytest
from docs.pages import ROOT

import blox as bx
from blox.builder.function import FunctionBuilder
from blox.dev import coverage, coverage_docs, peers
from blox.schema.elsewhere import ELSEWHERE
from blox.schema.initializers import INITIALIZERS
from blox.schema.op import Op
from blox.schema.registry import op_class, op_names

MODULES = [*coverage.peers()]
LAYERS = [name for name in MODULES if name not in peers.FUNCTIONS]
LEADING = [
    (module, row)
    for module in LAYERS
    if not module.endswith("initializers")
    for row in coverage.rows(module)
    if (row.here and not row.note and not row.here[0].startswith("bx.")) or row.named
]


def test_the_page_is_fresh() -> None:
    page = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    stale = "is stale; run python -m blox.dev.regenerate"
    assert coverage_docs.text() == page, stale


@pytest.mark.parametrize("module", LAYERS)
def test_no_layer_is_left_out(module: str) -> None:
    assert [row.name for row in coverage.rows(module) if row.missing] == []


def test_every_argument_of_a_layer_has_one_meaning() -> None:
    given = [n for row in coverage.data()["arguments"] for n in row["there"].split()]
    wanted = {n for peer in coverage.peers().values() for n in peer.arguments}
    assert {*given} == wanted
    assert len({*given}) == len(given)


def test_what_arguments_are_here_exists() -> None:
    """Names in code are fields of ops, arguments of recipes or of functions of blox."""
    fields = {f for key in op_names() for f in (op_class(key) or Op).model_fields}
    recipes = (getattr(bx.recipes, name) for name in dir(bx.recipes))
    functions = [f for f in recipes if inspect.isfunction(f)]
    given: list[Callable[..., Any]] = [*functions, bx.build, bx.init]
    for function in given:
        fields |= {*inspect.signature(function).parameters, function.__name__}
    known = fields | {*op_names(), "bx.build", "bx.init", "wrap"}
    for row in coverage.data()["arguments"]:
        for code in re.findall(r"`([\w.]+)`", row["here"]):
            name = code.removeprefix("bx.recipes.")
            assert name in known or code in KEPT, code


@pytest.mark.parametrize("module", MODULES)
def test_what_is_named_exists(module: str) -> None:
    for row in coverage.rows(module):
        assert not row.reason or row.reason in coverage.reasons()
        for here in row.here:
            if here.startswith(coverage.INITIALIZER):
                name = here.removeprefix(coverage.INITIALIZER)
                assert name in INITIALIZERS or name in ELSEWHERE
            elif here.startswith("bx."):
                found: object = bx
                for part in here.split(".")[1:]:
                    found = getattr(found, part)
            else:
                assert here in op_names(), f"{module}.{row.name}"


def test_the_file_of_meanings_speaks_of_names_that_there_are() -> None:
    """And of none that an op has by itself: that would be said twice."""
    for kind in ("here", "none"):
        for module, given in coverage.data()[kind].items():
            names = coverage.peers()[module].names
            texts = given if kind == "here" else " ".join(given.values()).split()
            assert {*texts} <= {*names}, module


@pytest.mark.parametrize(
    ("module", "row"), LEADING, ids=[f"{m}.{r.name}" for m, r in LEADING]
)
def test_the_builder_leads_there(module: str, row: coverage.Row) -> None:
    """`f.Conv2d` is answered by ours; a name that is ours already needs no answer."""
    if row.name in op_names():
        assert callable(getattr(FunctionBuilder, row.name))
        return
    builder = object.__new__(FunctionBuilder)
    with pytest.raises(AttributeError) as error:
        getattr(builder, row.name)
    for here in row.here:
        wanted = here if here.startswith("bx.") else f"f.{here}"
        assert wanted in str(error.value)


def test_recipes_are_found_by_their_names() -> None:
    builder = object.__new__(FunctionBuilder)
    for name in ("mlp", "MultiheadAttention", "RNN", "Bidirectional", "unet"):
        with pytest.raises(AttributeError, match=r"did you mean .*bx\.recipes\."):
            getattr(builder, name)


KEPT = ("true", "false", "jax.default_matmul_precision")
"""Code on the page that is no name of blox."""
JAX = [name for name in MODULES if coverage.peers()[name].package == "jax"]
OTHERS = [name for name in MODULES if coverage.peers()[name].package != "jax"]


@pytest.mark.parametrize("module", JAX)
@pytest.mark.skipif(
    jax.__version__ != coverage.peers()["jax.nn"].version,
    reason="names of another version of JAX",
)
def test_names_of_jax_are_those_that_it_has(module: str) -> None:
    assert [*coverage.peers()[module].names] == peers.enumerated(module)


@pytest.mark.parity
@pytest.mark.parametrize("module", [m for m in OTHERS if m != "jax-blox"])
def test_names_of_others_are_those_that_they_have(module: str) -> None:
    peer = coverage.peers()[module]
    assert importlib.metadata.version(peer.package) == peer.version
    assert [*peer.names] == peers.enumerated(module)
    if module in peers.CLASSES:
        assert [*peer.arguments] == peers.made_with(module)
