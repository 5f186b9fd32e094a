"""msgpack as bytes, which its stubs leave open."""

from __future__ import annotations

from typing import Any

import msgpack


def pack(data: Any) -> bytes:
    """The msgpack of plain data."""
    found: Any = msgpack.packb(data)
    return bytes(found)
