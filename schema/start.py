"""The base of initialisers: what is asked of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, get_args

from .diagnostics import quote
from .expressions import ExpressionError, evaluate, names
from .fields import is_expression
from .problems import Problem
from .strict import Strict


class Start(Strict):
    """The base of initialisers.

    Names and arguments are those of `jax.nn.initializers`, so that one rule writes and
    calls them: `getattr(jax.nn.initializers, name)(**arguments)`; or there is a function
    that draws with them, `partial(function, **arguments)`.
    """

    DRAWS: ClassVar[bool] = True
    """True where it gives floats alone."""
    DIRECT: ClassVar[bool] = False
    """True where JAX's function is the initialiser itself, and not what makes one."""
    WIDE: ClassVar[bool] = False
    """True where it calculates in 32 bits at least."""
    COMPLEX: ClassVar[bool] = True
    """True where it starts arrays of complex numbers too."""
    FUNCTION: ClassVar[str] = ""
    """The function that draws, its arguments being keywords: one of JAX, or one of
    `blox.ops.tail`. Where there is none, the name says it."""
    NAMED: ClassVar[tuple[str, ...]] = ()
    """Arguments that are names of functions of `jax.numpy`."""

    name: Any  # a Literal in every class

    @classmethod
    def functions(cls) -> Iterator[str]:
        """The functions of JAX beside `jax.nn.initializers` that it speaks of."""
        if "." in cls.FUNCTION:
            yield cls.FUNCTION
        for name in cls.NAMED:
            for part in get_args(cls.model_fields[name].annotation):
                yield from (f"jnp.{function}" for function in get_args(part))

    def fits(self, rank: int) -> bool:
        """True where the axes that it names are those of an array of `rank`."""
        return True

    def problems(self, shape: Sequence[int | None]) -> Iterator[Problem]:
        """What makes no sense of its arguments, which are numbers, for an array of `shape`."""
        return iter(())

    def expressions(self) -> dict[str, str]:
        """Its arguments that are expressions, of attributes alone."""
        return {n: v for n, v in vars(self).items() if is_expression(v)}

    def resolved(self, values: Mapping[str, Any]) -> Self:
        """It with numbers for its expressions.

        Raises:
            ExpressionError: one has no value; it names the argument.
        """
        found: dict[str, float] = {}
        for argument, text in self.expressions().items():
            for name in names(text):
                if name not in values:
                    message = f"expected attributes alone, found {name}"
                    raise ExpressionError(message, argument)
            try:
                found[argument] = float(evaluate(text, values, "float"))
            except ExpressionError as error:
                message = f"{error.message}, found {quote(text)}"
                raise ExpressionError(message, argument) from None
        return self.unchecked_copy(**found) if found else self


def not_below(name: str, value: float | str, least: float | str) -> Iterator[Problem]:
    """A problem where a number is below the least that it may be."""
    if float(value) < float(least):
        yield Problem.expected(name, f"a number of at least {least}", value)
