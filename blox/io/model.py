"""A model at a path as one save left it: its Graph and headers, before any array."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from blox.schema import Graph, SpecError, WeightsError
from blox.schema.diagnostics import Diagnostic
from blox.weights import Headers
from blox.weights.faults import typed_faults
from blox.weights.files import CHANGED, Source, shown
from blox.weights.folder import Folder, read_folder
from blox.weights.reading import headers_of, headers_of_file

from . import hub
from .spec import (
    PathLike,
    graph_of_metadata,
    is_single,
    is_spec,
    parse_spec,
    require_folder,
    spec_faults,
    spec_of_folder,
)

if TYPE_CHECKING:
    from .examples import Stored

T = TypeVar("T")
_ATTEMPTS = 20


class Model(NamedTuple):
    """All of a model but the arrays.

    Attributes:
        graph: sound.
        headers: of the weights, not yet held against the Graph.
        examples: their headers and what they say, None without any.
        notes: warnings about the folder.
    """

    graph: Graph
    headers: Headers
    examples: tuple[Headers, list[Stored]] | None = None
    notes: Sequence[Diagnostic] = ()


def read_model(path: PathLike, *, examples: bool = False) -> Model:
    """The model at `path`, all of it of one save; no array is read.

    Args:
        path: a model folder, a single `.safetensors` file, or
            `hf://owner/name[@revision]`.
        examples: read what the model's examples say, too.

    Raises:
        SpecError: all faults of the Graph. WeightsError: no weights, or unsound ones.
    """
    place = hub.local(path)
    if is_spec(place):
        hint = "give the folder that it is in; bx.load_graph(path) reads it alone"
        wanted = "expected a model folder or a single file, found a Graph alone"
        raise SpecError.one("file-model", shown(place), wanted, hint)
    if is_single(place):
        with spec_faults(place):
            headers = headers_of_file(Source(place))
            data = graph_of_metadata(place, headers)
        return Model(_sound({place.name: data}), headers)
    with spec_faults(place):
        require_folder(place)

    def read(folder: Folder) -> Model:
        with spec_faults(place):
            files = spec_of_folder(folder)
        graph = _sound(files)
        hub.with_weights(path, place)
        with typed_faults(place):
            headers = headers_of(folder)
            stored = _examples(folder, graph) if examples else None
        return Model(graph, headers, stored, folder.pending())

    return read_folder(place, read)


def _examples(folder: Folder, graph: Graph) -> tuple[Headers, list[Stored]] | None:
    from .examples import EXAMPLES, read_examples  # not for every load

    file = folder.open(EXAMPLES)
    return None if file is None else read_examples(file, graph)


def _sound(files: dict[str, bytes]) -> Graph:
    graph = parse_spec(files)
    graph.program()
    return graph


def again_if_changed(path: PathLike, use: Callable[[], T]) -> T:
    """`use`, repeated while a save replaces files between their headers and their data.

    The files of a model of a few shards stay open between the two; of many they can't.
    """
    for left in reversed(range(_ATTEMPTS)):
        try:
            with typed_faults(Path(path)):
                return use()
        except WeightsError as error:
            if not left or error.diagnostics[0].code != CHANGED:
                raise
    raise AssertionError("unreachable")
