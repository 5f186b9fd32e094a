"""The page: a template, a style, a script, the layout library, and the data."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2

from blox.schema import Graph, SpecError
from blox.schema.frozen import EMPTY

from .content import content

MARK = '<meta name="generator" content="blox show">'
"""Stands at the beginning of each page: such a file may be replaced by another."""
HEIGHT = 640
"""Of the page in a notebook, in pixels."""


def page(
    graph: Graph,
    dtypes: Mapping[str, str] = EMPTY,
    dims: Mapping[str, int] = EMPTY,
) -> str:
    """One page of HTML that shows a Graph and needs nothing beside it.

    The same Graph gives the same text. A page loads nothing and runs its own two
    scripts only, which its policy names by their hashes; what a file holds is data to
    them, and reaches the page as text.

    Args:
        graph: the Graph.
        dtypes: those of arrays by graph path, as headers of weights say them; without
            them the model's floating type counts as float32.
        dims: sizes to show and to count FLOPs at; others stay names.

    Raises:
        SpecError: the Graph is not sound.
        ModelError: dims that no entry has, or that are out of bounds.
    """
    return _rendered(content(graph, dtypes, dims))


def is_page(data: bytes) -> bool:
    """True for the beginning of a file that is such a page."""
    return MARK.encode() in data[:512]


def notebook_html(graph: Graph) -> str:
    """A Graph in a notebook: a line, and the page in a frame that reaches nothing else."""
    line = f"<p>{html.escape(repr(graph))}</p>"
    try:
        framed = html.escape(page(graph), quote=True)
    except SpecError as error:
        return f"{line}<pre>{html.escape(str(error))}</pre>"
    return (
        f"{line}"
        f'<iframe sandbox="allow-scripts" title="{html.escape(graph.name)}" '
        f'style="width: 100%; height: {HEIGHT}px; border: 0" '
        f'srcdoc="{framed}"></iframe>'
    )


def _rendered(data: dict[str, Any]) -> str:
    style, script, library = _asset("page.css"), _asset("page.js"), _library()
    return _template().render(
        mark=MARK,
        name=data["name"],
        style=style,
        style_hash=_hash(style),
        library=library,
        script=script,
        script_hashes=[_hash(library), _hash(script)],
        license=_file("dagre/LICENSE").strip(),
        data=embedded(data),
    )


def embedded(data: Any) -> str:
    """JSON within a `<script>` of HTML: nothing in it ends that, or is seen as markup."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(text: str) -> str:
    """As a Content-Security-Policy has it."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )
    return environment.from_string(_file("assets/page.html.jinja"))


@cache
def _file(name: str) -> str:
    place = files(__name__.rpartition(".")[0]).joinpath(name)
    return place.read_text(encoding="utf-8").replace("\r\n", "\n")


def _asset(name: str) -> str:
    return "\n" + _file(f"assets/{name}")


def _library() -> str:
    """dagre, less the comments that point to files beside it."""
    return "\n" + re.sub(r"(?m)^(//#|/\*!).*$\n?", "", _file("dagre/dagre.min.js"))
