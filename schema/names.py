"""Names of a Graph: ASCII identifiers that a generated file can use as they are."""

from __future__ import annotations

import keyword
import re
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

MAX_NAME = 64
NAME = r"[A-Za-z](?:[A-Za-z0-9_]*[A-Za-z0-9])?"
_NAME = re.compile(NAME)
PLACE = rf"{NAME}(?:\.(?:{NAME}|0|[1-9][0-9]{{0,8}}))*"
"""The path of parameters: names, and behind a name numbers, which count the parts of a list."""
PATH = re.compile(rf"\.|{PLACE}")

# Frozen text instead of `dir(builtins)`, so that a file is valid under every Python.
BUILTINS = frozenset(
    """
    abs aiter all anext any ascii bin bool breakpoint bytearray bytes callable chr
    classmethod compile complex copyright credits delattr dict dir divmod enumerate
    eval exec exit filter float format frozenset getattr globals hasattr hash help hex
    id input int isinstance issubclass iter len license list locals map max memoryview
    min next object oct open ord pow print property quit range repr reversed round set
    setattr slice sorted staticmethod str sum super tuple type vars zip
    ArithmeticError AssertionError AttributeError BaseException BaseExceptionGroup
    BlockingIOError BrokenPipeError BufferError BytesWarning ChildProcessError
    ConnectionAbortedError ConnectionError ConnectionRefusedError ConnectionResetError
    DeprecationWarning EOFError Ellipsis EncodingWarning EnvironmentError Exception
    ExceptionGroup FileExistsError FileNotFoundError FloatingPointError FutureWarning
    GeneratorExit IOError ImportError ImportWarning IndentationError IndexError
    InterruptedError IsADirectoryError KeyError KeyboardInterrupt LookupError
    MemoryError ModuleNotFoundError NameError NotADirectoryError NotImplemented
    NotImplementedError OSError OverflowError PendingDeprecationWarning PermissionError
    ProcessLookupError PythonFinalizationError RecursionError ReferenceError
    ResourceWarning RuntimeError RuntimeWarning StopAsyncIteration StopIteration
    SyntaxError SyntaxWarning SystemError SystemExit TabError TimeoutError TypeError
    UnboundLocalError UnicodeDecodeError UnicodeEncodeError UnicodeError
    UnicodeTranslateError UnicodeWarning UserWarning ValueError Warning WindowsError
    ZeroDivisionError
    """.split()  # noqa: SIM905
)
# What a generated file imports or defines, and the arguments that its functions have.
GENERATED = frozenset(
    """
    jax jnp np lax math re zlib numpy safetensors typing pathlib Any Array Callable Path
    Literal Sequence inf nan
    Params State annotations partial reduce json load_file safe_open init_params
    load_params merge max_dim min_dim
    fold_in params state train dtype self blox nest listed kept SHAPES STACKED INIT
    DTYPES ARRAYS crc32 canonicalize_dtype
    """.split()  # noqa: SIM905
)
RESERVED = BUILTINS | GENERATED


def is_name(text: str) -> bool:
    return (
        len(text) <= MAX_NAME
        and _NAME.fullmatch(text) is not None
        and not keyword.iskeyword(text)
    )


def name_of(text: str) -> str:
    """The name that is nearest to a text: `a_b` of `a b`."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", text)[:MAX_NAME].strip("_") or "x"
    plain = plain if plain[0].isalpha() else f"x_{plain}"[:MAX_NAME].strip("_")
    return f"{plain}_1" if keyword.iskeyword(plain) else plain


def _name(value: Any) -> Any:
    if not isinstance(value, str):
        raise PydanticCustomError("name", "expected a name")
    if len(value) > MAX_NAME:
        raise PydanticCustomError("name", "expected a name of at most 64 characters")
    if not _NAME.fullmatch(value):
        raise PydanticCustomError(
            "name",
            "expected a name of ASCII letters, digits and inner underscores that "
            "begins with a letter",
        )
    if keyword.iskeyword(value):
        raise PydanticCustomError("name", "expected a name, which no Python keyword is")
    return value


def _public_name(value: Any) -> Any:
    if _name(value) in RESERVED:
        raise PydanticCustomError(
            "reserved_name",
            "expected a name that shadows no Python builtin, no module and no name "
            "that generated files define",
        )
    return value


# Not `StringConstraints`: it brings in all of pydantic.types, a tenth of a validation.
_SCHEMA = WithJsonSchema(
    {"type": "string", "pattern": f"^{NAME}$", "maxLength": MAX_NAME}
)

Name = Annotated[str, PlainValidator(_name), _SCHEMA]
"""A node, a parameter or an output: letters, digits and inner underscores, ASCII."""

PublicName = Annotated[str, PlainValidator(_public_name), _SCHEMA]
"""A function, model, attribute, dim or input: a Name that shadows nothing."""
