"""Names in the expressions of plain data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..names import is_name

_NAMES = re.compile(r"(?<![\w.])[A-Za-z]\w*")


def renamed(data: Any, names: Mapping[str, str], always: bool = False) -> Any:
    """Expressions in plain data with other names; `always`: all texts are some."""
    if isinstance(data, dict):
        return {k: v if k == "doc" else renamed(v, names) for k, v in data.items()}
    if isinstance(data, list):
        return [renamed(part, names) for part in data]
    if isinstance(data, str) and (always or "$" in data):
        return _NAMES.sub(lambda m: names.get(m[0], m[0]), data)
    return data


def used_names(data: Any) -> Iterator[str]:
    """The names in the expressions of plain data."""
    if isinstance(data, dict):
        data = [part for key, part in data.items() if key != "doc"]
    if isinstance(data, list):
        for part in data:
            yield from used_names(part)
    elif isinstance(data, str) and "$" in data:
        yield from _NAMES.findall(data)


def dims_of(function: Mapping[str, Any]) -> Iterator[str]:
    for given in function.get("inputs", {}).values():
        yield from (
            s for s in given.get("shape") or [] if isinstance(s, str) and is_name(s)
        )
