"""The parts of a file, each with a template of its own: they hold text that is ready."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import jinja2


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader(__name__.rpartition(".")[0], "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


class Part:
    """A part of a file; as text it is what its template makes of its fields."""

    TEMPLATE: ClassVar[str]

    def __str__(self) -> str:
        template = _environment().get_template(f"{self.TEMPLATE}.py.jinja")
        return template.render(vars(self)).removesuffix("\n")


@dataclass(frozen=True)
class Constants(Part):
    """The type of Params, and the constants of the file, in blocks of lines."""

    TEMPLATE = "constants"
    blocks: Sequence[str]


@dataclass(frozen=True)
class Function(Part):
    """A function of the model or of an op, and another name for it."""

    TEMPLATE = "function"
    source: str
    aliases: Sequence[str] = ()


@dataclass(frozen=True)
class Parameters(Part):
    """The tables of the arrays, with what they say of themselves."""

    TEMPLATE = "parameters"
    tables: str


@dataclass(frozen=True)
class Init(Part):
    """What draws new parameters."""

    TEMPLATE = "init"
    functions: Sequence[Function]


@dataclass(frozen=True)
class Loader(Part):
    """What reads parameters of files."""

    TEMPLATE = "loader"
    functions: Sequence[Function]


@dataclass(frozen=True)
class File(Part):
    """A whole file."""

    TEMPLATE = "module"
    docstring: str
    imports: str
    constants: Constants
    parts: Sequence[Part]
