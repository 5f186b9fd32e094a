"""Inner values of a model as outputs: through calls and loops, of all copies at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import Any

from ..content import Content
from ..diagnostics import SpecError, quote
from ..names import NAME, is_name, name_of
from ..write.canonical import plain
from .inner_paths import copy_of, ends, entered, fault, last, step_at, value_of
from .places import entry_of
from .program import Called, Instance, Program
from .rewiring import (
    Data,
    callees_of,
    free_name,
    function_name,
    rewired,
    uses,
    with_callee,
    with_function,
)

_PART = re.compile(rf"({NAME})(?:\[([0-9]{{1,6}})\])?")


def with_outputs(
    graph: Content,
    program: Program,
    paths: Sequence[str],
    names: Sequence[str] | None,
    entry: str | None,
) -> Data:
    """The Graph, as plain data, with inner values as further outputs of an entry.

    Args:
        graph: the Graph.
        program: it, resolved.
        paths: of nodes from the entry: `h.attn.scores`, `h[3].attn.scores`.
        names: of the outputs, one for each path.
        entry: by default the first.

    Raises:
        SpecError: there is no such value, or it can't be an output.
    """
    start = entry_of(program.entries, entry)
    wanted = _names(paths, names, start.function.outputs)
    data = plain(graph)
    for path, name in zip(paths, wanted, strict=True):
        _Way(data, path).lead(start, name)
    return data


@contextmanager
def stacking() -> Iterator[None]:
    """Says of a fault of shapes what may be its reason: values that have no stack."""
    try:
        yield
    except SpecError as error:
        hint = (
            "what is led out of a loop is stacked on its axis: ask for a value that has "
            "that axis, and has one shape in all copies"
        )
        raise SpecError(
            replace(found, hint=found.hint or hint) for found in error.diagnostics
        ) from None


def _names(
    paths: Sequence[str], names: Sequence[str] | None, taken: Any
) -> Sequence[str]:
    """The names of the new outputs, each one that is free."""
    if not paths:
        fault("", "expected at least one path of a node, found none")
    if names is None:
        names = [name_of(p) if isinstance(p, str) else "" for p in paths]
    elif isinstance(names, str) or len(names) != len(paths):
        fault("", f"expected a name for each of {len(paths)} paths in names=")
    for i, (path, name) in enumerate(zip(paths, names, strict=True)):
        if not isinstance(path, str):
            fault(path, f"expected the path of a node, found {quote(path)}")
        if not isinstance(name, str) or not is_name(name):
            fault(path, f"expected the name of an output, found {quote(name)}")
        if name in taken or name in names[:i]:
            fault(
                path,
                f"expected a new name for an output, found {name}, which there is",
                "say another by names=[...]",
            )
    return names


class _Way:
    """The way of one value from the node that gives it to an output of the entry."""

    def __init__(self, data: Data, path: str) -> None:
        self.data, self.path = data, path

    def lead(self, entry: Instance, output: str) -> None:
        function = deepcopy(self.data["functions"][entry.name])
        bare = [*function["outputs"]]
        owned = uses(self.data, entry.name) == 1
        ref = self._given(function, entry, self.path.split("."), owned=True)
        function["outputs"][output] = ref
        functions = self.data["functions"]
        functions[entry.name] = function
        if len(bare) == 1 and not owned:  # nodes that call the entry name its output
            for name, other in functions.items():
                functions[name] = self._named(other, entry.name, bare[0])

    def _given(
        self, function: Data, instance: Instance, parts: list[str], *, owned: bool
    ) -> str:
        """The reference of the value in a function, which may get nodes for it.

        Args:
            function: as plain data, to be changed.
            instance: what it was resolved to.
            parts: what is left of the path.
            owned: nothing else runs the function.
        """
        found = _PART.fullmatch(parts[0])
        if found is None:
            fault(
                self.path, f"expected a node such as h or h[3], found {quote(parts[0])}"
            )
        name, copy, rest = found[1], found[2], parts[1:]
        step = step_at(self.path, instance, name)
        if not rest or ends(step, rest):
            if copy is not None:
                fault(
                    self.path,
                    f"expected a node of {name}[{copy}], found the copy itself",
                    f"name what it gives, such as {self.path}.{last(step)}",
                )
            ref = value_of(self.path, step, rest)
            several = self._gives_several(function["nodes"][name])
            return f"{ref}.{step.outputs[0]}" if several and ref == name else ref
        called = entered(self.path, step, function["nodes"][name])
        inner = function["nodes"][name]["function"]
        changed = deepcopy(self.data["functions"][inner])
        shared = not owned or uses(self.data, inner) > 1
        ref = self._given(changed, called.instance, rest, owned=not shared)
        carry = function["nodes"][name].get("carry", {})
        taken = carry if isinstance(carry, dict) else called.instance.function.inputs
        output = self._output(changed, ref, rest[-1], taken)
        self._put(function, name, called, changed, shared)
        index = copy_of(self.path, step, called, copy)
        whole = f"{name}.{output}"
        return whole if index is None else self._copy(function, whole, name, index)

    def _gives_several(self, node: Data) -> bool:
        """True where a node that runs a function gives more, now, than one value."""
        callees = callees_of(node)
        functions = self.data["functions"]
        return bool(callees) and len(functions[callees[-1].function]["outputs"]) > 1

    # What is written ----------------------------------------------------------------

    def _output(self, function: Data, ref: str, wanted: str, carry: Any) -> str:
        """The name under which a function gives a value, an output of its own if need be."""
        for name, said in function["outputs"].items():
            value = said["value"] if isinstance(said, dict) else said
            if value == ref and name not in carry:
                return str(name)
        inputs = function.get("inputs", {})
        name = free_name(wanted.partition("[")[0], function["outputs"], carry, inputs)
        function["outputs"][name] = ref
        return name

    def _put(
        self, caller: Data, node: str, called: Called, changed: Data, shared: bool
    ) -> None:
        """Makes a node run a changed function, and others the one that they had."""
        functions, there = self.data["functions"], caller["nodes"][node]
        own = str(there["function"])
        old = functions[own]
        if changed == old:
            return
        if len(old["outputs"]) == 1 and len(changed["outputs"]) > 1:
            caller.update(self._dotted(caller, node, next(iter(old["outputs"]))))
            there = caller["nodes"][node]
        if not shared:
            functions[own] = changed
            return
        name = function_name(self.data, own)
        with_function(self.data, own, name, changed)
        caller["nodes"][node] = with_callee(there, callees_of(there)[0], name)
        if own in self.data.get("entries", ["main"]):
            self._cast(caller, node, called.instance)

    def _cast(self, caller: Data, node: str, instance: Instance) -> None:
        """What a call of an entry casts to the model's type, cast before a copy of it."""
        given = caller["nodes"][node].get("inputs", {})
        if isinstance(given, list):
            given = dict(zip(instance.function.inputs, given, strict=False))
        given = {**given}
        for name in instance.float_inputs():
            ref = given.get(name)
            if isinstance(ref, str) and not ref.startswith("$"):
                cast = {"op": "astype", "x": ref, "dtype": "float"}
                given[name] = self._beside(
                    caller, node, f"{node}_{name}", cast, after=False
                )
        caller["nodes"][node] = {**caller["nodes"][node], "inputs": given}

    def _copy(self, function: Data, ref: str, node: str, copy: int) -> str:
        """The reference of one copy of what a loop has stacked on its axis."""
        axis = function["nodes"][node].get("axis", 0)
        rest = [":"] * (axis if axis >= 0 else -axis - 1)
        parts = [*rest, str(copy)] if axis >= 0 else ["...", str(copy), *rest]
        index = {"op": "index", "x": ref, "at": ", ".join(parts)}
        return self._beside(function, node, f"{node}_{copy}", index, after=True)

    def _beside(
        self, function: Data, node: str, wanted: str, made: Data, *, after: bool
    ) -> str:
        """Puts a node beside another one; its name."""
        name = free_name(wanted, function["nodes"], function.get("inputs", {}))
        nodes: Data = {}
        for known, there in function["nodes"].items():
            pair = [(known, there), (name, made)] if known == node else [(known, there)]
            nodes.update(pair if after else pair[::-1])
        function["nodes"] = nodes
        return name

    def _named(self, function: Data, called: str, output: str) -> Data:
        """A function whose nodes that run an entry name the output that it had alone."""
        for name, node in function.get("nodes", {}).items():
            callees = callees_of(node)
            if callees and callees[-1].function == called:
                function = self._dotted(function, name, output)
        return function

    def _dotted(self, function: Data, node: str, output: str) -> Data:
        whole = f"{node}.{output}"
        return rewired(function, self.data, lambda ref: whole if ref == node else ref)
