"""Arrays of one Graph made into those of another, as a plan says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from blox.io.assemble import grow
from blox.mapping.join import join
from blox.runtime.given import flat, refuse_given
from blox.runtime.params import init, initial
from blox.schema import Graph, ModelError
from blox.schema.diagnostics import Diagnostic

from .plan import Step


def carried(
    steps: Sequence[Step], params: Mapping[str, Any], key: Any
) -> dict[str, Any]:
    """Params of the last Graph of operations, of those of the first.

    Arrays that stay as they are stay the same objects. One that is new starts as
    `bx.init` of the last Graph with this key starts it.

    Raises:
        ModelError: params are not those of the first Graph, or an array is new and there
            is no key.
    """
    arrays, dtype = behind(steps, params, key)
    return _with_new(steps[-1].graph, arrays, key, dtype)


def behind(
    steps: Sequence[Step], params: Mapping[str, Any], key: Any
) -> tuple[dict[str, Any], Any]:
    """The arrays behind operations by path, less what is new; their floating type."""
    arrays = _checked(steps[0].before, params)
    dtype = _floating(steps[0].before, arrays)
    for step in steps:
        arrays = _step(step, arrays, key, dtype)
    return arrays, dtype


def _step(
    step: Step, arrays: Mapping[str, Any], key: Any, dtype: Any
) -> dict[str, Any]:
    """The arrays behind a step. What was new before it and stays so is made at the end."""

    def read(path: str) -> Any:
        return arrays[path] if path in arrays else _new(step.before, path, key, dtype)

    def rest(path: str) -> Any:
        return _new(step.graph, path, key, dtype)

    moves = [
        move
        for move in step.moves
        if move.layouts or all(source.name in arrays for source in move.sources)
    ]
    return join(moves, read, step.graph.program().leaves(), rest)


def _new(graph: Graph, path: str, key: Any, dtype: Any) -> Any:
    _expect_key([path], key)
    return initial(graph, path, key, dtype)


def _with_new(
    graph: Graph, arrays: Mapping[str, Any], key: Any, dtype: Any
) -> dict[str, Any]:
    program = graph.program()
    new = [path for path in program.leaves() if path not in arrays]
    _expect_key(new, key)
    if new:
        return init(graph, key, dtype=dtype, given=arrays)
    whole: dict[str, Any] = grow(program.tree, arrays)
    return whole


def _expect_key(new: Sequence[str], key: Any) -> None:
    if new and key is None:
        more = f" and {len(new) - 1} more" if len(new) > 1 else ""
        raise ModelError.one(
            "params",
            new[0],
            f"expected a key for what is new, found none for this array{more}",
            "give key=jax.random.key(0)",
        )


def _checked(graph: Graph, params: Mapping[str, Any]) -> dict[str, Any]:
    """All arrays of a Graph by path.

    Raises:
        ModelError: some are missing, unknown, or of another shape or dtype.
    """
    arrays = dict(flat(params))
    refuse_given(graph.program(), arrays)
    missing = list(_missing(graph, arrays))
    if missing:
        raise ModelError(missing)
    return arrays


def _missing(graph: Graph, arrays: Mapping[str, Any]) -> Iterator[Diagnostic]:
    for path in graph.program().leaves():
        if path not in arrays:
            yield Diagnostic(
                "params",
                path,
                "expected an array of the old Graph, found none",
                "give Params of the Graph that was edited",
            )


def _floating(graph: Graph, arrays: Mapping[str, Any]) -> Any:
    """The floating type of the arrays, which new ones get too."""
    for path, leaf in graph.program().leaves().items():
        if leaf.dtype == "float":
            return arrays[path].dtype
    return "float32"
