"""Shapes and dtypes that one node gives, by a trace of the op's own function."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from blox.runtime.context import Context, failed
from blox.runtime.interpreter import call_op
from blox.schema import ModelError
from blox.schema.expressions import names
from blox.schema.fields import is_expression
from blox.schema.op import Op
from blox.schema.parameters import Leaf
from blox.schema.resolve.program import Arg, Step

from .symbolic import MAX_TERMS, Symbols, complexity, is_symbolic, terms, variables
from .values import Value, Values

FLOAT = jnp.dtype("float32")
_LARGEST = 2**62
"""Elements of an array; a model that has one of more is none."""
_MAX_GUESSES = 1_000
"""Traces that may be spent on what a node at fault would give."""


class TooLarge(Exception):
    """What a file asks for takes more work than it may; `path` is where it ended."""

    def __init__(self) -> None:
        self.path: list[str] = []


@dataclass(frozen=True, slots=True)
class Lane:
    """What a run over a Graph fixes besides its sizes."""

    train: bool = False
    dtype: Any = FLOAT
    """The model's floating type."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at a node, in one line.

    `decided` is False where JAX can't decide over symbolic sizes.
    """

    code: str
    message: str
    hint: str = ""
    decided: bool = True
    field: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a node gives: its outputs as far as they are known, and its fault."""

    outputs: tuple[Value | None, ...]
    """None for a key that only training draws."""
    fault: Fault | None = None


Leaves = Leaf | dict[str, Leaf]


@dataclass(eq=False, slots=True)
class Kind:
    """All nodes that differ only in their names and in what flows in: an op with its
    attributes resolved, its operands numbered, and the arrays that it owns."""

    op: Op
    args: dict[str, Any]
    leaves: Leaves
    sources: int
    names: tuple[str, ...]
    """The dims that its expressions speak of."""
    texts: tuple[str, ...]
    act: Any
    floats: bool
    """True where the model's floating type matters beyond what flows in."""

    @classmethod
    def of(cls, op: Op, args: dict[str, Any], leaves: Leaves) -> Kind:
        sources = sum(a.source is not None for a in arguments(args))
        literals = [a.value for a in arguments(args) if a.source is None]
        texts = tuple(
            dict.fromkeys((*(t for _, t in op.expressions()), *_expressions(literals)))
        )
        used = tuple(sorted({n for text in texts for n in names(text)}))
        step = Step("", "", op, (), args, op.outputs())
        step.tree = leaves  # type: ignore[assignment]
        parts = [leaves] if isinstance(leaves, Leaf) else leaves.values()
        floats = any(leaf.dtype == "float" for leaf in parts)
        floats = floats or getattr(op, "dtype", None) == "float"
        return cls(op, args, leaves, sources, used, texts, call_op(step), floats)

    def params(self, dtype: Any) -> Any:
        """The arrays that it owns, abstract."""

        def abstract(leaf: Leaf) -> Any:
            own = dtype if leaf.dtype == "float" else leaf.dtype
            return jax.ShapeDtypeStruct(leaf.full_shape, own)

        if isinstance(self.leaves, Leaf):
            return abstract(self.leaves)
        return {name: abstract(leaf) for name, leaf in self.leaves.items()}


def arguments(args: Mapping[str, Any]) -> Iterator[Arg]:
    """Every argument of a node that computes by itself, in order."""
    for value in args.values():
        if isinstance(value, Arg):
            yield value
        else:
            yield from value


def _expressions(values: Any) -> Iterator[str]:
    for value in values:
        if isinstance(value, (tuple, list)):
            yield from _expressions(value)
        elif is_expression(value):
            yield value


