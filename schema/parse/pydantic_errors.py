"""Pydantic's findings as diagnostics: the graph path, expected, found, what to do."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ValidationError

from ..alike import ops_like
from ..content import Bounds, Content, Function, Input, Metadata, Output
from ..diagnostics import Diagnostic, bounded, quote
from ..elsewhere import ELSEWHERE
from ..initializers import INITIALIZERS
from ..registry import op_class, split_key, versions
from .locate import graph_path

_EXPECTED = {
    "missing": "expected this field, found none",
    "extra_forbidden": "expected no such field",
    "model_type": "expected an object",
    "dict_type": "expected an object",
    "list_type": "expected a list",
    "string_type": "expected text",
    "bool_type": "expected true or false",
    "int_type": "expected an integer",
    "float_type": "expected a number",
    "finite_number": "expected a finite number",
    "union_tag_not_found": "expected an object with a `name`",
    "union_tag_invalid": "expected the name of an initializer",
    "model_attributes_type": "expected an object",
    "too_short": "expected at least one item",
}
_CODES = {
    "missing": "field-missing",
    "extra_forbidden": "field-unknown",
    "expression": "expression",
    "reserved_name": "name-reserved",
}
_INITIALIZERS = (*INITIALIZERS, *ELSEWHERE)
_WHOLE = {"missing", "extra_forbidden"}
_LABEL = re.compile(r"(function-\w+|list|dict|literal|nullable|constrained-\w+)\[.*")
_BARE_LABELS = {"int", "float", "str", "bool"}
_TOO_LONG = re.compile(r"List should have (at most \d+ items) .*, not (\d+)")
_NODE = 5  # functions, its name, nodes, the node's name, a field: the branches follow


def field_diagnostics(
    error: ValidationError, data: Any, within: tuple[str, ...] = ()
) -> list[Diagnostic]:
    """One diagnostic per faulty field; the branches of a union that fail are one.

    Args:
        error: what Pydantic found.
        data: the plain data that it found it in.
        within: the part of it that was validated.
    """
    found: dict[tuple[str, str], list[str]] = {}
    hints: dict[str, str] = {}
    items: list[Any] = list(error.errors(include_url=False))
    for item in items:
        item["loc"] = _without_tags((*within, *item["loc"]), data)
        for part in item.get("ctx", {}).get(
            "at", ()
        ):  # an item of what one check reads
            item["loc"] = (*item["loc"], part)
            item["input"] = item["input"][part]
    for path, item in _without_shallow_branches(items):
        hinted = len(found) < 20
        message, hint = _message(item, hints=hinted)
        if hinted and item["type"] == "extra_forbidden":
            hint = _near(str(item["loc"][-1]), _fields(item["loc"][:-1], data))
            if len(item["loc"]) == 1 and item["loc"][0] in Metadata.model_fields:
                hint = "it stands in `metadata`"
        if item["loc"][4:] in (("init",), ("init", "name")):
            array = _array(item["loc"], data)
            hint = f"an initializer stands below its parameter: {{'{array}': {{'name': ...}}}}"
        ending = "" if item["type"] in _WHOLE or "found" in message else _found(item)
        messages = found.setdefault((path, ending), [])
        if hint:
            hints[path] = hint
        if not messages:
            messages.append(_code(item))
        else:
            message = message.removeprefix("expected ")
        if message not in messages:
            messages.append(message)
    return bounded(
        Diagnostic(code, path, " or ".join(messages) + ending, hints.get(path, ""))
        for (path, ending), (code, *messages) in found.items()
    )


def _without_tags(loc: tuple[Any, ...], data: Any) -> tuple[Any, ...]:
    """A place without the names by which an initializer was chosen: these are Pydantic's."""
    kept: list[Any] = []
    for part in loc:
        if isinstance(data, dict) and part not in data and data.get("name") == part:
            continue
        kept.append(part)
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, (list, tuple)) and isinstance(part, int):
            data = data[part] if part < len(data) else None
    return tuple(kept)


def _without_shallow_branches(items: Iterable[Any]) -> Iterable[tuple[str, Any]]:
    """The faults by path. Of a union, those that lie deepest: `[1, "x"]` is a list with
    a bad item rather than no integer."""
    known = [(_split(item["loc"]), item) for item in items]
    deepest: dict[tuple[Any, ...], int] = {}
    for (head, branch), _ in known:
        if branch is not None:
            deepest[head] = max(deepest.get(head, 0), len(branch))
    for (head, branch), item in known:
        if branch is None or len(branch) == deepest[head]:
            yield graph_path((*head, *(branch or ()))), item


