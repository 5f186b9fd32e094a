"""docs/ops: every op is there, what it says is so, and its text is inert."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from docs.pages import ROOT, blocks, prose
from pydantic import TypeAdapter

from blox.dev import markdown
from blox.dev import op_docs as reference
from blox.ops.symbolic import symbolic
from blox.schema import op_class, op_names
from blox.schema.initializers import Initializer
from blox.schema.op import Op, ParamOp
from blox.schema.ops.index import FAMILIES
from blox.schema.registry import definition

FOLDER = ROOT / "docs" / "ops"
INDEX = (FOLDER / "index.md").read_text(encoding="utf-8")
PAGES = {f: (FOLDER / f"{f}.md").read_text(encoding="utf-8") for f in FAMILIES}
PAGE = "\n".join(PAGES.values())
STALE = "is stale; run python -m blox.dev.regenerate"
OWNERS = [n for n in op_names() if issubclass(op_class(n) or Op, ParamOp)]


def test_it_is_fresh() -> None:
    assert reference.index_text() == INDEX, STALE
    for family, page in PAGES.items():
        assert reference.family_text(family) == page, STALE


def test_every_op_has_a_section_and_a_link() -> None:
    assert re.findall(r"^## (\S+)$", PAGE, re.MULTILINE) == list(op_names())
    for family, keys in FAMILIES.items():
        for key in keys:
            assert f"[{key}]({family}.md#{key.replace('@', '')})" in INDEX


def test_the_python_in_it_is_python() -> None:
    for family, page in PAGES.items():
        for block in blocks(page):
            if block.kind == "python":
                compile(block.text, f"{family}.md:{block.line}", "exec")


def test_each_op_shows_the_function_or_says_what_it_is() -> None:
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    for section in sections:
        name = section.splitlines()[0]
        shown = re.search(rf"def {python_name(name)}_?\(|is `(jax|jnp)\.\w", section)
        assert shown or name in (*FAMILIES["control"], *FAMILIES["loops"])


def python_name(key: str) -> str:
    found = definition(key)
    assert found is not None
    return found.python_name


@pytest.mark.parametrize("name", OWNERS)
def test_shapes_of_symbols_are_the_shapes_of_numbers(name: str) -> None:
    """The table says `in_features // groups` where the class divides."""
    cls = op_class(name)
    assert cls is not None
    sizes: dict[str, Any] = {
        field: [2 + i, 4] if field in cls.fields().lists else 6 + 3 * i
        for i, field in enumerate(cls.fields().minima)
    }
    real = cls.unchecked(**sizes, **dict.fromkeys(cls.fields().texts, "")).parameters()
    shown = symbolic(cls).parameters()
    assert shown.keys() == real.keys()
    for array, leaf in shown.items():
        text = reference.shape(leaf)
        code = re.sub(r"(\w+)\.\.\.", r"*\1", text.removesuffix(")") + ",)")
        arrays = {n: np.array(size) for n, size in sizes.items()}
        known = {"prod": np.prod, **arrays}
        found = eval(code.replace(",,", ",").replace("(,)", "()"), known)
        assert found == real[array].shape, text


@pytest.mark.parametrize(
    ("doc", "shown"),
    [
        ("a * b, `a * b`", "a \\* b, `a * b`\n"),
        ("_x_ and in_features", "\\_x\\_ and in_features\n"),
        ("<b>[x](y)</b>", "\\<b>\\[x\\](y)\\</b>\n"),
        ("one `tick", "one \\`tick\n"),
        ("- no\n  list\n\n# no heading", "\\- no list\n\n\\# no heading\n"),
        ("1. no list", "\\1. no list\n"),
        ("``a`b`` c*", "``a`b`` c\\*\n"),
    ],
)
def test_text_is_escaped_outside_of_code(doc: str, shown: str) -> None:
    assert markdown.prose(doc) == shown


def test_no_html_comes_through() -> None:
    for line in prose(PAGE).splitlines():
        assert not re.search(r"(?<!\\)<\w", re.sub(r"`[^`]*`", "", line)), line


def test_initialisers_are_data_that_a_node_may_have() -> None:
    """The texts under `starts as` can be copied into `init`."""
    found = re.findall(r"^\| `(\w+)`.* \| param \| `(\{.*\})` \|$", PAGE, re.MULTILINE)
    assert len(found) >= 8
    adapter: TypeAdapter[object] = TypeAdapter(Initializer)
    for _, data in found:
        adapter.validate_json(data)


def test_functions_of_control_ops_are_as_declared() -> None:
    page = PAGES["control"] + PAGES["loops"]
    for row in (
        "| `else` | `node.else` | `inputs` |",
        "| `branches.1` | `node.branch_1` | `inputs` |",
        "| `cond` | `node.cond` | `carry`, `inputs`, `index` | one value |",
        "| `function` | the node: `count` copies, stacked | `carry`, `xs`,",
        "| `function` | the node: `count` copies, a list | `carry`, `xs`,",
    ):
        assert row in page