class Inference:
    """Evaluates kinds; the one place where shapes are traced.

    Args:
        work: how much may be done, in equations of JAX and the like.
    """

    def __init__(self, symbols: Symbols, work: float) -> None:
        self.symbols = symbols
        self.values = Values(symbols)
        self.traced = 0
        """How many traces there were."""
        self.work = work
        self._guesses = _MAX_GUESSES

    def spend(self, work: float) -> None:
        self.work -= work
        if self.work < 0:
            raise TooLarge

    def outcome(
        self,
        kind: Kind,
        given: tuple[Value | None, ...],
        sizes: Mapping[str, Any],
        lane: Lane,
    ) -> Outcome:
        """What a node of this kind gives for these values, by the numbers of its args."""
        if any(value is not None and value.shape is None for value in given):
            return self._lost(kind)
        try:
            return Outcome(self._traced(kind, given, sizes, lane))
        except TooLarge:
            raise
        except Exception as error:  # of JAX, over what an untrusted file asks for
            fault = self._fault(kind, error, given, lane)
        follows = any(value is not None and value.unknown for value in given)
        if follows and self._fits_some(kind, given, sizes, lane):
            fault = None
        for guess, params, sure in self._guessed(kind, given, lane):
            if self._guesses <= 0:
                break
            self._guesses -= 1
            try:
                outputs = self._traced(kind, guess, sizes, lane, params)
            except TooLarge:
                raise
            except Exception:
                continue
            return Outcome(outputs if sure else tuple(map(self._ranks, outputs)), fault)
        return replace(self._lost(kind), fault=fault)

    def _lost(self, kind: Kind) -> Outcome:
        return Outcome(tuple(self.values.lost() for _ in kind.op.outputs()))

    def _traced(
        self,
        kind: Kind,
        given: tuple[Value | None, ...],
        sizes: Mapping[str, Any],
        lane: Lane,
        params: Any = None,
    ) -> tuple[Value | None, ...]:
        self.traced += 1
        self.spend(10)
        if any(is_symbolic(sizes[n]) for n in kind.names):
            for text in kind.texts:
                if complexity(text, sizes) > MAX_TERMS:
                    raise _undecided(f"expected at most {MAX_TERMS} terms in a size")
        env: dict[str, Any] = {"$": {n: sizes[n] for n in kind.names}}
        arrays: dict[str, Any] = {}
        for i, value in enumerate(given):
            if value is None or value.literal is not None:
                env[str(i)] = None if value is None else value.literal
            else:
                arrays[str(i)] = self._simple(value).abstract()
        own = kind.params(lane.dtype) if params is None else params

        def run(params: Any, arrays: dict[str, Any]) -> Any:
            outputs, state = kind.act(
                params, {**env, **arrays}, Context(lane.train, lane.dtype)
            )
            return outputs, state

        jaxpr, (outputs, state) = jax.make_jaxpr(run, return_shape=True)(own, arrays)
        self.spend(len(jaxpr.eqns))
        _check_state(state, own)
        if not kind.op.SYMBOLIC:
            _check_count(arrays["0"], jaxpr.out_avals[0])
        avals = iter(jaxpr.out_avals)
        return tuple(o if o is None else self._output(next(avals)) for o in outputs)

    def _output(self, aval: Any) -> Value:
        known = math.prod(s for s in aval.shape if type(s) is int)
        if known > _LARGEST:
            text = f"expected at most 2**62 elements, found shape {aval.shape}"
            raise ModelError.one("too-large", "", text)
        return self.values.array(aval.shape, aval.dtype, aval.weak_type)

    def _simple(self, value: Value) -> Value:
        """A value whose sizes may be multiplied with each other."""
        assert value.shape is not None
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
        given: tuple[Value | None, ...],
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
        text = self.symbols.shown(one_line(found.message))
        return Fault(code, text, found.hint, is_decided(error), found.path.strip("."))

    def _fits_some(
        self,
        kind: Kind,
        given: tuple[Value | None, ...],
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
        for size in list(tried.values())[:12]:
            if self._guesses <= 0:
                return True
            self._guesses -= 1
            try:
                self._traced(kind, self._with(given, lost, size), sizes, lane)
            except TooLarge:
                raise
            except Exception:
                continue
            return True
        return False

    def _with(
        self, given: tuple[Value | None, ...], lost: set[str], size: Any
    ) -> tuple[Value | None, ...]:
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
        self, kind: Kind, given: tuple[Value | None, ...], lane: Lane
    ) -> Iterator[tuple[tuple[Value | None, ...], Any, bool]]:
        """Operands and arrays with which a node at fault might work: the arrays as the
        operands want them, operands alike; nothing but ranks, of which no size is sure.
        """
        mended = self._mended(kind, given)
        if mended is not None:
            yield given, mended.params(lane.dtype), True
        arrays = [v for v in given if v is not None and v.is_array]
        if len(arrays) > 1:
            yield self._alike(given), None, True
        if arrays:
            yield tuple(map(self._ranks, given)), None, False

    def _mended(self, kind: Kind, given: tuple[Value | None, ...]) -> Kind | None:
        changes: dict[str, Any] = {}
        for field, operand in (("in_features", "x"), ("features", "x")):
            arg = kind.args.get(operand)
            if not isinstance(arg, Arg) or arg.source is None:
                continue
            value = given[int(arg.source)]
            if value is not None and value.shape and hasattr(kind.op, field):
                changes[field] = value.shape[-1]
        if not changes or not isinstance(kind.leaves, dict):
            return None
        op = kind.op.model_copy(update=changes)
        leaves = {n: leaf for n, leaf in op.stored().items() if n in kind.leaves}
        if any(None in leaf.shape for leaf in leaves.values()):
            return None
        return replace(kind, op=op, leaves=leaves)

    def _alike(self, given: tuple[Value | None, ...]) -> tuple[Value | None, ...]:
        """Operands whose axes agree from the last on, with unknown sizes where not."""
        arrays = [v for v in given if v is not None and v.is_array]
        seen: dict[int, set[str]] = {}
        for value in arrays:
            for axis, size in enumerate(reversed(value.shape or ())):
                seen.setdefault(axis, set()).add(str(size))
        shared = {
            axis: self.symbols.opaque(unknown=True)
            for axis, sizes in seen.items()
            if len(sizes - {"1"}) > 1
        }

        def alike(value: Value | None) -> Value | None:
            if value is None or not value.is_array:
                return value
            shape = list(value.shape or ())
            for axis, size in shared.items():
                if axis < len(shape):
                    shape[-1 - axis] = size
            return self.values.array(shape, value.dtype, value.weak)

        return tuple(map(alike, given))

    def _ranks(self, value: Value | None) -> Value | None:
        if value is None or not value.is_array:
            return value
        shape = [self.symbols.opaque(unknown=True) for _ in value.shape or ()]
        return self.values.array(shape, value.dtype, value.weak)


