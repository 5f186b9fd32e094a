"""JSON files of a folder: untrusted, read strictly."""

from __future__ import annotations

import json
from typing import Any

from blox.schema.diagnostics import Diagnostic, SpecError
from blox.schema.parse.reader import read_plain
from blox.weights.files import shown
from blox.weights.folder import Folder

CONFIG = "config.json"
_MAX_BYTES = 4 * 2**20


def read_json(folder: Folder, name: str) -> Any:
    """The plain data of the file `name` of a folder, None if there is none.

    Raises:
        SpecError: not sound JSON. WeightsError: not a regular file of the folder.
    """
    source = folder.open(name)
    if source is None:
        return None
    try:
        return read_plain(source.read(_MAX_BYTES))
    except SpecError as error:
        raise SpecError(
            Diagnostic(d.code, shown(name), d.message, d.hint)
            for d in error.diagnostics
        ) from None


def read_config(folder: Folder) -> dict[str, Any]:
    """The data of the `config.json` of a folder.

    Raises:
        SpecError: none, or not sound JSON. WeightsError: not a regular file of the folder.
    """
    raw = read_json(folder, CONFIG)
    if isinstance(raw, dict):
        return raw
    found = "found none" if raw is None else "found something else"
    message = f"expected a JSON object, {found}"
    hint = "give the folder that save_pretrained of transformers wrote"
    raise SpecError(Diagnostic("hf-config", CONFIG, message, hint))


def json_bytes(data: Any) -> bytes:
    """The bytes that `read_json` reads; equal data give equal bytes."""
    return (json.dumps(data, indent=2, ensure_ascii=True) + "\n").encode()
