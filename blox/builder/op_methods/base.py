"""The base of the generated methods."""

from __future__ import annotations

from typing import Any

from ..values import Value


class NodeMethods:
    """Has what every method of an op calls."""

    def _node(self, name: str | None, kind: str, /, **fields: Any) -> tuple[Value, ...]:
        raise NotImplementedError
