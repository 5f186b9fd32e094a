"""The log of a save that replaces several files, and files as the log says they are.

`commit` explains the scheme and writes the log; here only `finish` writes.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from .files import contained, plain_name, read_small, refuse
from .header import strict_json

LOG = ".blox-commit.json"
LOG_FORMAT = "commit/1"
_MAX_LOG_BYTES = 10_000_000
TEMPORARY = re.compile(r"\.blox-[0-9a-f]{16}\..+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Log:
    """What a committed save still has to do in its folder."""

    token: str
    write: dict[str, None]
    """Names, in the order of their renames."""
    remove: frozenset[str]

    def temporary(self, name: str) -> str:
        return f".blox-{self.token}.{name}"


def read_log(folder: Path) -> Log | None:
    """The log of an unfinished committed save in `folder`, None without one.

    Raises:
        WeightsError: a log that no save wrote.
    """
    path = folder / LOG
    if not os.path.lexists(path):
        return None
    raw = strict_json(read_small(contained(folder, LOG), _MAX_LOG_BYTES), path)
    token, write, remove = raw.get("token"), raw.get("write"), raw.get("remove")
    sound = (
        set(raw) == {"blox", "token", "write", "remove"}
        and raw["blox"] == LOG_FORMAT
        and isinstance(token, str)
        and re.fullmatch("[0-9a-f]{16}", token)
        and _names(write)
        and _names(remove)
        and set(raw["write"]).isdisjoint(raw["remove"])
    )
    if not sound:
        hint = "remove it if no save was interrupted here"
        found = "something else"
        refuse("weights-log", LOG, f"expected the log of a save, found {found}", hint)
    log = Log(raw["token"], dict.fromkeys(raw["write"]), frozenset(raw["remove"]))
    if any(os.path.lexists(folder / log.temporary(name)) for name in log.write):
        return log
    return None


def _names(raw: object) -> bool:
    return isinstance(raw, list) and all(
        isinstance(name, str) and plain_name(name) and not name.startswith(".blox-")
        for name in raw
    )


def locate(folder: Path, name: str) -> Path | None:
    """The file that is `name` of the model in `folder` now; None if there is none.

    Use it, not `folder / name`, for every file of a model (`graph.json` too): only then
    a save that was interrupted after its commit is seen as complete.

    Raises:
        WeightsError: not a plain name, not a regular file, a link out of the folder.
    """
    return resolve(folder, name, read_log(folder))


def resolve(folder: Path, name: str, log: Log | None) -> Path | None:
    """`locate` by a log that was read before."""
    if log is not None and name in log.write:
        temporary = log.temporary(name)
        if os.path.lexists(folder / temporary):
            return contained(folder, temporary)
    elif log is not None and name in log.remove:
        return None
    if plain_name(name) and not os.path.lexists(folder / name):
        return None
    return contained(folder, name)


def finish(folder: Path) -> bool:
    """Complete a committed save that was interrupted; True if there was one."""
    log = read_log(folder)
    if log is not None:
        for name in log.remove:
            (folder / name).unlink(missing_ok=True)
        for name in log.write:
            # Absent: renamed before the interruption.
            with contextlib.suppress(FileNotFoundError):
                os.replace(folder / log.temporary(name), folder / name)
        # The log may go only once what it stands for is on the disk.
        sync_folder(folder)
    if os.path.lexists(folder / LOG):
        (folder / LOG).unlink()
        sync_folder(folder)
    return log is not None


def sync_folder(folder: Path) -> None:
    """Bring the folder's entries (creations, renames) to the disk."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
