"""One strict reader for JSON and msgpack: plain data, or one line that says why not."""

from __future__ import annotations

import json
import struct
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packing import pack
from work import counted

from blox.schema import SpecError
from blox.schema.parse.reader import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_TEXT,
    read_plain,
)

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.text("ab\n\u20ac", max_size=3), PLAIN, max_size=4))
def test_both_forms_read_back(data: Any) -> None:
    assert read_plain(json.dumps(data).encode()) == data
    assert read_plain(json.dumps(data, ensure_ascii=False).encode()) == data
    assert read_plain(pack(data)) == data


def test_types_are_kept() -> None:
    for data in (
        b'{"i":1,"f":1.0,"b":true}',
        pack({"i": 1, "f": 1.0, "b": True}),
    ):
        assert [type(v) for v in read_plain(data).values()] == [int, float, bool]


def nested(depth: int, *, packed: bool) -> bytes:
    if packed:
        return b"\x81\xa1a" * (depth - 1) + b"\x80"
    return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)


@pytest.mark.parametrize("packed", [False, True])
def test_the_bounds_are_exact(packed: bool) -> None:
    read_plain(nested(MAX_DEPTH, packed=packed))
    with pytest.raises(SpecError, match="at most 24 levels"):
        read_plain(nested(MAX_DEPTH + 1, packed=packed))

    def document(text: int, items: int) -> bytes:
        data = {"t": "x" * text, "i": [0] * items}
        return pack(data) if packed else json.dumps(data).encode()

    read_plain(document(MAX_TEXT, 0))
    with pytest.raises(SpecError, match="at most 65536 characters"):
        read_plain(document(MAX_TEXT + 1, 0))
    read_plain(document(0, MAX_ITEMS - 4))
    with pytest.raises(SpecError, match="at most 250000 items"):
        read_plain(document(0, MAX_ITEMS - 3))


def test_punctuation_in_texts_is_no_item() -> None:
    texts = ["," * 60_000, '[{"\\' * 15_000, "{" * 60_000] * 4
    data = json.dumps({"t": texts}).encode()
    assert data.count(b",") + data.count(b"[") + data.count(b"{") > MAX_ITEMS
    assert read_plain(data) == {"t": texts}


def double(value: float) -> bytes:
    return b"\x81\xa1a\xcb" + struct.pack(">d", value)


