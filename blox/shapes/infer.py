"""Shapes and dtypes that one node gives, by a trace of the op's own function."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import jax

from blox.runtime.context import failed
from blox.runtime.trees import Context, Env
from blox.schema import ModelError
from blox.schema.resolve.program import Arg

from .faults import (
    Fault,
    check_complex,
    check_count,
    check_state,
    is_decided,
    one_line,
    rounding_hint,
    undecided,
)
from .guess import Given, alike, mended, rank_only
from .kinds import Kind, Lane, Outcome
from .symbolic import (
    MAX_TERMS,
    MAX_VARIABLES,
    Symbols,
    is_dear,
    is_symbolic,
    terms,
    variables,
)
from .values import Value, Values

_LARGEST = 2**62
"""Elements of an array; a model that has one of more is none."""
_MAX_RANK = 64
_FAILURE = 20
"""Work of a trace that fails, beside what it traced: JAX mends its traceback."""
_MAX_GUESSES = 1_000
"""Traces that may be spent on what a node at fault would give."""

SKIPPED = Fault(
    "shape-skipped",
    "expected less work for this file, found more than it may take",
    "shapes from here on are not checked",
)


class Inference:
    """Evaluates kinds; the one place where shapes are traced.

    Args:
        work: how much may be done, in equations of JAX and the like.
    """

    def __init__(self, symbols: Symbols, work: float) -> None:
        self.symbols = symbols
        self.cost: Callable[[Any], Any] | None = None
        """Says what the jaxpr of an op costs, where that is wanted."""
        self.values = Values(symbols)
        self.traced = 0
        """How many traces there were."""
        self.work = work
        self._guesses = _MAX_GUESSES
        self._skipping = False

    def spend(self, work: float) -> None:
        self.work -= work

    def outcome(
        self,
        kind: Kind,
        given: Given,
        sizes: Mapping[str, Any],
        lane: Lane,
    ) -> Outcome:
        """What a node of this kind gives for these values, by the numbers of its args.

        Where the work is used up it is not looked at, which the first such node says.
        """
        if any(value is not None and value.shape is None for value in given):
            return self._lost(kind)
        if self.work < 0:
            fault = None if self._skipping else SKIPPED
            self._skipping = True
            return replace(self._lost(kind), fault=fault)
        try:
            return self._traced(kind, given, sizes, lane)
        except Exception as error:  # of JAX, over what an untrusted file asks for
            self.spend(_FAILURE)
            fault = self._fault(kind, error, given, lane)
        follows = any(value is not None and value.unknown for value in given)
        if follows and self._fits_some(kind, given, sizes, lane):
            fault = None
        for guess, params, sure in self._guessed(kind, given, lane):
            outputs = self._guess(kind, guess, sizes, lane, params)
            if outputs is not None and not sure:
                outputs = tuple(rank_only(v, self.values) for v in outputs)
            if outputs is not None:
                return Outcome(outputs, fault)
        return replace(self._lost(kind), fault=fault)

    def attempt(
        self, kind: Kind, given: Given, sizes: Mapping[str, Any]
    ) -> Given | None:
        """What a node gives; None where it doesn't take what flows in, or may not."""
        if any(value is not None and value.shape is None for value in given):
            return None
        if self.work < 0:
            return None
        try:
            return self._traced(kind, given, sizes, Lane()).outputs
        except Exception:  # of JAX or of an op
            self.spend(_FAILURE)
            return None

    def _guess(
        self,
        kind: Kind,
        given: Given,
        sizes: Mapping[str, Any],
        lane: Lane,
        params: Any = None,
    ) -> Given | None:
        """What a node would give for other values, None if it wouldn't take them."""
        if self._guesses <= 0:
            return None
        self._guesses -= 1
        try:
            return self._traced(kind, given, sizes, lane, params).outputs
        except Exception:
            self.spend(_FAILURE)
            return None

    def _lost(self, kind: Kind) -> Outcome:
        return Outcome(tuple(self.values.lost() for _ in kind.op.outputs()))

    def _traced(
        self,
        kind: Kind,
        given: Given,
        sizes: Mapping[str, Any],
        lane: Lane,
        params: Any = None,
    ) -> Outcome:
        self.traced += 1
        self.spend(10)
        if any(is_symbolic(sizes[n]) for n in kind.names):
            for text in kind.texts:
                if is_dear(text, sizes):
                    raise undecided("expected few terms and divisions in a size")
        check_complex(kind.op, kind.args, given)
        literals: dict[str, Any] = {}
        arrays: dict[str, Any] = {}
        for i, value in enumerate(given):
            if value is None or value.literal is not None:
                literals[str(i)] = None if value is None else value.literal
            else:
                arrays[str(i)] = self._simple(value).abstract()
        own = kind.params(lane.dtype) if params is None else params

        numbers: dict[int, Value] = {}

        def run(params: Any, arrays: dict[str, Any]) -> Any:
            env = Env({n: (value,) for n, value in (literals | arrays).items()})
            env.sizes = {n: sizes[n] for n in kind.names}
            outputs, state = kind.act(params, env, Context(lane.train, lane.dtype))
            for i, output in enumerate(outputs):
                if isinstance(output, (bool, int, float)):
                    # Of numbers alone: it stays one, and knows no methods of arrays.
                    numbers[i] = self.values.number(output)
            return outputs, state

        jaxpr, (outputs, state) = jax.make_jaxpr(run, return_shape=True)(own, arrays)
        self.spend(len(jaxpr.eqns))
        check_state(state, own)
        sure = all(value is None or not value.unknown for value in given)
        if sure and not kind.op.SYMBOLIC:
            check_count(arrays["0"], jaxpr.out_avals[0])
        avals = iter(jaxpr.out_avals)
        found = [o if o is None else self._output(next(avals)) for o in outputs]
        gives = tuple(numbers.get(i, value) for i, value in enumerate(found))
        if self.cost is None:
            return Outcome(gives)
        plain = kind.counted()
        if plain is not kind:
            return Outcome(gives, cost=self._traced(plain, given, sizes, lane).cost)
        return Outcome(gives, cost=self.cost(jaxpr))

    def _output(self, aval: Any) -> Value:
        if len(aval.shape) > _MAX_RANK:
            text = f"expected at most {_MAX_RANK} axes, found {len(aval.shape)}"
            raise ModelError.one("too-large", "", text)
        known = math.prod(s for s in aval.shape if type(s) is int)
        if known > _LARGEST:
            text = f"expected at most 2**62 elements, found shape {aval.shape}"
            raise ModelError.one("too-large", "", text)
        return self.values.array(aval.shape, aval.dtype, aval.weak_type)

    def _simple(self, value: Value) -> Value:
        """A value whose sizes may be multiplied with each other."""
        assert value.shape is not None
        if sum(len(variables(s)) for s in value.shape) > MAX_VARIABLES:
            raise undecided(f"expected at most {MAX_VARIABLES} dims in one shape")
        if math.prod(map(terms, value.shape)) <= MAX_TERMS:
            return value
        simple = [
            s if terms(s) == 1 else self.symbols.opaque(of=str(s)) for s in value.shape
        ]
        return self.values.array(simple, value.dtype, value.weak)

    def _fault(
        self,
        kind: Kind,
        error: Exception,
        given: Given,
        lane: Lane,
    ) -> Fault:
        shown: dict[str, Any] = {}
        for name, arg in kind.args.items():
            if isinstance(arg, Arg) and arg.source is not None:
                shown[name] = given[int(arg.source)]
            elif isinstance(arg, list):
                for i, part in enumerate(arg[:8]):
                    if part.source is not None:
                        shown[f"{name}.{i}"] = given[int(part.source)]
        own = kind.params(lane.dtype)
        shown |= own if isinstance(own, dict) else {"value": own}
        operands = {
            n: v.abstract() if isinstance(v, Value) else v for n, v in shown.items()
        }
        found = failed("", error, operands).diagnostics[0]
        code = "shape" if found.code == "trace" else found.code
        text = found.message.replace(". (operands: ", " (operands: ")
        text = self.symbols.shown(one_line(text))
        hint = found.hint or rounding_hint(text)
        return Fault(code, text, hint, is_decided(error), found.path.strip("."))

    def _fits_some(
        self,
        kind: Kind,
        given: Given,
        sizes: Mapping[str, Any],
        lane: Lane,
    ) -> bool:
        """True where some size in place of the unknown ones would do, or may do."""
        arrays = [v for v in given if v is not None and v.shape is not None]
        sizes_ = [s for v in arrays for s in v.shape or ()]
        lost = {n for s in sizes_ if is_symbolic(s) for n in variables(s)}
        lost &= self.symbols.unknown
        if len(lost) > 1:
            return True
        own = kind.params(lane.dtype)
        for leaf in own.values() if isinstance(own, dict) else (own,):
            sizes_ += leaf.shape
        tried = {str(s): s for s in (1, *sizes_) if not lost & variables(s)}
        return self._guesses <= 0 or any(
            self._guess(kind, self._with(given, lost, size), sizes, lane) is not None
            for size in list(tried.values())[:12]
        )

    def _with(self, given: Given, lost: set[str], size: Any) -> Given:
        def replaced(value: Value | None) -> Value | None:
            if value is None or value.shape is None or value.literal is not None:
                return value
            shape = [
                size if is_symbolic(s) and lost & variables(s) else s
                for s in value.shape
            ]
            return self.values.array(shape, value.dtype, value.weak)

        return tuple(map(replaced, given))

    def _guessed(
        self, kind: Kind, given: Given, lane: Lane
    ) -> Iterator[tuple[Given, Any, bool]]:
        """Operands and arrays with which a node at fault might work: the arrays as the
        operands want them, operands alike; nothing but ranks, of which no size is sure.
        """
        other = mended(kind, given)
        if other is not None:
            yield given, other.params(lane.dtype), True
        arrays = [v for v in given if v is not None and v.is_array]
        if len(arrays) > 1:
            yield alike(given, self.values), None, True
        if arrays:
            yield tuple(rank_only(v, self.values) for v in given), None, False
