"""The report of an import as data in `source/origin.json`."""

from __future__ import annotations

from dataclasses import asdict
from math import inf, isfinite
from typing import Any, NoReturn

from blox.schema import SpecError
from blox.schema.diagnostics import Diagnostic, quote
from blox.weights.dtypes import ITEMSIZE

from .report import Report, Row

MAX_SIZE = 2**53
_LISTS = ("notes", "layers", "apart", "derivatives", "decisions")
_ROW = ("name", "sizes", "dtype", "difference")


def dump_report(report: Report) -> dict[str, list[Any]]:
    """Lists by name, those that are not empty; a difference without a number is null."""
    rows = [
        asdict(row)
        | {"difference": row.difference if isfinite(row.difference) else None}
        for row in report.rows
    ]
    found = {"rows": rows, **{name: list(getattr(report, name)) for name in _LISTS}}
    return {name: items for name, items in found.items() if items}


def parse_report(data: Any) -> Report:
    """The report of a file that may be untrusted: it is text, printed and nothing more.

    Raises:
        SpecError: names the first part that is not sound.
    """
    if not isinstance(data, dict) or not {*data} <= {"rows", *_LISTS}:
        names = ", ".join(("rows", *_LISTS))
        refuse("report", f"expected an object of {names}, found {quote(data)}")
    for name, items in data.items():
        if not isinstance(items, list):
            refuse(f"report.{name}", f"expected a list, found {quote(items)}")
    texts = {name: data.get(name, []) for name in _LISTS}
    for name, items in texts.items():
        for number, text in enumerate(items):
            _require_text(f"report.{name}[{number}]", text)
    rows = [
        _row(f"report.rows[{i}]", row) for i, row in enumerate(data.get("rows", []))
    ]
    return Report(rows, **texts)


def _row(where: str, row: Any) -> Row:
    if not isinstance(row, dict) or sorted(row) != sorted(_ROW):
        refuse(where, f"expected {', '.join(_ROW)}, found {quote(row)}")
    sizes, dtype, difference = row["sizes"], row["dtype"], row["difference"]
    _require_text(f"{where}.name", row["name"])
    if not isinstance(sizes, dict) or not all(map(_is_size, sizes.values())):
        refuse(f"{where}.sizes", f"expected sizes by name, found {quote(sizes)}")
    for name in sizes:
        _require_text(f"{where}.sizes", name)
    if type(dtype) is not str or dtype not in ITEMSIZE:
        refuse(f"{where}.dtype", f"expected a dtype, found {quote(dtype)}")
    if difference is not None and not (
        type(difference) in (int, float) and difference >= 0
    ):
        found = quote(difference)
        refuse(f"{where}.difference", f"expected a number or null, found {found}")
    return Row(row["name"], sizes, dtype, inf if difference is None else difference)


def _is_size(size: Any) -> bool:
    return type(size) is int and 0 <= size <= MAX_SIZE


def _require_text(where: str, text: Any) -> None:
    if type(text) is not str or not text.isprintable():
        refuse(where, f"expected a text that can be printed, found {quote(text)}")


def refuse(where: str, message: str) -> NoReturn:
    """Raises the SpecError of a part of the file."""
    hint = "bx.save(..., origin=origin) writes one"
    raise SpecError(Diagnostic("import-origin", where, message, hint))
