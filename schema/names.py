"""Names of a Graph: ASCII identifiers that a generated file can use as they are."""

from __future__ import annotations

import keyword
import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

MAX_NAME = 64
NAME = r"[A-Za-z](?:[A-Za-z0-9_]*[A-Za-z0-9])?"
PATH = re.compile(rf"\.|{NAME}(?:\.{NAME})*")

# Frozen text instead of `dir(builtins)`, so that a file is valid under every Python.
BUILTINS = frozenset(
    """
    abs aiter all anext any ascii bin bool breakpoint bytearray bytes callable chr
    classmethod compile complex copyright credits delattr dict dir divmod enumerate
    eval exec exit filter float format frozenset getattr globals hasattr hash help hex
    id input int isinstance issubclass iter len license list locals map max memoryview
    min next object oct open ord pow print property quit range repr reversed round set
    setattr slice sorted staticmethod str sum super tuple type vars zip
    """.split()
)
# What a generated file imports or defines, and the arguments that its functions have.
GENERATED = frozenset(
    """
    jax jnp np lax math zlib numpy safetensors typing pathlib Any Array Callable Path
    Params State annotations partial reduce load_file init_params load_params merge fold_in
    params state train dtype self blox nest listed kept SHAPES STACKED INIT
    DTYPES ARRAYS
    """.split()
)
RESERVED = BUILTINS | GENERATED


def is_name(text: str) -> bool:
    return (
        len(text) <= MAX_NAME
        and re.fullmatch(NAME, text) is not None
        and not keyword.iskeyword(text)
    )


def _not_keyword(text: str) -> str:
    if keyword.iskeyword(text):
        raise PydanticCustomError(
            "name", "expected a name, found a Python keyword; choose another name"
        )
    return text


def _not_reserved(text: str) -> str:
    if text in RESERVED:
        raise PydanticCustomError(
            "reserved_name",
            "expected a name that shadows nothing, found a Python builtin, a module or "
            "a name that generated files define; choose another name",
        )
    return text


Name = Annotated[
    str,
    StringConstraints(pattern=f"^{NAME}$", max_length=MAX_NAME),
    AfterValidator(_not_keyword),
]
"""A node, a parameter or an output: letters, digits and inner underscores, ASCII."""

PublicName = Annotated[Name, AfterValidator(_not_reserved)]
"""A function, model, attribute, dim or input: a Name that shadows nothing."""
