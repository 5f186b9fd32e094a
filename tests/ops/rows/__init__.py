"""The rows of all ops: `ROWS["linear"]` are those of `linear`, at least one."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from ops.row import Row, Rows

FAMILIES: dict[str, Rows] = {
    found.name: import_module(f"{__name__}.{found.name}").ROWS
    for found in iter_modules(__path__)
}
ROWS: dict[str, list[Row]] = {
    name: rows if isinstance(rows, list) else [rows]
    for family in FAMILIES.values()
    for name, rows in family.items()
}
