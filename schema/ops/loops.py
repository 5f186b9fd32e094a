"""Loops and maps: nodes that run a function of the Graph again and again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from pydantic import ModelWrapValidatorHandler, model_validator

from ..callee import Callee, Group, Layout
from ..deferred import ScopeOp
from ..fields import Count, Int, Scalar, Size, TensorMap
from ..names import Name
from ..problems import Problem
from .control import Attributes, Remat

COMBINED = 64
"""Calls of its function that an `associative_scan` traces, for any number of elements."""


class Repeat(ScopeOp):
    """`count` copies of a function one after another, each with its own parameters.

    An output named as a carry is the next carry; all others are stacked on a leading
    axis. `inputs` are the same for every copy, `xs` give one slice of their leading
    axis (or one item of a list) per copy, `index` names the input that gets the step.
    With `scan` the parameters are stacked and the loop is `jax.lax.scan`; without it
    they are a list, the loop is unrolled, and a list in `attributes` cycles. `shared`,
    of an unrolled loop, is one set of parameters for all copies, and state that goes from
    copy to copy. Outputs that are `listed` come as a list, one array a copy.
    """

    op: Literal["repeat"] = "repeat"
    function: Name
    count: Count
    carry: TensorMap = {}
    xs: TensorMap = {}
    inputs: TensorMap = {}
    index: Name | None = None
    attributes: dict[Name, Scalar | list[Scalar]] = {}
    scan: bool = True
    shared: bool = False
    listed: list[Name] = []
    remat: Remat | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _by_scan(cls, data: Any, handler: ModelWrapValidatorHandler[Repeat]) -> Repeat:
        """One op of a file is two ops here: they run, and keep arrays, in two ways."""
        if cls is not Repeat:
            return handler(data)
        scan = data.get("scan", True) if isinstance(data, dict) else True
        return (RepeatList if scan is False else RepeatScan).model_validate(data)


class RepeatScan(Repeat):
    """A `repeat` with `scan`: parameters are stacked, the loop is `jax.lax.scan`."""

    CONTROL: ClassVar[str] = "repeat_scan"

    def callees(self) -> tuple[Callee, ...]:
        return (_repeated(self, "stacked"),)

    def problems(self) -> Iterator[Problem]:
        if self.shared:
            yield Problem(
                "shared",
                "expected false under scan, found true; the op `scan` with a `length` is "
                "a loop whose steps share their parameters",
            )
        if self.listed:
            yield Problem.expected(
                "listed", "none under scan, whose outputs are stacked", self.listed
            )
        for name, value in self.attributes.items():
            if isinstance(value, list):
                yield Problem(
                    f"attributes.{name}",
                    "a list cycles over unrolled copies; expected a number under scan, "
                    "found a list",
                )


class RepeatList(Repeat):
    """A `repeat` without `scan`: parameters are a list, or shared, the loop is unrolled."""

    CONTROL: ClassVar[str] = "repeat_list"

    def callees(self) -> tuple[Callee, ...]:
        return (_repeated(self, "shared" if self.shared else "listed"),)

    def problems(self) -> Iterator[Problem]:
        for name, value in self.attributes.items():
            if value == []:
                message = "expected at least one value, found none"
                yield Problem(f"attributes.{name}", message)


def _repeated(op: Repeat, layout: Layout) -> Callee:
    return Callee(
        "function",
        op.function,
        copies=op.count,
        layout=layout,
        runs=op.count,
        takes=("carry", "xs", "inputs", "index"),
        index=op.index,
        returns="the carry",
        literals=True,
        listed=tuple(op.listed),
    )


class Scan(ScopeOp):
    """`jax.lax.scan` of a function over `axis` of its xs; all steps share parameters.

    An output named as a carry is the next carry; all others are stacked on `axis`.
    `length` is needed where there are no xs; `index` names the input that gets the
    step.
    """

    CONTROL: ClassVar[str] = "scan"
    ALSO: ClassVar[tuple[str, ...]] = ("fori_loop", "dynamic_scan", "static_scan")

    op: Literal["scan"] = "scan"
    function: Name
    carry: TensorMap = {}
    xs: TensorMap = {}
    inputs: TensorMap = {}
    index: Name | None = None
    length: Count | None = None
    axis: Int = 0
    reverse: bool = False
    attributes: Attributes = {}
    remat: Remat | None = None

    def callees(self) -> tuple[Callee, ...]:
        takes: tuple[Group, ...] = ("carry", "xs", "inputs", "index")
        return (
            Callee(
                "function",
                self.function,
                runs=self.length,
                takes=takes,
                index=self.index,
                returns="the carry",
            ),
        )

    def problems(self) -> Iterator[Problem]:
        if not self.xs and self.length is None:
            yield Problem("", "expected xs or a length, found neither")


class AssociativeScan(ScopeOp):
    """`jax.lax.associative_scan`: all elements up to each one, combined by a function.

    The function takes two elements, those named in `xs` and, of the inputs that `right`
    names for them, what comes behind; it gives one, by the names in `xs`, of the same
    shapes and types. It has to be associative, as `a + b` is: then
    `y[i] = f(y[i - 1], x[i])`, `y[0] = x[0]`, in about `2 log2(n)` calls over many
    elements at once in place of n steps; with `reverse` from the last one on. `inputs`
    are the same for all. Elements lie along `axis`, whose size may be a dim; JAX must know
    it when it traces, which `jax.export` of an open one does not: `linear_recurrence` takes
    that too. The function updates no state and gets no keys.
    """

    CONTROL: ClassVar[str] = "associative_scan"
    ALSO: ClassVar[tuple[str, ...]] = ("prefix_scan", "parallel_scan")

    op: Literal["associative_scan"] = "associative_scan"
    function: Name
    xs: TensorMap
    right: dict[Name, Name]
    inputs: TensorMap = {}
    axis: Int = 0
    reverse: bool = False
    attributes: Attributes = {}

    def callees(self) -> tuple[Callee, ...]:
        return (
            Callee(
                "function",
                self.function,
                runs=None,
                takes=("xs", "inputs"),
                pairs=self.right,
                traced=COMBINED,
                returns="the elements",
                keeps_state=False,
                instead="a `scan` hands state from step to step",
            ),
        )


class Map(ScopeOp):
    """`jax.vmap` of a function over `axis` of its xs.

    With a `count` every lane has its own parameters, stacked on a leading axis
    (experts); without one all lanes share them. Outputs are stacked on `axis`.
    """

    CONTROL: ClassVar[str] = "map"
    ALSO: ClassVar[tuple[str, ...]] = ("vmap", "vectorize", "apply_along_axis")

    op: Literal["map"] = "map"
    function: Name
    xs: TensorMap = {}
    inputs: TensorMap = {}
    count: Size | None = None
    axis: Int = 0
    attributes: Attributes = {}

    def callees(self) -> tuple[Callee, ...]:
        return (
            Callee(
                "function",
                self.function,
                copies=self.count,
                layout="one" if self.count is None else "stacked",
                runs=self.count,
                takes=("xs", "inputs"),
                keeps_state=self.count is not None,
                instead="give it a count, so that each lane has state of its own, or "
                "update it outside; a key is drawn outside and passed in",
            ),
        )

    def problems(self) -> Iterator[Problem]:
        if not self.xs and self.count is None:
            yield Problem("", "expected xs or a count, found neither")


class WhileLoop(ScopeOp):
    """`jax.lax.while_loop`: repeats `body` on the carry while `cond` of it holds.

    `cond` returns one boolean scalar, `body` the next carry, by name; `inputs` are the
    same at every step. `body` takes all of the carry, `cond` what it names of it; both
    take the `inputs` that they name, and the step, an int32 from 0 on, where they have
    an input of the name `index`. After `max_steps` it ends in any case. `cond` updates
    no state. There is no reverse-mode gradient, with `max_steps` neither: a loop with a
    known number of steps is a `scan` with a `length`.
    """

    CONTROL: ClassVar[str] = "while_loop"
    ALSO: ClassVar[tuple[str, ...]] = ("while",)

    op: Literal["while_loop"] = "while_loop"
    cond: Name
    body: Name
    carry: TensorMap
    inputs: TensorMap = {}
    index: Name | None = None
    max_steps: Size | None = None

    def callees(self) -> tuple[Callee, ...]:
        cond = Callee(
            "cond",
            self.cond,
            role="cond",
            runs=self.max_steps,
            takes=("carry", "inputs", "index"),
            index=self.index,
            returns="one value",
            chooses=True,
            keeps_state=False,
            instead="update it in the body",
        )
        body = Callee(
            "body",
            self.body,
            role="body",
            runs=self.max_steps,
            takes=("carry", "inputs", "index"),
            index=self.index,
            returns="only the carry",
        )
        return cond, body
