"""Names: ASCII identifiers that shadow nothing where a generated file needs that."""

from __future__ import annotations

import ast
import builtins
import keyword
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

import blox
from blox.codegen.allowlist import BASE
from blox.codegen.library.allowed import Allowed, imports_of
from blox.schema.names import (
    BUILTINS,
    GENERATED,
    MAX_NAME,
    RESERVED,
    Name,
    PublicName,
    is_name,
)

OPS = Path(blox.__file__).parent / "ops"

NAMES: TypeAdapter[str] = TypeAdapter(Name)
PUBLIC: TypeAdapter[str] = TypeAdapter(PublicName)

GOOD = ["a", "A", "x1", "ln_1", "h", "Wte", "a_b_c", "match", "case", "a" * MAX_NAME]
BAD: list[Any] = [
    "", "_", "_a", "a_", "relu_", "__class__", "1a", "a-b", "a.b", "a b", " a", "a ",
    "a\n", "\na", "a\r", "a\x00", "a\x1b[31m", 'a"', "a'", "a\\", "{{a}}", "{%a%}",
    "a{b}", "$a", "a:b", "a/b", "../a", "C:a", "a" * (MAX_NAME + 1), "\u00e9",
    "\u0430", "\uff41", "\u00aa", "a\u0301", "a\u200b", "a\u202e", "\u2163", "a\u0660",
    "if", "class", "lambda", "None", "True", "import", "async", 1, 1.0, True, None,
    [], {},
]  # fmt: skip


@pytest.mark.parametrize("text", GOOD)
def test_good_names(text: str) -> None:
    assert NAMES.validate_python(text) == text
    assert is_name(text)


@pytest.mark.parametrize("text", BAD, ids=ascii)
def test_bad_names(text: Any) -> None:
    for adapter in (NAMES, PUBLIC):
        with pytest.raises(ValidationError):
            adapter.validate_python(text)
    assert not isinstance(text, str) or not is_name(text)


@pytest.mark.parametrize("text", sorted(BUILTINS | GENERATED))
def test_public_names_shadow_nothing(text: str) -> None:
    with pytest.raises(ValidationError, match="shadows no"):
        PUBLIC.validate_python(text)


def test_the_frozen_builtins_are_those_of_this_python() -> None:
    ours = {n for n in dir(builtins) if is_name(n)}
    assert ours - BUILTINS <= {"aiter", "anext", "copyright", "credits"}


@given(st.text(max_size=70))
def test_a_name_is_an_identifier(text: str) -> None:
    if is_name(text):
        assert text.isidentifier()
        assert text.isascii()
        assert not keyword.iskeyword(text)
        assert f"{text}_".isidentifier()
        assert not is_name(f"{text}_")  # so that a generated `relu_` can't collide


def test_what_every_file_speaks_of_is_reserved() -> None:
    """A node of such a name would hide it, a function of such a name take its place."""
    sources = [ast.parse(file.read_text("utf-8")) for file in OPS.glob("*.py")]
    tail = ast.parse((OPS / "tail.py").read_text("utf-8"))
    spoken_of = Allowed.of([tail], imports_of(tail))
    builtin = Allowed.of(sources, {}).builtins
    names = {*spoken_of.imports, *builtin, *BASE.imports, *BASE.builtins}
    assert {n for n in names if is_name(n)} <= RESERVED
