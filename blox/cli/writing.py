"""One file, written whole or not at all, and never over what is somebody's own."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from blox.cli.output import fail

Target = Annotated[
    str,
    typer.Argument(
        metavar="DST",
        help="The model folder to write, or one .safetensors file.",
        show_default=False,
    ),
]


def write_atomically(path: Path, data: bytes) -> None:
    """Writes beside `path`, syncs, renames: at any moment the old file or the new one.

    The old file's permissions are kept. A link is replaced, not what it points to.
    """
    try:
        mode = stat.S_IMODE(path.lstat().st_mode) if not path.is_symlink() else None
    except FileNotFoundError:
        mode = None
    handle, name = tempfile.mkstemp(prefix=".blox-", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(_default_mode() if mode is None else mode)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _default_mode() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def keep_apart(target: Path, patterns: tuple[str, ...], force: bool) -> None:
    """Ends the command where `target` holds files that it would replace.

    Args:
        target: a folder, or a file, that is to be written.
        patterns: of the names in the folder that belong to a model.
        force: they may be replaced.
    """
    if force:
        return
    from blox.weights.log import LOG  # of a save that was interrupted: a model, too

    found = []
    if target.is_dir():
        found = sorted(
            {p.name for pattern in (*patterns, LOG) for p in target.glob(pattern)}
        )
    elif os.path.lexists(target):
        found = [target.name]
    if found:
        fail(
            f"{target}: expected a new place, found {found[0]}; choose another, or "
            "replace it with --force"
        )