def _split(loc: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...] | None]:
    """The place of a union and what lies within its branch; None without a union."""
    for i, part in enumerate(loc):
        if (
            i >= _NODE
            and isinstance(part, str)
            and (_LABEL.fullmatch(part) or part in _BARE_LABELS)
        ):
            return loc[:i], loc[i + 1 :]
    return loc, None


def _code(item: Any) -> str:
    if item["type"] == "unknown_op":
        return "op-unknown"
    return _CODES.get(item["type"], "field-value")


def _message(item: Any, hints: bool) -> tuple[str, str]:
    kind = item["type"]
    if kind == "unknown_op":
        return _unknown_op(item["input"], hints)
    if kind == "union_tag_invalid":
        name = str(item["input"].get("name"))
        if name in ELSEWHERE:
            return _EXPECTED[kind], f"{name} is {json.dumps(ELSEWHERE[name])}"
        return _EXPECTED[kind], _near(name, INITIALIZERS) if hints else ""
    text, given = _EXPECTED.get(kind), item["input"]
    named = isinstance(given, str) and given in _INITIALIZERS
    if text == "expected an object" and named:
        start = ELSEWHERE.get(given, {"name": given})
        return text, f"{given} is {json.dumps(start)}"
    if kind == "list_type" and type(given) is int:
        return str(text), f"one number for each axis, such as [{given}, {given}]"
    if text is None:
        text = item["msg"].replace("Input should be", "expected")
        text = text.replace("String should have", "expected")
        text = _TOO_LONG.sub(r"expected \1, found \2", text)
        text = text[0].lower() + text[1:]
        if not (text.isascii() and text.isprintable()):  # never text of the file
            text = f"expected another value ({kind})"
    return text, ""


def _unknown_op(node: dict[str, Any], hints: bool) -> tuple[str, str]:
    if "op" not in node:
        return "expected the name of an op in `op`, found none", ""
    name = node["op"]
    found = f"expected the name of an op, found {_shown(name)}"
    if not isinstance(name, str):
        return found, ""
    base, version = split_key(name)
    known = versions(base)
    if known and version > known[-1]:
        have = " or ".join(map(str, known))
        return (
            f"expected `{base}` at version {have}, found version {version}",
            "this file needs a newer blox: upgrade blox-format",
        )
    # Hints are a kindness, and cost more than all checks together.
    return found, _meant(ops_like(name)) if hints else ""


def _near(name: str, names: Iterable[str]) -> str:
    # Names are in lower case, where Python and other formats say `GELU`.
    return _meant(difflib.get_close_matches(name[:64].lower(), list(names), 1))


def _meant(near: Sequence[str]) -> str:
    return f"did you mean {' or '.join(map(quote, near))}?" if near else ""


def _fields(loc: tuple[Any, ...], data: Any) -> Iterable[str]:
    """The fields of the part of a Graph at a place."""
    part: Any = None
    match loc:
        case ():
            part = Content
        case ("metadata",):
            part = Metadata
        case ("dims", _):
            part = Bounds
        case ("functions", _):
            part = Function
        case ("functions", _, "inputs", _):
            part = Input
        case ("functions", _, "outputs", _):
            part = Output
        case ("functions", function, "nodes", node):
            part = op_class(data["functions"][function]["nodes"][node]["op"])
        case ("functions", function, "nodes", node, "init", *path):
            given = data["functions"][function]["nodes"][node]["init"]
            part = INITIALIZERS.get((given[path[0]] if path else given)["name"])
    return part.model_fields if part is not None else ()


def _array(loc: tuple[Any, ...], data: Any) -> str:
    """The name of a parameter of the node at a place."""
    _, function, _, node, *_ = loc
    cls = op_class(data["functions"][function]["nodes"][node]["op"])
    return next(iter(cls.fields().slots if cls is not None else ()), "value")


def _found(item: Any) -> str:
    value = item["input"]
    if item["type"] == "union_tag_invalid":
        value = value.get("name")
    return f", found {_shown(value)}"


def _shown(value: Any) -> str:
    match value:
        case dict():
            return "an object"
        case list() | tuple():
            return "a list"
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
    return quote(value)
