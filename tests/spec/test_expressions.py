"""Expressions: what is one, what it is worth, and what is never evaluated."""

from __future__ import annotations

import operator
import re
import warnings
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from work import counted

from blox.schema.expressions import (
    INT64,
    ExpressionError,
    Kind,
    evaluate,
    names,
    parse,
)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("$width", "int", 64),
        ("$width // heads", "int", 16),
        ("$-width // 3", "int", -22),
        ("$4 * (width + 1) - heads", "int", 256),
        ("$ 2*s ", "int", 4),
        ("$--s", "int", 2),
        ("$head_dim ** -0.5", "float", 0.25),
        ("$width / heads", "float", 16.0),
        ("$1e-5", "float", 1e-5),
        ("$rate * 2", "float", 0.5),
        ("$9223372036854775807", "int", INT64 - 1),
        ("$-9223372036854775807 - 1", "int", -INT64),
        ("$width % 7", "int", 1),
        ("$-width % 7", "int", 6),
        ("$width % -7", "int", -6),
        ("$1.5 % rate", "float", 0.0),
        ("$min(heads, 8)", "int", 4),
        ("$max(heads, s, width)", "int", 64),
        ("$max(min(width, 8), s) * heads", "int", 32),
        ("$min(rate, 0.5)", "float", 0.25),
        ("$s ** 3", "int", 8),
        ("$s ** 3", "float", 8),
        ("$s ** -1", "float", 0.5),
        ("$2 ** 62", "int", 2**62),
        ("$-2 ** 2", "int", -4),
        ("$2 ** 3 ** 2", "int", 512),
        ("$1 ** 1000000", "int", 1),
        ("$(0 - 1) ** 1000001", "int", -1),
        ("$0 ** 0", "int", 1),
    ],
)
def test_values(text: str, kind: Kind, value: Any) -> None:
    values = {"width": 64, "heads": 4, "s": 2, "head_dim": 16, "rate": 0.25}
    found = evaluate(text, values, kind)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "kind", "why"),
    [
        ("$1 // 0", "int", "division by zero"),
        ("$0 ** -1", "float", "division by zero"),
        ("$1 / 0.0", "float", "division by zero"),
        ("$x * x", "int", "beyond 64 bits"),
        ("$9223372036854775807 + 1", "int", "beyond 64 bits"),
        ("$9 ** 9 ** 9", "float", "beyond 64 bits"),
        ("$(0 - 8) ** 0.5", "float", "no real number"),
        ("$9 ** 9 ** 9", "int", "beyond 64 bits"),
        ("$2 ** 10 ** 9", "int", "beyond 64 bits"),
        ("$2 ** 63", "int", "beyond 64 bits"),
        ("$2 ** -1", "int", "expected an integer, found 0.5"),
        ("$1 % 0", "int", "division by zero"),
        ("$1.0 % 0", "float", "division by zero"),
        ("$min(1, 2 % 0)", "int", "division by zero"),
        ("$min(x, half)", "float", "min of integers alone or of floats alone"),
        ("$max(1.0, 2, 3.0)", "float", "max of integers alone or of floats alone"),
        ("$x / 2", "int", "expected no / where an integer stands"),
        ("$1.5", "int", "expected an integer, found 1.5"),
        ("$half", "int", "expected an integer, found 0.5"),
        ("$flag", "int", "found a boolean"),
        ("$missing + 1", "int", "no attribute or dim is named 'missing' here"),
    ],
)
def test_values_that_cannot_be_had(text: str, kind: Kind, why: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(text, {"x": 2**40, "half": 0.5, "flag": True}, kind)
    assert why in str(caught.value)


HOSTILE = [
    "$", "$ ", "$a.b", "$a.__class__", "$().__class__", "$a[0]", "$f(x)", "$a:=1",
    "$(a:=1)", "$lambda: 0", "$a if b else c", "$not a", "$a and b", "$a < b", "$a, b",
    "$[a]", "${a}", "$'a'", '$"a"', "$f'{a}'", "$a @ b", "$a | b", "$~a",
    "$+a", "$a << b", "$True", "$None", "$...", "$__import__", "$_a", "$1_000", "$0x10",
    "$0b1", "$01", "$1j", "$1e999", "$9223372036854775808", "$1.", "$.5", "$1.e5",
    "$1.real", "$1 .real", "$1if 2", "$a b", "$a\nb", "$(a\n+b)", "$a\t", "$a\\\nb",
    "$a#b", "$a;b", "$\u0663", "$\u2003a", "$a\u00a0", "$\u0430", "$\uff41", "$a\x00",
    "$$a", "$a $", "$*a", "$**a", "$a **", "$(a", "$a)", "$()", "$await a", "$yield",
    "$class", "$" + "9" * 250, "$" + "a" * 300, "$a" + " " * 70000,
    "$" + "(" * 250, "$" + "(" * 127 + ")" * 127,
    "$min", "$min()", "$min(a)", "$min(a,)", "$min(a, b,)", "$min(a, b, )", "$min(,a)",
    "$min(*a, b)", "$min(**a)", "$min(a, b=1)", "$(min)(a, b)", "$min(a, b)(c, d)",
    "$abs(a, b)", "$pow(a, b)", "$sum(a, b)", "$a.min(b, c)", "$min(min, a)", "$a,b",
    "$(a, b)", "$min((a, b), c)", "$min(a b)", "$a %% b", "$% a", "$a %", "$a *** b",
    "$min[a, b]", "$divmod(a, b)", "$max(a, b) if a else b",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_no_expression(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ExpressionError) as caught:
            parse(text)
    message = str(caught.value)
    assert message.isascii()
    assert message.isprintable()


@pytest.mark.parametrize(
    "text",
    ["$" + "(" * 120 + "a" + ")" * 120, "$" + "-" * 254 + "a", "$a" + "+a" * 127],
)
def test_deep_expressions_end(text: str) -> None:
    assert names(text) == ("a",)
    assert isinstance(evaluate(text, {"a": 1}), int)


@pytest.mark.parametrize(
    "text", ["$" + "9" * 100_000, "$" + "a" * 100_000, "$" + " " * 100_000 + "!"]
)
def test_long_texts_are_refused_at_once_and_never_kept(text: str) -> None:
    with counted() as work, pytest.raises(ExpressionError):
        names(text)
    assert work.calls < 100
    assert names.cache_info().maxsize is not None
    assert parse.cache_info().maxsize is not None


def test_names_are_in_order_of_first_use() -> None:
    assert names("$b * (a + b) // c") == ("b", "a", "c")


TREES = st.recursive(
    st.one_of(st.integers(0, 9).map(str), st.sampled_from(["width", "depth"])),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "//", "%"]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        inner.map(lambda t: f"-{t}"),
        st.tuples(inner, st.integers(0, 5)).map(lambda t: f"({t[0]}) ** {t[1]}"),
        st.tuples(
            st.sampled_from(["min", "max"]), st.lists(inner, min_size=2, max_size=3)
        ).map(lambda t: f"{t[0]}({', '.join(t[1])})"),
    ),
    max_leaves=12,
)


