"""`source/origin.json`: where the arrays of a model lie in its source, and what its import
found, as data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from blox.mapping.findings import findings
from blox.mapping.patterns import Part
from blox.mapping.plan import make_plan
from blox.mapping.rules import AnyRule, Ignored, Rule, from_plain, to_plain
from blox.mapping.spec import Spec
from blox.schema import Graph, WeightsError
from blox.schema.diagnostics import bounded, quote
from blox.schema.parse.reader import read_plain
from blox.weights.dtypes import ITEMSIZE

from .report import Report
from .report_data import MAX_SIZE, dump_report, parse_report, refuse

VERSION = 1
_FIELDS = ("origin", "arrays", "constants", "rules")
_MAX_AXES = 32
_MAX_HOLES = 64


@dataclass(frozen=True)
class Table:
    """What a sidecar says.

    Attributes:
        rules: between the source's arrays and the Graph's.
        specs: shapes and dtypes of the source's arrays by name.
        places: their names in the source's own tree, where they are others.
        constants: names that rules have for arrays of the Graph that are not the source's.
        report: what the import found.
    """

    rules: Sequence[AnyRule]
    specs: Mapping[str, Spec]
    places: Mapping[str, str]
    constants: Sequence[str]
    report: Report = field(default_factory=Report)


def dump(table: Table) -> bytes:
    """The text of a table; equal tables give equal bytes."""
    arrays = {name: _row(name, spec, table) for name, spec in table.specs.items()}
    rows = [json.dumps(rule, ensure_ascii=False) for rule in to_plain(table.rules)]
    report = dump_report(table.report)
    return "".join(
        [
            f'{{\n "origin": {VERSION},\n "arrays": {_lines("{}", arrays)},\n',
            f' "constants": {json.dumps(list(table.constants), ensure_ascii=False)},\n',
            f' "rules": {_lines("[]", rows)}',
            f',\n "report": {_lines("{}", report)}' if report else "",
            "\n}\n",
        ]
    ).encode()


def _row(name: str, spec: Spec, table: Table) -> dict[str, Any]:
    found: dict[str, Any] = {"shape": list(spec.shape), "dtype": spec.dtype}
    return found | ({"place": table.places[name]} if name in table.places else {})


def parse(data: bytes, graph: Graph) -> Table:
    """The table of a sidecar, held against its Graph; an untrusted file is fine.

    Raises:
        SpecError: a text that is none, names the first part that is not sound.
        WeightsError: arrays that do not become those of the Graph, all of them.
    """
    found = read_plain(data)
    if not isinstance(found, dict) or sorted({*found} - {"report"}) != sorted(_FIELDS):
        names = ", ".join(_FIELDS)
        refuse("", f"expected an object of {names} and report, found {quote(found)}")
    version, arrays, constants, rules = (found[name] for name in _FIELDS)
    if type(version) is not int or version != VERSION:
        refuse("origin", f"expected {VERSION}, found {quote(version)}")
    if not isinstance(arrays, dict):
        refuse("arrays", f"expected an object, found {quote(arrays)}")
    if not isinstance(constants, list) or any(type(n) is not str for n in constants):
        refuse("constants", f"expected a list of names, found {quote(constants)}")
    specs = {name: _spec(name, row) for name, row in arrays.items()}
    if twice := sorted(specs.keys() & set(constants)):
        refuse("constants", f"expected names that no array has, found {quote(twice)}")
    places = {n: row["place"] for n, row in arrays.items() if "place" in row}
    if len({places.get(name, name) for name in specs}) < len(specs):
        refuse("arrays", "expected a place for each, found two at one")
    report = parse_report(found.get("report", {}))
    table = Table(from_plain(rules, "rules"), specs, places, constants, report)
    _require_plain(table)
    _hold_against(table, graph)
    return table


def _spec(name: str, row: Any) -> Spec:
    where = f"arrays.{quote(name)}"
    if not isinstance(row, dict) or sorted({*row} - {"place"}) != ["dtype", "shape"]:
        refuse(where, f"expected shape, dtype and place, found {quote(row)}")
    shape, dtype = row["shape"], row["dtype"]
    if not isinstance(shape, list) or len(shape) > _MAX_AXES:
        refuse(where, f"expected a list of sizes, found {quote(shape)}")
    if any(type(n) is not int or not 0 <= n <= MAX_SIZE for n in shape):
        refuse(where, f"expected sizes, found {quote(shape)}")
    if type(dtype) is not str or dtype not in ITEMSIZE:
        refuse(where, f"expected a dtype, found {quote(dtype)}")
    if type(row.get("place", "")) is not str:
        refuse(where, f"expected a name as place, found {quote(row['place'])}")
    return Spec(tuple(shape), dtype)


def _require_plain(table: Table) -> None:
    """Refuses rules that no import makes: patterns that fit many names take their time."""
    known = {*table.specs, *table.constants}
    holes: set[Part] = set()
    for number, rule in enumerate(table.rules):
        if isinstance(rule, Rule):
            theirs = rule.their_patterns
            names, fits = rule.theirs, len(rule.ours) == 1 and not rule.when
            holes |= {p for o in rule.our_patterns for p in o.parts if p.hole}
        else:
            theirs, names, fits = rule.patterns, rule.names, type(rule) is Ignored
        holed = any(part.hole for pattern in theirs for part in pattern.parts)
        if not fits or holed or not known.issuperset(names):
            what = "one of ours by theirs, or what is ignored, by the names above"
            refuse(f"rules[{number}]", f"expected {what}, found {quote(rule)}")
        if len(holes) > _MAX_HOLES:
            found = f"expected at most {_MAX_HOLES} holes, found more"
            refuse(f"rules[{number}]", found)


def _hold_against(table: Table, graph: Graph) -> None:
    """Every array of the Graph is made of one of the source, and each of those is used or
    ignored, in the shapes that layouts give."""
    used = [rule for rule in table.rules if isinstance(rule, Rule)]
    ignored = {n for r in table.rules if isinstance(r, Ignored) for n in r.names}
    plan = make_plan(graph.program().leaves(), used, {*table.specs, *table.constants})
    there = {
        n: spec
        for n, spec in table.specs.items()
        if n not in ignored or n in plan.expected
    }
    own = {n: plan.expected[n] for n in table.constants if n in plan.expected}
    if faults := bounded(findings(plan, {**there, **own})):
        raise WeightsError(faults)
    if unused := [n for n in table.constants if n not in own]:
        refuse("constants", f"expected names of rules, found {quote(unused[0])}")


def _lines(brackets: str, items: Mapping[str, Any] | Sequence[str]) -> str:
    """An item a line."""
    if isinstance(items, Mapping):
        pairs = (
            (json.dumps(each, ensure_ascii=False) for each in p) for p in items.items()
        )
        items = [": ".join(pair) for pair in pairs]
    inner = ",".join(f"\n  {item}" for item in items)
    return f"{brackets[0]}{inner}\n {brackets[1]}" if items else brackets
