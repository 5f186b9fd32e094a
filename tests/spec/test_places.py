"""Faults of a JSON text are reported by the path where they lie."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from work import counted

from blox.schema import SpecError
from blox.schema.parse.reader import read_plain

NODE = '{"functions":{"main":{"nodes":{"l":{"op":"relu",%s}}}}}'


def refused(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        read_plain(text.encode())
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "report"),
    [
        (NODE % '"x":1,"op":2', "main.l.op: expected each key once, found 'op'"),
        (
            NODE % '"x":[1,{},{"y":NaN}]',
            "main.l.x.2.y: expected a finite number, found NaN",
        ),
        (
            NODE % '"x":[[],-1e999]',
            "main.l.x.1: expected a finite number, found -1e999",
        ),
        (
            NODE % '"x":9223372036854775808',
            "main.l.x: expected a 64-bit integer, found 9223372036854775808",
        ),
        (
            NODE % f'"x":{"9" * 400}',
            "main.l.x: expected a 64-bit integer, found 400 digits",
        ),
        ('[1,"a,:{[\\"",Infinity]', "2: expected a finite number, found Infinity"),
        # json sees the inner one first: what is reported is of one place in any case.
        (
            '{"a":1,"a":{"b":1,"b":2}}',
            "a: expected each key once, found 'a'",
        ),
        ('{"a":1e999,"b":NaN}', "a: expected a finite number, found 1e999"),
        ('{"a b":1,"a\\u0020b":2}', "'a b': expected each key once, found 'a b'"),
        ("", "expected JSON, found an empty file"),
        (" \n", "expected JSON, found an empty file"),
        (
            "\ufeff{}",
            "expected JSON, found a byte order mark; save it as UTF-8 without one",
        ),
    ],
)
def test_where_it_is(text: str, report: str) -> None:
    assert refused(text) == report


def test_a_place_too_deep_to_be_named() -> None:
    text = '{"a":' * 500 + "NaN" + "}" * 500
    assert refused(text) == "expected a finite number, found NaN"


def test_a_large_file_is_reported_soon() -> None:
    text = '{"x":[' + '"0,{",' * 200_000 + '{"b":1,"b":2}]}'
    with counted() as work:
        assert refused(text) == "x.200000.b: expected each key once, found 'b'"
    assert work.calls < len(text)


@given(st.text('{}[]:,"\\aNf1 \n', max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(SpecError):
        read_plain(text.encode())