class Bounded(int):
    """An integer of Python whose results have at most 64 bits."""

    def __neg__(self) -> Bounded:
        return bounded(-int(self))


def bounded(value: int) -> Bounded:
    if not -INT64 <= value < INT64:
        raise OverflowError
    return Bounded(value)


def _operation(name: str) -> Any:
    def operation(a: int, b: int) -> Bounded:
        return bounded(getattr(int, name)(int(a), int(b)))

    return operation


for _name in ("add", "sub", "mul", "floordiv", "mod", "pow"):
    setattr(Bounded, f"__{_name}__", _operation(f"__{_name}__"))


@given(TREES, st.integers(1, 50), st.integers(1, 50))
def test_as_python(text: str, width: int, depth: int) -> None:
    values = {"width": width, "depth": depth}
    known = {"Bounded": Bounded, "min": min, "max": max}
    known |= {n: Bounded(v) for n, v in values.items()}
    try:
        written = re.sub(r"\d+", r"Bounded(\g<0>)", text)
        wanted = eval(written, {"__builtins__": {}}, known)
    except (ZeroDivisionError, OverflowError):
        with pytest.raises(ExpressionError):
            evaluate("$" + text, values)
    else:
        assert operator.eq(evaluate("$" + text, values), wanted)


@given(st.text(max_size=40))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    with suppress(ExpressionError):
        tree = parse("$" + text)
        assert text.isascii()
        assert tree is parse("$" + text)
