"""Calls and branches: nodes that run functions, given as Python functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from blox.schema.fields import Operand as OperandMark
from blox.schema.ops.control import Remat

from .arguments import (
    Inputs,
    attributes_of,
    by_name,
    by_position,
    node_data,
    prepare,
)
from .loops import LoopMethods
from .running import Runs, add_running
from .signatures import signature_of
from .values import Operand

R = TypeVar("R")


class ControlMethods(LoopMethods):
    """The methods of ops that run functions.

    A function is `def block(f, x, mask=None, *, features)`: the builder, inputs, and
    keyword-only attributes, which it gets as `"$features"`. An input with the default
    None is optional. It returns a Value, a dict by output name, or a named tuple; what
    the method returns is alike. Its nodes must be the same at every call.
    """

    def call(
        self,
        name: str,
        function: Callable[..., R],
        *inputs: Operand | None,
        params: str | None = None,
        remat: Remat | None = None,
        **named: Operand | None,
    ) -> R:
        """The outputs of a function, with parameters of its own under the node's name.

        Inputs go by position or name, attributes of the function by name:
        `f.call("proj", project, x, features="$2 * width")`.
        """
        w, signature = prepare(self._writer, name, function)
        given = by_position(w, name, signature, inputs)
        own = {n: v for n, v in named.items() if n in signature.attributes}
        given.update({n: v for n, v in named.items() if n not in signature.attributes})
        attributes = attributes_of(w, name, signature, own)
        groups = {"inputs": given}
        data = node_data(w, name, signature, groups, attributes)
        data |= {
            "op": "call",
            "function": signature.name,
            "params": params,
            "remat": remat,
        }
        return add_running(w, name, data, groups, [Runs(function, attributes)])

    def cond(
        self,
        name: str,
        predicate: Operand,
        then: Callable[..., R],
        otherwise: Callable[..., R],
        inputs: Inputs | None = None,
        *,
        params: str | None = None,
    ) -> R:
        """`jax.lax.cond`: the outputs of `then` where the scalar `predicate` holds,
        else those of `otherwise`. Both take `inputs` and return outputs that are alike.
        """
        w, signature = prepare(self._writer, name, then)
        groups = by_name(w, name, inputs=inputs)
        data = node_data(w, name, signature, groups, {})
        data |= {
            "op": "cond",
            "then": signature.name,
            "else": signature_of(otherwise).name,
        }
        data["predicate"] = w.operand(f"{name}.predicate", predicate, OperandMark())
        data["params"] = params
        runs = [Runs(then, {}), Runs(otherwise, {})]
        return add_running(w, name, data, groups, runs, {"predicate": predicate})

    def switch(
        self,
        name: str,
        index: Operand,
        functions: Sequence[Callable[..., R]],
        inputs: Inputs | None = None,
        *,
        params: str | None = None,
    ) -> R:
        """`jax.lax.switch`: the outputs of the function that the scalar integer `index`
        picks, of the first or the last one where it lies outside. All take `inputs` and
        return outputs that are alike.
        """
        if not isinstance(functions, Sequence) or not functions:
            found = type(functions).__name__ if functions else "none"
            self._writer.fault(
                f"{name}.branches", f"expected a list of functions, found {found}"
            )
        w, signature = prepare(self._writer, name, functions[0])
        groups = by_name(w, name, inputs=inputs)
        data = node_data(w, name, signature, groups, {})
        data |= {"op": "switch", "branches": [signature_of(f).name for f in functions]}
        data["index"] = w.operand(f"{name}.index", index, OperandMark())
        data["params"] = params
        runs = [Runs(function, {}) for function in functions]
        return add_running(w, name, data, groups, runs, {"index": index})