def _check_state(state: Any, params: Any) -> None:
    for name, new in (state or {}).items():
        old = params[name]
        if (new.shape, new.dtype) != (old.shape, old.dtype):
            raise ValueError(
                f"expected the next {name} to be as the one before, "
                f"{old.dtype}{list(old.shape)}, found {new.dtype}{list(new.shape)}"
            )


def _check_count(x: Any, y: Any) -> None:
    """Refuses what JAX lets pass: a symbolic shape of another number of elements."""
    before, after = math.prod(x.shape), math.prod(y.shape)
    if is_symbolic(before - after):
        raise _undecided(f"can't tell that {x.shape} has as many elements as {y.shape}")
    if before != after:
        raise TypeError(f"cannot reshape array of shape {x.shape} into shape {y.shape}")


def _undecided(text: str) -> Exception:
    return jax.errors.InconclusiveDimensionOperation(text)


def is_decided(error: BaseException | None) -> bool:
    """False where an error of JAX says that it can't decide, not that it is wrong."""
    while error is not None:
        if isinstance(error, jax.errors.InconclusiveDimensionOperation):
            return False
        if re.search(r"inconclusive|[Ss]ymbolic|[Pp]olymorphi", str(error)):
            return False
        error = error.__cause__
    return True


def one_line(text: str) -> str:
    """Text of JAX on one line, of at most 300 characters."""
    text = re.sub(r"\s+", " ", text).strip()
    return text if len(text) <= 300 else text[:297] + "..."
