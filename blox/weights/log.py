"""The log of a save that replaces several files.

`commit` explains the scheme and writes the log, `folder` reads a folder by it; here only
`complete` writes. A log is believed only if a save could have left it: its names are of
the closed set (`names`), and the temporaries that it lists are regular files of the
sizes that it says.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from .faults import typed_faults
from .files import Source, local_path, refuse, shown, status_of
from .json_text import strict_json
from .lock import locked
from .names import KINDS, ModelFiles

LOG = ".blox-commit.json"
LOG_FORMAT = "commit/1"
MAX_LOG_BYTES = 16_000_000
"""A shard's name takes 60 bytes to write and 40 to remove."""


class Log(NamedTuple):
    """What a committed save still has to do in its folder.

    Attributes:
        token: of the names of its temporaries.
        write: names in the order of their renames, with the size of each.
        remove: names of the older model.
        kind: the closed set that all of them are of.
    """

    token: str
    write: dict[str, int]
    remove: frozenset[str]
    kind: ModelFiles

    def temporary(self, name: str) -> str:
        return temporary_name(self.token, name)


def temporary_name(token: str, name: str) -> str:
    """Of the new file beside the old ones; folders have none of their own."""
    return f".blox-{token}.{name.replace('/', '.')}"


def read_log(folder: Path) -> Log | None:
    """The log of an unfinished committed save in `folder`, None without one.

    Raises:
        WeightsError: a log that no save wrote.
    """
    path = folder / LOG
    status = status_of(path)
    if status is None:
        return None
    if not stat.S_ISREG(status.st_mode):
        _refuse_log("no regular file")
    try:
        source = Source(path)
    except ValueError:
        if status_of(path) is None:  # a save has finished meanwhile
            return None
        raise
    log = _parsed(strict_json(source.read(MAX_LOG_BYTES), path))
    left = False
    for name, size in log.write.items():
        file = status_of(folder / log.temporary(name))
        if file is None:  # renamed already
            continue
        if not stat.S_ISREG(file.st_mode) or file.st_size != size:
            _refuse_log("files that are not those of the save that it names")
        left = True
    return log if left else None


def _parsed(raw: dict[str, Any]) -> Log:
    if set(raw) != {"blox", "token", "write", "remove"} or raw["blox"] != LOG_FORMAT:
        _refuse_log()
    token, write, remove = raw["token"], raw["write"], raw["remove"]
    if not (isinstance(token, str) and re.fullmatch("[0-9a-f]{16}", token)):
        _refuse_log()
    if not isinstance(write, dict) or not isinstance(remove, list):
        _refuse_log()
    if not all(type(size) is int and size >= 0 for size in write.values()):
        _refuse_log()
    for kind in KINDS.values():
        if all(kind.writes(name) for name in write) and all(
            isinstance(name, str) and kind.removes(name) and name not in write
            for name in remove
        ):
            return Log(token, write, frozenset(remove), kind)
    _refuse_log("names that no save writes")


def _refuse_log(found: str = "something else") -> NoReturn:
    hint = "remove it if no save was interrupted here"
    refuse("weights-log", LOG, f"expected the log of a save, found {found}", hint)


def finish(folder: str | os.PathLike[str]) -> bool:
    """Complete a committed save that was interrupted; True if there was one.

    It waits for a save that is at work there.

    Raises:
        WeightsError: a log that no save wrote, or what stands in the way; nothing is
            touched then.
    """
    place = local_path(folder)
    with typed_faults(place, "weights-write", "written"), locked(place):
        return complete(place)


def complete(folder: Path) -> bool:
    """As `finish`, for who holds the folder's lock."""
    log = read_log(folder)
    if log is not None:
        for name in (*log.write, *log.remove):
            check_target(folder, name)
        for name in log.remove:
            (folder / name).unlink(missing_ok=True)
        inner = {(folder / name).parent for name in log.write} - {folder}
        for parent in inner:
            parent.mkdir(exist_ok=True)
        for name in log.write:
            # Absent: renamed before the interruption.
            with contextlib.suppress(FileNotFoundError):
                os.replace(folder / log.temporary(name), folder / name)
        # The log may go only once what it stands for is on the disk.
        for parent in (*inner, folder):
            sync_folder(parent)
    if os.path.lexists(folder / LOG):
        (folder / LOG).unlink()
        sync_folder(folder)
    return log is not None


def check_target(folder: Path, name: str) -> None:
    """Refuse what stands in the place of a model's file, but is neither file nor link."""
    path = folder / name
    if path.parent != folder:
        check_inner(path.parent)
    status = status_of(path)
    if status and not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
        found = "a folder" if stat.S_ISDIR(status.st_mode) else "something else"
        wanted = f"expected a regular file to replace, found {found}"
        refuse("weights-file", shown(name), wanted, "move it away")


def check_inner(parent: Path) -> None:
    """Refuse what stands where a model has a folder, but is a link, or a file."""
    status = status_of(parent)
    if status is not None and not stat.S_ISDIR(status.st_mode):
        wanted = "expected a folder of the model, found something else"
        refuse("weights-file", shown(parent), wanted, "move it away")


def sync_folder(folder: Path) -> None:
    """Bring the folder's entries (creations, renames) to the disk."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
