"""What classes can't say of a Graph as a whole: places and names."""

from __future__ import annotations

from collections.abc import Sequence, Set

from ...schema.graph import Graph
from ...schema.resolve.program import Program
from .members import Blueprint, paths_of, refused

LIBRARIES = frozenset({"eqx", "nnx"})
KEYS = frozenset({"key", "keys", "rngs"})
PASSED = frozenset({"cls"})
"""What the calls of classes of both libraries are passed by position."""
DEFINED = frozenset({"load", "stored_arrays"})


def check_names(graph: Graph) -> None:
    """Refuses names of a Graph that a file of classes needs itself.

    Raises:
        GenerationError: naming the function and the name.
    """
    for title, function in graph.functions.items():
        names = {*function.inputs, *function.attributes}
        taken = names & LIBRARIES | {*function.attributes} & (KEYS | PASSED)
        for n in sorted(taken | ({title} & (LIBRARIES | DEFINED))):
            raise refused(title, "a name that the file does not need itself", repr(n))


def check_paths(
    program: Program, every: Sequence[Blueprint], module: str, taken: Set[str]
) -> None:
    """Refuses arrays that lie in no class, and names that modules can't have.

    Args:
        program: the Program.
        every: the classes, that of the model last.
        module: the base of the classes.
        taken: the names of its methods.

    Raises:
        GenerationError: naming the path.
    """
    wanted = {*map(_named, program.leaves())}
    for path in sorted(wanted ^ {*map(_named, paths_of(every[-1].members))}):
        raise refused(path, "arrays of one node at each place", "those of several")
    for of in every:
        named = of.plans if of.is_root else of.plans[1:]  # the first is __call__
        methods = {plan.title for plan in named}
        for n in sorted(of.members.keys() & (taken | methods)):
            wanted_name = f"a name that is no method of {module} or of the model"
            raise refused(n, wanted_name, repr(n))


def _named(path: str) -> str:
    """A path without the numbers of what lies in lists."""
    return ".".join(part for part in path.split(".") if not part.isdecimal())
