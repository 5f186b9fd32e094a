"""One strict reader for JSON and msgpack: plain data or a one-line SpecError."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from .errors import SpecError, quote

MAX_BYTES = 16 * 2**20
MAX_DEPTH = 24
MAX_ITEMS = 1_000_000
MAX_TEXT = 65_536
INT64 = 2**63


def read_plain(data: bytes) -> Any:
    """The plain data of a JSON or msgpack document, told apart by its first byte.

    Raises:
        SpecError: malformed text, duplicate keys, NaN or infinity, integers beyond 64
            bits, or more depth, items, text or bytes than any model needs.
    """
    if len(data) > MAX_BYTES:
        raise _refused("size", f"expected at most {MAX_BYTES} bytes, found {len(data)}")
    is_map = data[:1] and (0x80 <= data[0] <= 0x8F or data[0] in (0xDE, 0xDF))
    try:
        value = _read_msgpack(data) if is_map else _read_json(data)
    except RecursionError:
        raise _refused("depth", f"expected at most {MAX_DEPTH} levels") from None
    _check(value)
    return value


def _refused(code: str, message: str, hint: str = "") -> SpecError:
    error = SpecError.one(f"file-{code}", "", message, hint)
    assert isinstance(error, SpecError)
    return error


def _pairs(pairs: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    pairs = list(pairs)
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[Any] = set()
        key = next(k for k, _ in pairs if k in seen or seen.add(k))
        raise _refused("duplicate-key", f"expected each key once, found {quote(key)}")
    return result


def _integer(text: str) -> int:
    if len(text) > 20:
        raise _refused(
            "integer", f"expected a 64-bit integer, found {len(text)} digits"
        )
    return int(text)


def _constant(text: str) -> float:
    raise _refused("number", f"expected a finite number, found {text}")


def _read_json(data: bytes) -> Any:
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_pairs,
            parse_int=_integer,
            parse_constant=_constant,
        )
    except UnicodeDecodeError as error:
        raise _refused(
            "encoding", f"expected UTF-8, found byte {error.start}"
        ) from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _refused("syntax", f"expected JSON, found an error at {where}") from None


def _read_msgpack(data: bytes) -> Any:
    import msgpack

    try:
        return msgpack.unpackb(
            data,
            object_pairs_hook=_pairs,
            strict_map_key=True,
            max_bin_len=0,
            max_ext_len=0,
        )
    except SpecError:
        raise
    except (ValueError, msgpack.exceptions.UnpackException) as error:
        kind = type(error).__name__
        raise _refused("syntax", f"expected msgpack, found an error ({kind})") from None


def _check(value: Any) -> None:
    """Bounds of depth, counts, texts and numbers, over the whole document."""
    items, level, depth = 0, [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise _refused("depth", f"expected at most {MAX_DEPTH} levels")
        inner: list[Any] = []
        for part in level:
            match part:
                case dict():
                    items += len(part)
                    inner += part.keys()
                    inner += part.values()
                case list():
                    items += len(part)
                    inner += part
                case str():
                    _check_text(part)
                case float():
                    if not math.isfinite(part):
                        raise _refused("number", "expected a finite number")
                case int():
                    if not -INT64 <= part < INT64:
                        raise _refused("integer", "expected a 64-bit integer")
                case None:
                    pass
                case _:
                    raise _refused("type", f"expected plain data, found {quote(part)}")
        if items > MAX_ITEMS:
            raise _refused("count", f"expected at most {MAX_ITEMS} items")
        level = inner


def _check_text(text: str) -> None:
    if len(text) > MAX_TEXT:
        raise _refused("text", f"expected at most {MAX_TEXT} characters in a text")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise _refused(
                "encoding", "expected text, found a lone surrogate"
            ) from None
