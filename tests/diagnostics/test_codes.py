"""Every code of `schema/codes` is found by an example; no other code exists."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from diagnostics.making import BASE, codes, graph
from diagnostics.of_files import FILES
from diagnostics.of_models import MODELS
from diagnostics.of_weights import WEIGHTS

from blox.dev.diagnostic_docs import text
from blox.schema import Diagnostic
from blox.schema.codes import CODES, GROUPS, Code

ROOT = Path(__file__).parents[2]


def of_text(example: str) -> set[str]:
    """The codes of an example that is part of a spec."""
    data = json.loads(json.dumps(BASE))
    if example.startswith('"'):
        data |= json.loads("{" + example + "}")
    else:
        data["functions"]["main"]["nodes"]["n"] = json.loads(example)
    return codes(lambda: graph(data))


def is_spec(example: str) -> bool:
    return example.startswith(("{", '"'))


EXAMPLES = {
    code: lambda path, example=row.example: of_text(example)
    for code, row in CODES.items()
    if is_spec(row.example)
} | {
    code: lambda path, call=call: codes(lambda: call(path))
    for table in (MODELS, FILES, WEIGHTS)
    for code, call in table.items()
}


def test_every_code_has_an_example() -> None:
    assert set(EXAMPLES) == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_the_example_yields_its_code(code: str, tmp_path: Path) -> None:
    assert code in EXAMPLES[code](tmp_path)


def test_codes_are_well_formed() -> None:
    rows = [row for group in GROUPS.values() for row in group]
    assert len(rows) == len(CODES)
    for row in rows:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row.name), row
        assert row.meaning.strip(".") == row.meaning, row


def test_other_codes_and_severities_are_refused() -> None:
    with pytest.raises(ValueError, match=r"schema/codes, found the error 'nothing'"):
        Diagnostic("nothing", "", "message")
    with pytest.raises(ValueError, match="found the warning 'cycle'"):
        Diagnostic("cycle", "", "message", severity="warning")
    with pytest.raises(ValueError, match="found the error 'unused-node'"):
        Diagnostic("unused-node", "", "message")
    assert Code("a", "b", "c").severity == "error"


def test_every_code_stands_in_the_source() -> None:
    """A row that nothing yields any more is removed."""
    sources = "".join(
        file.read_text(encoding="utf-8")
        for room in ("schema", "codegen", "blox")
        for file in (ROOT / room).rglob("*.py")
        if file.parent.name != "codes"
    )
    assert [code for code in CODES if f'"{code}"' not in sources] == []


def test_the_page_lists_them_all() -> None:
    page = (ROOT / "docs" / "diagnostics.md").read_text(encoding="utf-8")
    assert page == text(), "is stale; run python -m blox.dev.regenerate"
    for code in CODES:
        assert f"| `{code}` |" in page
