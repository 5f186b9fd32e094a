"""The writer of one function, as far as nodes that run functions need it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from ..schema.resolve.program import Arg, Instance, Step
from .names import Names
from .plan import Module, Plan

Build = Callable[[list[ast.expr]], ast.expr | None]


class Writer(Protocol):
    """What `emit.function` offers: values so far, names, statements."""

    module: Module
    plan: Plan
    instance: Instance
    names: Names
    body: list[ast.stmt]
    values: dict[str, list[ast.expr]]
    uses: dict[str, int]
    untyped: set[str]

    def fresh(self, text: str) -> str: ...

    def locals_of(self, step: Step) -> list[str]: ...

    def value(
        self, value: Any, kind: Literal["int", "float"] = "float"
    ) -> ast.expr: ...

    def dtype(self, text: str) -> ast.expr: ...

    def atom(self, arg: Arg, part: str = "") -> ast.expr: ...

    def combine(
        self, part: str, args: Sequence[Arg], build: Build, more: int = 0
    ) -> ast.expr: ...

    def wait(self, step: Step, value: ast.expr) -> None: ...

    def flush(self) -> None: ...

    def params(self, step: Step) -> ast.expr: ...

    def state_target(self, step: Step) -> tuple[ast.expr, list[ast.stmt]]: ...

    def statement(self, step: Step, value: ast.expr) -> None: ...

    def assign(self, step: Step, value: ast.expr) -> None: ...

    def unpack(
        self, step: Step, targets: list[ast.expr], value: ast.expr
    ) -> list[ast.stmt]: ...
