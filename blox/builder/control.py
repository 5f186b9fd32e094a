"""Calls, loops and branches: nodes that run functions, given as Python functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from blox.schema.fields import Operand as OperandMark
from blox.schema.op import ScopeOp
from blox.schema.ops.control import Remat

from .arguments import (
    attributes_of,
    by_name,
    by_position,
    integer,
    node_data,
    numbers,
    prepare,
)
from .results import added, picked
from .running import Runs, running
from .signatures import signature
from .values import Operand, Value

if TYPE_CHECKING:
    from .writer import Writer

R = TypeVar("R")
Inputs = Mapping[str, "Operand | None"]
Attribute = int | float | str


class ControlMethods:
    """The methods of ops that run functions.

    A function is `def block(f, x, mask=None, *, features)`: the builder, inputs, and
    keyword-only attributes, which it gets as `"$features"`. An input with the default
    None is optional. It returns a Value, a dict by output name, or a named tuple; what
    the method returns has the same form. Its nodes must be the same at every call.
    """

    _writer: Writer

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
        w, form = prepare(self._writer, name, function)
        given = by_position(w, name, form, inputs)
        own = {n: v for n, v in named.items() if n in form.attributes}
        given.update({n: v for n, v in named.items() if n not in form.attributes})
        attributes = attributes_of(w, name, form, own)
        groups = {"inputs": given}
        data = node_data(w, name, form, groups, attributes)
        data |= {"op": "call", "function": form.name, "params": params, "remat": remat}
        return _added(w, name, data, groups, [Runs(function, attributes)])

    def repeat(
        self,
        name: str,
        function: Callable[..., R],
        *,
        count: int | str,
        carry: Inputs | None = None,
        xs: Mapping[str, Operand | Sequence[int | float]] | None = None,
        inputs: Inputs | None = None,
        index: str | None = None,
        attributes: Mapping[str, Attribute | Sequence[Attribute]] | None = None,
        scan: bool = True,
        params: str | None = None,
        remat: Remat | None = None,
    ) -> R:
        """`count` copies of a function one after another, each with its own parameters.

        An output named as a carry is the next carry (a bare Value is the one carry).
        The node gives the last one, and all other outputs stacked on a leading axis.
        `xs` give one slice of their leading axis, or one item of a list, per copy;
        `inputs` are the same for all; `index` names the input that gets the step. With
        `scan` it is one `jax.lax.scan` over stacked parameters, else unrolled, and a
        list in `attributes` cycles.
        """
        w, form = prepare(self._writer, name, function)
        groups = by_name(w, name, carry=carry, xs=xs, inputs=inputs)
        own = attributes_of(w, name, form, attributes or {})
        steps = integer(w, f"{name}.count", count)
        cycle = math.lcm(*(len(v) for v in own.values() if isinstance(v, list)))
        copies = 1 if scan or not isinstance(steps, int) else max(1, min(cycle, steps))
        data = node_data(w, name, form, groups, own, index)
        data |= {"op": "repeat", "function": form.name, "count": count, "scan": scan}
        data |= {"params": params, "remat": remat}
        runs = [Runs(function, picked(own, i)) for i in range(copies)]
        return _added(w, name, data, groups, runs)

    def scan(
        self,
        name: str,
        function: Callable[..., R],
        *,
        carry: Inputs | None = None,
        xs: Inputs | None = None,
        inputs: Inputs | None = None,
        index: str | None = None,
        length: int | str | None = None,
        axis: int = 0,
        reverse: bool = False,
        attributes: Mapping[str, Attribute] | None = None,
        params: str | None = None,
        remat: Remat | None = None,
    ) -> R:
        """`jax.lax.scan` of a function over `axis` of its xs, parameters shared.

        An output named as a carry is the next carry (a bare Value is the one carry).
        The node gives the last one, and all others stacked on `axis`. `length` is
        needed where there are no xs; `index` names the input that gets the step.
        """
        w, form = prepare(self._writer, name, function)
        groups = by_name(w, name, carry=carry, xs=xs, inputs=inputs)
        own = attributes_of(w, name, form, attributes or {})
        data = node_data(w, name, form, groups, own, index)
        data |= {"op": "scan", "function": form.name, "length": length, "axis": axis}
        data |= {"reverse": reverse, "params": params, "remat": remat}
        return _added(w, name, data, groups, [Runs(function, own)])

    def map(
        self,
        name: str,
        function: Callable[..., R],
        *,
        xs: Inputs | None = None,
        inputs: Inputs | None = None,
        count: int | str | None = None,
        axis: int = 0,
        attributes: Mapping[str, Attribute] | None = None,
        params: str | None = None,
    ) -> R:
        """`jax.vmap` of a function over `axis` of its xs; outputs are stacked on it.

        With a `count` every lane has its own parameters, stacked on a leading axis
        (experts); without one all lanes share them.
        """
        w, form = prepare(self._writer, name, function)
        groups = by_name(w, name, xs=xs, inputs=inputs)
        own = attributes_of(w, name, form, attributes or {})
        data = node_data(w, name, form, groups, own)
        data |= {"op": "map", "function": form.name, "count": count, "axis": axis}
        data["params"] = params
        return _added(w, name, data, groups, [Runs(function, own)])

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
        w, form = prepare(self._writer, name, then)
        groups = by_name(w, name, inputs=inputs)
        data = node_data(w, name, form, groups, {})
        data |= {"op": "cond", "then": form.name, "else": signature(otherwise).name}
        data["predicate"] = w.operand(f"{name}.predicate", predicate, OperandMark())
        data["params"] = params
        runs = [Runs(then, {}), Runs(otherwise, {})]
        return _added(w, name, data, groups, runs, {"predicate": predicate})

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
        if not functions:
            self._writer.fault(f"{name}.branches", "expected a function, found none")
        w, form = prepare(self._writer, name, functions[0])
        groups = by_name(w, name, inputs=inputs)
        data = node_data(w, name, form, groups, {})
        data |= {"op": "switch", "branches": [signature(f).name for f in functions]}
        data["index"] = w.operand(f"{name}.index", index, OperandMark())
        data["params"] = params
        runs = [Runs(function, {}) for function in functions]
        return _added(w, name, data, groups, runs, {"index": index})

    def while_loop(
        self,
        name: str,
        cond: Callable[..., Value],
        body: Callable[..., R],
        *,
        carry: Inputs,
        inputs: Inputs | None = None,
        max_steps: int | str | None = None,
        params: str | None = None,
    ) -> R:
        """`jax.lax.while_loop`: repeats `body` on the carry while `cond` of it holds,
        at most `max_steps` times. `body` returns the next carry, by name.
        """
        w, form = prepare(self._writer, name, body)
        groups = by_name(w, name, carry=carry, inputs=inputs)
        test = signature(cond)
        data = node_data(w, name, form, groups, {})
        data |= {"op": "while_loop", "cond": test.name, "body": form.name}
        data |= {"max_steps": max_steps, "params": params}
        runs: list[Runs[Any]] = [Runs(cond, {}), Runs(body, {})]
        result: R = _added(w, name, data, groups, runs)
        return result


def _added(
    w: Writer,
    name: str,
    data: dict[str, Any],
    groups: Mapping[str, Mapping[str, Any]],
    runs: Sequence[Runs[R]],
    own: Mapping[str, Any] | None = None,
) -> R:
    """Traces what a node runs, and adds the node."""
    for each in runs:
        numbers(w, name, each.attributes)
    op = w.validated(name, {k: v for k, v in data.items() if v is not None})
    resolved = w.resolved(name, op)
    assert isinstance(resolved, ScopeOp)
    traced, outputs = running(w, name, resolved, groups, runs, own)
    return added(w, name, op, outputs, traced)
