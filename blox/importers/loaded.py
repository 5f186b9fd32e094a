"""`bx.load_origin`: the origin that lies beside a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

from blox.io import hub
from blox.io.load import load
from blox.io.spec import (
    PathLike,
    is_single,
    is_spec,
    parse_spec,
    require_folder,
    spec_faults,
    spec_of_folder,
)
from blox.mapping.public import unmap_params
from blox.schema import Graph, SpecError
from blox.schema.parse.reader import MAX_BYTES
from blox.weights.files import shown
from blox.weights.folder import Folder, read_folder

from .origin import Origin
from .sidecar import parse


def load_origin(path: PathLike) -> Origin:
    """Where the model at `path` came from, as `bx.save(..., origin=origin)` wrote it.

        bx.load_origin("model").export(trained, like=make_model())

    It is data, and knows nothing of code: no module of the source is named or imported.

    Args:
        path: a model folder, or `hf://owner/name[@revision]`.

    Raises:
        SpecError: no origin beside the model, or one that is not sound.
        WeightsError: one of a model with other arrays.
    """
    place = hub.local(path)
    if is_single(place) or is_spec(place):
        _none(place, "expected a model folder, found a single file")
    with spec_faults(place):
        require_folder(place)

    def read(folder: Folder) -> tuple[Graph, bytes]:
        with spec_faults(place):
            graph = parse_spec(spec_of_folder(folder))
            hub.with_origin(path, place)
            file = folder.open(hub.ORIGIN)
            if file is None:
                _none(place, f"expected {hub.ORIGIN} in the folder, found none")
            return graph, file.read(MAX_BYTES)

    graph, data = read_folder(place, read)
    table = parse(data, graph)
    constants: dict[str, Any] = {}
    if table.constants:
        stored, params = load(hub.with_weights(path, place))
        if stored.digest != graph.digest:
            _none(place, "expected one model, found another a moment later")
        arrays = unmap_params(graph, params, table.rules)
        constants = {name: arrays[name] for name in table.constants}
    return Origin(
        graph,
        tuple(table.rules),
        constants,
        table.report,
        specs=table.specs,
        places=table.places,
    )


def _none(place: Path, message: str) -> NoReturn:
    hint = "bx.save(folder, graph, params, origin=origin) writes it"
    raise SpecError.one("import-origin", shown(place), message, hint)
