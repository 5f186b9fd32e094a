"""Calls, branches and loops: nodes that run Python functions.

The node's own options come first, then the function gets its own arguments:
`f.repeat("h", block, count=b.depth)(x, mask, heads=4)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from blox.schema.ops.control import Remat

from .arguments import Slices
from .running import Running
from .trace import Trace
from .values import Operand, Value

P = ParamSpec("P")
R = TypeVar("R")


class ControlMethods:
    """The methods of ops that run functions.

    A function is `def block(f, x, mask=None, *, heads)`: the builder, then arguments of
    any kind. Values become inputs of the function in the Graph; numbers, texts, lists
    and None are what they are in Python, and calls whose numbers differ share one
    function with attributes. It returns a Value, a dict by output name, or a tuple.
    """

    _trace: Trace

    def call(
        self,
        name: str,
        function: Callable[Concatenate[Any, P], R],
        *,
        params: str | None = None,
        remat: Remat | None = None,
    ) -> Callable[P, R]:
        """The outputs of a function, with parameters of its own under the node's name.

        x = f.call("attn", attention)(x, mask, heads=4)
        """
        callees = {"function": function}
        return self._runs(name, "call", callees, params=params, remat=remat)

    def repeat(
        self,
        name: str,
        function: Callable[Concatenate[Any, P], R],
        *,
        count: int | str,
        scan: bool = True,
        shared: bool = False,
        listed: Sequence[str] = (),
        params: str | None = None,
        remat: Remat | None = None,
    ) -> Callable[P, R]:
        """`count` copies of a function one after another, each with its own parameters.

        An output named as an argument is that argument's next carry, a bare Value that
        of the first. The node gives the last one, and all other outputs stacked on a
        leading axis. `bx.slices(x)` gives one slice of the leading axis per copy,
        `bx.each([...])` one of its items, `bx.index()` the number of the copy. With
        `scan` it is one `jax.lax.scan` over stacked parameters, else unrolled. `shared`,
        of what is unrolled, is one set of parameters for all copies. There `bx.slices` of a
        list gives one of its arrays, and an output of the same name is the next one of a
        list; `listed` names other outputs that come as lists.
        """
        options: dict[str, Any] = {"count": count, "scan": scan, "shared": shared}
        options["listed"] = list(listed)
        options |= {"params": params, "remat": remat}
        return self._runs(name, "repeat", {"function": function}, **options)

    def scan(
        self,
        name: str,
        function: Callable[Concatenate[Any, P], R],
        *,
        length: int | str | None = None,
        axis: int = 0,
        reverse: bool = False,
        params: str | None = None,
        remat: Remat | None = None,
    ) -> Callable[P, R]:
        """`jax.lax.scan` of a function, parameters shared by all steps.

        `bx.slices(x)` gives one slice of `axis` per step, `bx.index()` its number. An
        output named as an argument is that argument's next carry, a bare Value that of
        the first; all others are stacked on `axis`. `length` is needed where there are
        no slices.
        """
        options = {"length": length, "axis": axis, "reverse": reverse}
        options |= {"params": params, "remat": remat}
        return self._runs(name, "scan", {"function": function}, **options)

    def associative_scan(
        self,
        name: str,
        function: Callable[..., R],
        *,
        axis: int = 0,
        reverse: bool = False,
        params: str | None = None,
    ) -> Callable[..., R]:
        """`jax.lax.associative_scan`: all elements up to each one, combined.

        def compose(f, a, b, a2, b2):
            return {"a": a * a2, "b": b * a2 + b2}

        y = f.associative_scan("steps", compose, axis=1)(a, b)["b"]

        The function gets one element of each value that is given by position, then the
        ones that come behind, and gives one, by the names of the first; what is given by
        name is the same for all. It has to be associative. With `reverse` it goes from
        the last one on.
        """
        options = {"axis": axis, "reverse": reverse, "params": params}
        run = self._runs(name, "associative_scan", {"function": function}, **options)

        def twice(*args: Any, **kwargs: Any) -> R:
            elements = [x if isinstance(x, Slices) else Slices(x) for x in args]
            result: R = run(*elements, *elements, **kwargs)
            return result

        return twice

    def map(
        self,
        name: str,
        function: Callable[Concatenate[Any, P], R],
        *,
        count: int | str | None = None,
        axis: int = 0,
        params: str | None = None,
    ) -> Callable[P, R]:
        """`jax.vmap` of a function over `axis` of its `bx.slices`; outputs are stacked.

        With a `count` every lane has its own parameters, stacked on a leading axis
        (experts); without one all lanes share them.
        """
        options = {"count": count, "axis": axis, "params": params}
        return self._runs(name, "map", {"function": function}, **options)

    def cond(
        self,
        name: str,
        predicate: Operand,
        then: Callable[Concatenate[Any, P], R],
        otherwise: Callable[Concatenate[Any, P], R],
        *,
        params: str | None = None,
    ) -> Callable[P, R]:
        """`jax.lax.cond`: the outputs of `then` where the scalar `predicate` holds,
        else those of `otherwise`. Both take the same arguments and return outputs that
        are alike.
        """
        callees = {"then": then, "else": otherwise}
        return self._runs(name, "cond", callees, predicate=predicate, params=params)

    def switch(
        self,
        name: str,
        index: Operand,
        functions: Sequence[Callable[Concatenate[Any, P], R]],
        *,
        params: str | None = None,
    ) -> Callable[P, R]:
        """`jax.lax.switch`: the outputs of the function that the scalar integer `index`
        picks, of the first or the last one where it lies outside. All take the same
        arguments and return outputs that are alike.
        """
        if not isinstance(functions, Sequence) or not functions:
            found = type(functions).__name__ if functions else "none"
            self._trace.fault(
                f"{name}.branches", f"expected a list of functions, found {found}"
            )
        callees = {f"branches.{i}": function for i, function in enumerate(functions)}
        return self._runs(name, "switch", callees, index=index, params=params)

    def while_loop(
        self,
        name: str,
        cond: Callable[..., Value],
        body: Callable[..., R],
        *,
        max_steps: int | str | None = None,
        params: str | None = None,
    ) -> Callable[..., R]:
        """`jax.lax.while_loop`: repeats `body` while `cond` holds, at most `max_steps`
        times. `body` returns the next arguments that change, by name. Each of the two
        gets the arguments that it names; `bx.index()` is the number of steps so far.
        """
        callees: dict[str, Callable[..., Any]] = {"cond": cond, "body": body}
        options = {"max_steps": max_steps, "params": params}
        return self._runs(name, "while_loop", callees, **options)

    def _runs(
        self,
        name: str,
        key: str,
        callees: dict[str, Callable[..., Any]],
        /,
        **options: Any,
    ) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            given = {k: v for k, v in options.items() if v is not None}
            return Running(self._trace, name, key, callees, given).run(args, kwargs)

        return run
