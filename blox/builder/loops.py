"""Loops: nodes that run a Python function many times."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from blox.schema.ops.control import Remat

from .arguments import (
    Attribute,
    Inputs,
    attributes_of,
    by_name,
    integer,
    node_data,
    prepare,
)
from .results import picked
from .running import Runs, add_running
from .signatures import signature_of
from .values import Operand, Value

if TYPE_CHECKING:
    from .writer import Writer

R = TypeVar("R")


class LoopMethods:
    """The methods of ops that repeat functions."""

    _writer: Writer

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
        w, signature = prepare(self._writer, name, function)
        groups = by_name(w, name, carry=carry, xs=xs, inputs=inputs)
        own = attributes_of(w, name, signature, attributes or {})
        steps = integer(w, f"{name}.count", count)
        cycle = math.lcm(*(len(v) for v in own.values() if isinstance(v, list)))
        copies = 1 if scan or not isinstance(steps, int) else max(1, min(cycle, steps))
        data = node_data(w, name, signature, groups, own, index)
        data |= {
            "op": "repeat",
            "function": signature.name,
            "count": count,
            "scan": scan,
        }
        data |= {"params": params, "remat": remat}
        runs = [Runs(function, picked(own, i)) for i in range(copies)]
        return add_running(w, name, data, groups, runs)

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
        w, signature = prepare(self._writer, name, function)
        groups = by_name(w, name, carry=carry, xs=xs, inputs=inputs)
        own = attributes_of(w, name, signature, attributes or {})
        data = node_data(w, name, signature, groups, own, index)
        data |= {
            "op": "scan",
            "function": signature.name,
            "length": length,
            "axis": axis,
        }
        data |= {"reverse": reverse, "params": params, "remat": remat}
        return add_running(w, name, data, groups, [Runs(function, own)])

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
        w, signature = prepare(self._writer, name, function)
        groups = by_name(w, name, xs=xs, inputs=inputs)
        own = attributes_of(w, name, signature, attributes or {})
        data = node_data(w, name, signature, groups, own)
        data |= {"op": "map", "function": signature.name, "count": count, "axis": axis}
        data["params"] = params
        return add_running(w, name, data, groups, [Runs(function, own)])

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
        w, signature = prepare(self._writer, name, body)
        groups = by_name(w, name, carry=carry, inputs=inputs)
        test = signature_of(cond)
        data = node_data(w, name, signature, groups, {})
        data |= {"op": "while_loop", "cond": test.name, "body": signature.name}
        data |= {"max_steps": max_steps, "params": params}
        runs: list[Runs[Any]] = [Runs(cond, {}), Runs(body, {})]
        result: R = add_running(w, name, data, groups, runs)
        return result
