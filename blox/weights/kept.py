"""Files of a checkpoint that stay as they are: tokenizer, processor, settings."""

from __future__ import annotations

from pathlib import Path

from .folder import Folder, read_folder
from .names import KEPT

_MOST = 256 << 20


def kept_files(path: Path) -> dict[str, bytes]:
    """Those of a folder by name, read whole.

    Raises:
        WeightsError: one that is no regular file of the folder, or too large.
    """

    def read(folder: Folder) -> dict[str, bytes]:
        found = {}
        for name in KEPT:
            source = folder.open(name)
            if source is not None:
                found[name] = source.read(_MOST)
        return found

    return read_folder(path, read)
