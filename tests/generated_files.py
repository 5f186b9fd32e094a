"""The demands on generated files: the loader's program, tidy, typed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jaxprs import assert_same_jaxpr

import blox as bx
from blox.schema import Graph
from blox.schema.expressions import evaluate
from blox.schema.resolve.program import Instance

SIZES = {"batch": 2, "seq": 5, "cached": 8, "height": 8, "width": 8}
"""The sizes of the named dims of the tests' inputs."""


def executed(source: str) -> dict[str, Any]:
    """The names that a generated file defines."""
    names: dict[str, Any] = {"__name__": "generated"}
    exec(compile(source, "generated", "exec"), names)
    return names


def inputs_of(
    instance: Instance, *, optional: bool, sizes: Mapping[str, int] | None = None
) -> list[Any]:
    """The shapes and dtypes of every input, or of those that have to be there."""
    known = SIZES if sizes is None else sizes
    arrays: list[Any] = []
    for name, given in instance.function.inputs.items():
        if given.optional and not optional:
            continue
        shape: list[int] = []
        for dim in given.shape or ():
            if dim == "...":
                shape += [2, 3]
            elif dim == "_":
                shape.append(3)
            elif isinstance(dim, int):
                shape.append(dim)
            elif dim.startswith("$"):
                shape.append(max(evaluate(dim, {**known, **instance.values}), 0))
            else:
                shape.append(known[dim])
        dtype = "float32" if given.dtype == "float" else given.dtype
        if dtype == "key":
            key = jax.eval_shape(lambda: jax.random.key(0))
            arrays.append(jax.ShapeDtypeStruct(shape, key.dtype))
            continue
        array = jax.ShapeDtypeStruct(shape, jnp.dtype(dtype))
        copies = instance.input_copies.get(name)
        arrays.append(array if copies is None else [array] * copies)
    return arrays


def ways(graph: Graph) -> Iterator[tuple[str, bool, bool]]:
    """(entry, train, optional inputs given) in all the ways that make a difference."""
    for entry, instance in graph.program().entries.items():
        given = instance.function.inputs.values()
        for train in [False, True] if instance.uses_train else [False]:
            for optional in (
                [False, True] if any(i.optional for i in given) else [False]
            ):
                yield entry, train, optional


def functions(
    graph: Graph, names: Mapping[str, Any], entry: str, train: bool
) -> tuple[Any, Any]:
    """The loaded and the generated function, called alike."""
    loaded = bx.build(graph, entry, train=train)
    generated = names[graph.name if entry == "main" else entry]
    instance = graph.program().entries[entry]
    keywords = {"train": train} if instance.uses_train else {}

    def same(params: Any, *args: Any) -> Any:
        result = generated(params, *args, **keywords)
        return result if instance.stateful else (result, {})

    return loaded, same


def assert_same_program(graph: Graph, source: str, params: Any = None) -> list[Any]:
    """Every entry of the file traces to the loader's program, state included.

    Gives the shapes of (outputs, state) for each way.

    Args:
        params: the shapes of Params, where they are known.
    """
    names = executed(source)
    if params is None:
        params = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
    shown = _model(source)
    return [
        assert_same_way(graph, names, params, *way, shown=shown) for way in ways(graph)
    ]


def assert_same_way(
    graph: Graph,
    names: Mapping[str, Any],
    params: Any,
    entry: str,
    train: bool,
    optional: bool,
    shown: str = "",
) -> Any:
    """One of `ways` traces to the same program; `shown` is the text of a failure."""
    args = inputs_of(graph.program().entries[entry], optional=optional)
    loaded, generated = functions(graph, names, entry, train)
    ours = jax.make_jaxpr(loaded, return_shape=True)(params, *args)
    theirs = jax.make_jaxpr(generated, return_shape=True)(params, *args)
    assert_same_jaxpr(ours[0], theirs[0], shown)
    assert ours[1] == theirs[1], shown
    return ours[1]


def _model(source: str) -> str:
    """The functions of a file, without what is there in every file."""
    return source.partition("Params = ")[2].partition("# The shape of each")[0]


def assert_tidy(sources: Mapping[str, str], folder: Path) -> None:
    """The files by name are what `ruff format` leaves, and have no finding of ruff."""
    _write(sources, folder)
    _run("ruff", "format", "--isolated", "--no-cache", "--diff", str(folder))
    _run("ruff", "check", "--isolated", "--no-cache", str(folder))


def assert_typed(sources: Mapping[str, str], folder: Path) -> None:
    """The files by name have no finding of `mypy --strict`."""
    _write(sources, folder)
    cache = Path(__file__).parents[1] / ".mypy_cache" / "generated"
    files = [str(folder / f"{name}.py") for name in sources]
    _run("mypy", "--strict", "--config-file=", f"--cache-dir={cache}", *files)


def _write(sources: Mapping[str, str], folder: Path) -> None:
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source, encoding="utf-8")


def _run(*command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