HOSTILE: list[tuple[str, bytes, str, str]] = [
    ("empty", b"", "file-syntax", "expected JSON"),
    ("no json", b"hello", "file-syntax", "line 1, column 1"),
    ("trailing comma", b'{"a":1,}', "file-syntax", "line 1, column 8"),
    ("comment", b'{"a":1} // x', "file-syntax", "line 1"),
    ("two documents", b"{}{}", "file-syntax", "line 1, column 3"),
    ("single quotes", b"{'a':1}", "file-syntax", "expected JSON"),
    ("control character", b'{"a":"\x1b"}', "file-syntax", "expected JSON"),
    ("byte order mark", b"\xef\xbb\xbf{}", "file-syntax", "expected JSON"),
    ("utf-16", '{"a":1}'.encode("utf-16"), "file-encoding", "expected UTF-8"),
    ("bad utf-8", b'{"a":"\xff"}', "file-encoding", "expected UTF-8, found byte 6"),
    ("overlong utf-8", b'{"a":"\xc0\x80"}', "file-encoding", "expected UTF-8"),
    ("lone surrogate", b'{"a":"\\ud800"}', "file-encoding", "lone surrogate"),
    ("surrogate key", b'{"\\udfff":1}', "file-encoding", "lone surrogate"),
    ("duplicate key", b'{"a":1,"a":1}', "file-duplicate-key", "once, found 'a'"),
    ("inner duplicate", b'[{"b\\n":{"c":1,"c":2}}]', "file-duplicate-key", "'c'"),
    ("escaped duplicate", b'{"a":1,"\\u0061":2}', "file-duplicate-key", "'a'"),
    ("nan", b'{"a":NaN}', "file-number", "finite number, found NaN"),
    ("infinity", b'{"a":Infinity}', "file-number", "found Infinity"),
    ("minus infinity", b'{"a":-Infinity}', "file-number", "found -Infinity"),
    ("1e999", b'{"a":1e999}', "file-number", "expected a finite number"),
    ("-1e999", b'{"a":[-1e999]}', "file-number", "expected a finite number"),
    ("400 digits", b'{"a":' + b"9" * 400 + b"}", "file-integer", "found 400 digits"),
    ("5000 digits", b'{"a":' + b"9" * 5000 + b"}", "file-integer", "5000 digits"),
    ("2**63", b'{"a":9223372036854775808}', "file-integer", "64-bit"),
    ("-2**63-1", b'{"a":-9223372036854775809}', "file-integer", "64-bit"),
    ("deep lists", b"[" * 20_000 + b"]" * 20_000, "file-depth", "24 levels"),
    ("deep objects", nested(20_000, packed=False), "file-depth", "24 levels"),
    ("open lists", b"[" * 1_000_000, "file-count", "250000 items"),
    ("flat list", b"[" + b"0," * 4_000_000 + b"0]", "file-count", "250000 items"),
    ("empty lists", b"[" + b"[]," * 2_000_000 + b"0]", "file-count", "250000 items"),
    ("long text", b'["' + b"x" * 70_000 + b'"]', "file-text", "65536 characters"),
    ("long key", b'{"' + b"x" * 70_000 + b'":1}', "file-text", "65536 characters"),
    ("too large", b" " * (MAX_BYTES + 1), "file-size", "at most 16777216 bytes"),
    ("escaped quotes", b'"' + b'\\"' * 4_000_000, "file-syntax", "expected JSON"),
    ("msgpack nan", double(float("nan")), "file-number", "finite number"),
    ("msgpack infinity", double(float("inf")), "file-number", "finite number"),
    ("msgpack 2**63", b"\x81\xa1a\xcf\x80" + b"\0" * 7, "file-integer", "64-bit"),
    ("msgpack bytes", b"\x81\xa1a\xc4\x01x", "file-type", "msgpack type 196"),
    ("msgpack extension", b"\x81\xa1a\xd4\x01x", "file-type", "msgpack type 212"),
    ("msgpack time", b"\x81\xa1a\xd6\xff\0\0\0\0", "file-type", "msgpack type 214"),
    ("msgpack never used", b"\x81\xa1a\xc1", "file-type", "msgpack type 193"),
    ("msgpack duplicate", b"\x82\xa1a\x00\xa1a\x01", "file-duplicate-key", "'a'"),
    ("msgpack key 0", b"\x81\x00\x00", "file-syntax", "expected msgpack"),
    ("msgpack list as key", b"\x81\x90\x00", "file-syntax", "expected msgpack"),
    ("msgpack true as key", b"\x81\xc3\x00", "file-syntax", "expected msgpack"),
    ("msgpack bad utf-8", b"\x81\xa1\xff\x00", "file-syntax", "expected msgpack"),
    ("msgpack trailing", b"\x81\xa1a\x00\x00", "file-syntax", "expected msgpack"),
    ("msgpack short text", b"\x81\xa1a\xd9\xff", "file-syntax", "expected msgpack"),
    ("msgpack short length", b"\x81\xa1a\xdd\xff", "file-", "expected"),
    ("msgpack only a map", b"\xdf", "file-syntax", "expected msgpack"),
    ("msgpack cut", pack({"a": [1, 2]})[:-1], "file-syntax", "too early"),
    ("msgpack text of 4 GB", b"\x81\xa1a\xdb\xff\xff\xff\xff", "file-syntax", "msgpack"),
    ("msgpack list of 2**32", b"\x81\xa1a\xdd\xff\xff\xff\xff", "file-count", "items"),
    ("msgpack map of 2**32", b"\xdf\xff\xff\xff\xff", "file-count", "250000 items"),
    (
        "msgpack lists that claim much",
        b"\x81\xa1a" + b"\xdd\x00\x03\xd0\x00" * 500 + b"\0" * 2**20,
        "file-count",
        "250000 items",
    ),
    ("msgpack deep", nested(20_000, packed=True), "file-depth", "24 levels"),
    ("msgpack deep lists", b"\x81\xa1a" + b"\x91" * 20_000, "file-depth", "24 levels"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "code", "why"), [h[1:] for h in HOSTILE], ids=[h[0] for h in HOSTILE]
)
def test_refused_at_once(data: bytes, code: str, why: str) -> None:
    tracemalloc.start()
    try:
        with counted() as work, pytest.raises(SpecError) as caught:
            read_plain(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert caught.value.diagnostics[0].code.startswith(code)
    assert why in message
    assert message.isascii()
    assert message.isprintable()  # one line, and nothing that a terminal obeys
    assert work.calls < 2 * len(data) + 1000
    assert peak < 4 * len(data) + 2**20


@given(st.binary(max_size=60))
def test_any_bytes_are_plain_data_or_refused(data: bytes) -> None:
    for prefix in (b"", b"\x81\xa1a", b'{"a":'):
        try:
            read_plain(prefix + data)
        except SpecError as error:
            text = str(error)
        else:
            continue
        assert text.isprintable()


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('{"a": 1,\n}', "take away the comma before the bracket"),
        ('{"a": [1, ]}', "take away the comma before the bracket"),
        ('{"a": 1 "b": 2}', "write a comma before it"),
        ('[1 2]', "write a comma before it"),
        ("{'a': 1}", "write texts in double quotes"),
        ('{"a": 1} // one', "JSON has no comments: take it away"),
        ('{"a": [1', "the file ends too early"),
        ('{"a": ', "the file ends too early"),
        ('{"a": None}', ""),
    ],
)  # fmt: skip
def test_what_to_do_about_syntax(text: str, hint: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_plain(text.encode())
    (found,) = caught.value.diagnostics
    assert found.message.startswith("expected JSON, found an error at line ")
    assert (found.code, found.hint) == ("file-syntax", hint)
