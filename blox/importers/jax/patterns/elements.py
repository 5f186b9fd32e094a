"""Ops that go element by element: their own functions, traced on single elements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import permutations, product
from typing import Any, get_args

import jax

from blox.schema import op_class
from blox.schema.ops.index import FAMILIES

from ..internals import Atom, JaxprEqn, Literal, dtype_of
from ..matching import Traced, trace
from ..spelling import ELEMENTWISE, LAYOUT, SAME, first_name
from .proposal import Proposal, Site, formula

FLOATS = ("activations", "elementary", "special", "gamma")
KINDS = ("arithmetic", "logic", *FLOATS)
_OTHERS = """
default einsum glu hyp1f1 identity isin log_softmax logmeanexp logsumexp matmul
multigammaln one_hot owens_t reduce_precision softmax standardize
"""
OTHERS = frozenset(_OTHERS.split())
"""Ops of these families that do more than go element by element, or too much."""
_PRIMITIVE = """
abs acos acosh add asin asinh atan atan2 atanh betainc cbrt ceil cos cosh digamma divide
equal erf erf_inv erfc exp exp2 expm1 floor fmod gammainc gammaincc gammaln greater
greater_equal i0e i1e isfinite less less_equal log log1p logical_and logical_not
logical_or logical_xor maximum minimum multiply negative nextafter not_equal polygamma
power rsqrt sigmoid sign sin sinh sqrt square stop_gradient subtract tan tanh where zeta
"""
PRIMITIVE = frozenset(_PRIMITIVE.split())
"""Ops that are one primitive, which its rule writes."""
NUMBER = object()
"""Stands for an attribute that may be any number."""
COUNTS = range(5)
"""What is tried for an attribute that is a whole number."""


@dataclass(frozen=True)
class Element:
    """An op on single elements.

    Args:
        attributes: those that are not numbers to be found.
        numbers: those that are.
    """

    op: str
    attributes: Mapping[str, Any]
    numbers: tuple[str, ...]
    traced: Traced
    key: Any

    @property
    def starts(self) -> tuple[str, ...]:
        first = self.traced.first
        return (first_name(first),) if first is not None else ()

    def proposals(self, site: Site, equation: JaxprEqn) -> Iterator[Proposal]:
        first = self.traced.first
        assert first is not None
        names = {v: n for n, v in self.traced.operands.items()}
        flowing = [v for v in first.invars if not isinstance(v, Literal)]
        own = [names[v] for v in dict.fromkeys(flowing) if v in names]
        atoms: list[Atom] = [*equation.invars]
        if len(own) == 1:
            atoms = [*dict.fromkeys(v for v in atoms if not isinstance(v, Literal))]
        shapes = {
            n: jax.ShapeDtypeStruct((), dtype_of(v))
            for n, v in self.traced.operands.items()
        }
        for chosen in permutations(atoms, len(own)):
            if any(
                dtype_of(v) != shapes[n].dtype for n, v in zip(own, chosen, strict=True)
            ):
                continue
            yield Proposal(
                op=self.op,
                function=partial(formula(self.op), **self.attributes),
                shapes=shapes,
                given={n: site.of(v) for n, v in zip(own, chosen, strict=True)},
                key=self.key,
                traced=self.traced,
                numbers=self.numbers,
                attributes=self.attributes,
                elementwise=True,
            )


@cache
def elements(dtype: str) -> tuple[Element, ...]:
    """All such ops of operands of one dtype."""
    found = []
    families = KINDS if "float" in dtype else KINDS[:2]
    for family in families:
        for op in FAMILIES[family]:
            if op not in OTHERS | PRIMITIVE:
                found += list(_of(op, dtype))
    return tuple(found)


def _of(op: str, dtype: str) -> Iterator[Element]:
    cls = op_class(op)
    assert cls is not None
    fields = cls.fields()
    if cls.OUTPUTS != ("out",):
        return
    scalar = jax.ShapeDtypeStruct((), dtype)
    needed = [n for n, o in fields.operands.items() if not o.optional]
    choices = {
        a: _choices(cls.model_fields[a].annotation, cls.model_fields[a].default)
        for a in fields.attributes
    }
    optional = [n for n, o in fields.operands.items() if o.optional]
    function = formula(op)
    for values in product(*choices.values()):
        every = dict(zip(choices, values, strict=True))
        attributes = {a: v for a, v in every.items() if v is not NUMBER}
        numbers = tuple(a for a, v in every.items() if v is NUMBER)
        for count in range(2 ** len(optional)):
            names = needed + [n for i, n in enumerate(optional) if count >> i & 1]
            traced = trace(
                partial(function, **attributes), dict.fromkeys(names, scalar), numbers
            )
            if traced is not None and _is_elementwise(traced):
                key = (op, dtype, tuple(names), tuple(attributes.items()))
                yield Element(op, attributes, numbers, traced, key)


def _choices(annotation: Any, default: Any) -> list[Any]:
    if annotation is bool:
        return [False, True]
    if annotation is int or annotation == int | str:
        return [*COUNTS]
    if annotation == float | str or annotation == int | float | str:
        return [NUMBER]
    optional = annotation is not None and type(None) in get_args(annotation)
    return [None, NUMBER] if optional else [default]


def _is_elementwise(traced: Traced) -> bool:
    """True for several equations, or for one that has derivatives of its own, or whose
    operands are the same."""
    if traced.first is None:
        return False
    names = [e.primitive.name for e in traced.equations]
    if not all(n in ELEMENTWISE or n in LAYOUT or n in SAME for n in names):
        return False
    work = [e for e in traced.equations if e.primitive.name in ELEMENTWISE]
    if len(work) == 1:
        only = work[0]
        twice = only.primitive.name == "ne" and only.invars[0] is only.invars[1]
        return twice or bool(traced.flat.custom)
    return bool(work)
