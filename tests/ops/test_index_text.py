"""The text of `index`, such as `..., ::2, 1:`: its grammar, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from blox.schema.expressions import ExpressionError
from blox.schema.ops.indexing import Index, index_parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("0", (0,)),
        ("..., ::2, 1:, :", ("...", (None, None, 2), (1, None, None), (None,) * 3)),
        ("None,-1, :-1:-2", (None, -1, (None, -1, -2))),
        ("$n, $(n - 1) // 2 : $n", ("$n", ("$(n - 1) // 2", "$n", None))),
    ],
)
def test_index_grammar(text: str, parts: tuple[Any, ...]) -> None:
    assert index_parts(text) == parts


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            ",",
            "x",
            "1.5",
            "1:2:3:4",
            "..., ...",
            "[1]",
            "True",
            "0x1",
            "$",
            "$a.b",
        ),
        *("$f(1)", "1 2", "--1", "(1)", "٣", "9" * 19, ":" * 300, "...:1"),
    ],
)
def test_not_an_index(text: str) -> None:
    with pytest.raises(ExpressionError):
        index_parts(text)


def test_index_resolves_what_is_known() -> None:
    op = Index(op="index", x="x", at="$n - 1, 1:$time, ...")
    some = op.resolve({"n": 4}, partial=True)
    assert some.at == [3, [1, "$time", None], "..."]  # type: ignore[attr-defined]
    rest = some.resolve({"time": 7})
    assert rest.at == [3, [1, 7, None], "..."]  # type: ignore[attr-defined]
    with pytest.raises(ExpressionError, match="at: no attribute or dim is named 'n'"):
        op.resolve({})
