"""Parameters frozen and trained, by globs over their paths, in the Graph itself."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from blox.runtime.params import matches
from blox.schema import Graph, SpecError
from blox.schema.diagnostics import quote
from blox.schema.resolve.program import Step as Run
from blox.schema.resolve.rewiring import Data

from .owners import arrays, expect_texts
from .plan import Step, same_paths
from .variants import Path, varied


def frozen(graph: Graph, globs: Sequence[str], *, freeze: bool) -> Step:
    """Parameters that globs over their paths match, never trained, or trained again.

    Args:
        graph: the model.
        globs: over the paths of arrays, as `bx.split` has them: `wte` is all below it.
        freeze: whether they are frozen.

    Raises:
        SpecError: a glob matches no parameter, or some copies of a repeat alone.
    """
    leaves = graph.program().leaves()
    wanted = _matching(globs, [p for p, leaf in leaves.items() if leaf.kind == "param"])

    def change(path: Path, step: Run, node: Data) -> Data:
        slots = [slot for slot, full in arrays(path, step) if full in wanted]
        if not slots:
            return node
        old = node.get("frozen", [])
        left = [name for name in old if name not in slots]
        named = [*left, *slots] if freeze else left
        if not freeze and not named:
            return {name: value for name, value in node.items() if name != "frozen"}
        return {**node, "frozen": [*old, *(n for n in slots if n not in old)]
                if freeze else named}  # fmt: skip

    new = varied(graph, change)
    still = [
        path
        for path, leaf in new.program().leaves().items()
        if path in wanted and leaf.frozen != freeze
    ]
    if still:
        raise SpecError.one(
            "edit",
            still[0],
            "expected an array of a node, whose `frozen` says it, found one that is "
            f"{'trained' if freeze else 'frozen'} in any case",
            "an op with a body of the Graph has its nodes there",
        )
    return Step(graph, new, same_paths(graph, new))


def _matching(globs: Sequence[str], paths: Sequence[str]) -> set[str]:
    found: set[str] = set()
    if not globs:
        raise SpecError.one("edit", "", "expected a glob over paths, found none")
    expect_texts(globs)
    for glob in globs:
        hits = [path for path in paths if matches(path, glob)]
        if not hits:
            near = difflib.get_close_matches(glob, paths, 1, 0.5)
            raise SpecError.one(
                "edit",
                quote(glob),
                "expected a glob that matches the path of a parameter, found none of them",
                f"did you mean {near[0]}?"
                if near
                else f"such as {paths[0]}"
                if paths
                else "",
            )
        found.update(hits)
    return found
