"""Opening files of a folder that a stranger may have made."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from blox.schema.diagnostics import Diagnostic, WeightsError, quote

MAX_JSON_BYTES = 100_000_000
"""Headers and indexes above this are refused, as safetensors itself does."""

MAX_NAME = 255

_OPEN = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)  # a FIFO must not block us
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Which file, in which state: tells whether a file changed between two opens."""

    device: int
    inode: int
    size: int
    modified: int

    @classmethod
    def of(cls, status: os.stat_result) -> Identity:
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def refuse(code: str, path: str, message: str, hint: str = "") -> NoReturn:
    """Raise one `WeightsError` of one line."""
    raise WeightsError(Diagnostic(code, path, message, hint))


def shown(path: Path | str) -> str:
    """The last part of `path` as it may stand in a message."""
    name = path if isinstance(path, str) else path.name or str(path)
    return name if name.isascii() and name.isprintable() else quote(name)


def open_regular(path: Path) -> int:
    """A descriptor of the regular file `path`, read-only.

    Raises:
        WeightsError: missing or unreadable, or a folder, FIFO, device or socket; those
            are recognised before they are opened, because opening may block or act.
    """
    descriptor = -1
    try:
        status = os.stat(path)
        if stat.S_ISREG(status.st_mode):
            descriptor = os.open(path, _OPEN)
            status = os.fstat(descriptor)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a valid path"
        refuse("weights-file", shown(path), f"can't be read: {reason}")
    if not stat.S_ISREG(status.st_mode):
        if descriptor >= 0:
            os.close(descriptor)
        kind = _kind(status.st_mode)
        refuse("weights-file", shown(path), f"expected a regular file, found {kind}")
    return descriptor


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a FIFO",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "something else")


def read_small(path: Path, limit: int = MAX_JSON_BYTES) -> bytes:
    """All bytes of the regular file `path`, at most `limit` of them."""
    descriptor = open_regular(path)
    with open(descriptor, "rb") as file:
        size = os.fstat(descriptor).st_size
        if size > limit:
            refuse(
                "weights-size",
                shown(path),
                f"expected at most {limit} bytes, found {size}",
            )
        return file.read(size)  # not `limit`: that would be allocated


def plain_name(name: str) -> bool:
    """True for a name that means one file of a folder, on every system."""
    return (
        0 < len(name) <= MAX_NAME
        and name.isprintable()
        and not set('/\\:*?"<>|') & set(name)
        and name not in (".", "..")
    )


def contained(folder: Path, name: str) -> Path:
    """`folder / name`, if what it resolves to belongs to the folder.

    A link may point inside the folder. One link out is known and allowed: the Hub cache
    keeps `snapshots/<revision>/name` as a link into `blobs/` of the same repository.

    Raises:
        WeightsError: not a plain name, a link elsewhere, missing, not a regular file.
    """
    if not plain_name(name):
        refuse(
            "weights-name",
            shown(folder),
            f"expected a plain file name, found {quote(name)}",
        )
    path = folder / name
    try:
        real, root = path.resolve(strict=True), folder.resolve(strict=True)
        status = real.stat()
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        reason = getattr(error, "strerror", None) or "a loop of links"
        refuse("weights-file", shown(name), f"can't be read: {reason}")
    if not (real.is_relative_to(root) or _is_hub_blob(real, root)):
        refuse(
            "weights-link",
            shown(name),
            "expected a file inside the model's folder, found a link out of it",
            "put the file itself there",
        )
    if not stat.S_ISREG(status.st_mode):
        kind = _kind(status.st_mode)
        refuse("weights-file", shown(name), f"expected a regular file, found {kind}")
    return path


def _is_hub_blob(real: Path, root: Path) -> bool:
    for revision in (root, *root.parents):
        if revision.parent.name == "snapshots":
            return real.parent == revision.parent.parent / "blobs"
    return False
