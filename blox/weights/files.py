"""Opening files of a folder that comes from anyone."""

from __future__ import annotations

import os
import stat
from io import FileIO
from pathlib import Path
from typing import NamedTuple, NoReturn

from blox.schema.diagnostics import Diagnostic, WeightsError, quote

from .names import inner_name

MAX_JSON_BYTES = 50_000_000
"""Headers and indexes above this are refused; safetensors allows twice as much. The
largest known one, of a model of 10**12 parameters, has 16 MB."""

CHANGED = "weights-changed"
"""The code of errors that reading again may mend."""

_OPEN = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)  # a FIFO must not block us
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_ABSENT = (FileNotFoundError, NotADirectoryError)


class Identity(NamedTuple):
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


def unreadable(path: Path | str, error: Exception) -> NoReturn:
    """Refuse `path` for what the system said of it."""
    reason = getattr(error, "strerror", None) or "not a valid path"
    if isinstance(error, RuntimeError):  # of Path.resolve
        reason = "a loop of links"
    refuse("weights-file", shown(path), f"can't be read: {reason}")


def shown(path: Path | str) -> str:
    """The last part of `path` as it may stand in a message."""
    name = path if isinstance(path, str) else path.name or str(path)
    if len(name) <= 100 and name.isascii() and name.isprintable():
        return name
    return quote(name)


def local_path(path: str | os.PathLike[str]) -> Path:
    """`path`, if the system can have files of this name.

    Raises:
        WeightsError: a NUL, or characters that the file system can't encode.
    """
    try:
        fault = b"\0" in os.fsencode(path)
    except UnicodeEncodeError:
        fault = True
    if fault:
        wanted = "expected a path without NUL and lone surrogates, found one"
        refuse("weights-file", shown(Path(path)), wanted)
    return Path(path)


def status_of(path: Path) -> os.stat_result | None:
    """`os.lstat`, None if there is nothing at `path`.

    Raises:
        WeightsError: the system doesn't tell.
    """
    try:
        return os.lstat(path)
    except _ABSENT:
        return None
    except (OSError, ValueError) as error:
        unreadable(path, error)


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
        unreadable(path, error)
    if not stat.S_ISREG(status.st_mode):
        if descriptor >= 0:
            os.close(descriptor)
        require_regular(path, status)
    return descriptor


def require_regular(path: Path | str, status: os.stat_result) -> None:
    """Refuse everything but a regular file."""
    if not stat.S_ISREG(status.st_mode):
        kind = _kind(status.st_mode)
        refuse("weights-file", shown(path), f"expected a regular file, found {kind}")


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a FIFO",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
        stat.S_IFLNK: "a link",
    }
    return kinds.get(stat.S_IFMT(mode), "something else")


class Source:
    """A regular file as it was when it was first opened.

    It keeps its descriptor until `release`, so that replacing or deleting the file does
    not matter; afterwards `open` finds the file by its path, and refuses another one.
    """

    __slots__ = ("_descriptor", "identity", "path")

    def __init__(self, path: Path) -> None:
        self._descriptor = -1
        self._descriptor = open_regular(path)
        self.path = path
        self.identity = Identity.of(os.fstat(self._descriptor))

    def open(self) -> FileIO:
        """The file, unbuffered, at its beginning; not for two threads at a time.

        Raises:
            WeightsError: replaced or rewritten since.
        """
        file = FileIO(self._again())
        if Identity.of(os.fstat(file.fileno())) != self.identity:
            file.close()
            found = "expected the file whose header was read, found a changed one"
            refuse(CHANGED, shown(self.path), found, "load again")
        file.seek(0)
        return file

    def _again(self) -> int:
        if self._descriptor >= 0:
            return os.dup(self._descriptor)
        try:
            return open_regular(self.path)
        except WeightsError:
            if status_of(self.path) is not None:
                raise
        found = "expected the file whose header was read, found it gone"
        refuse(CHANGED, shown(self.path), found, "load again")

    def read(self, limit: int = MAX_JSON_BYTES) -> bytes:
        """All bytes, at most `limit` of them."""
        size = self.identity.size
        if size > limit:
            wanted = f"expected at most {limit} bytes, found {size}"
            refuse("weights-size", shown(self.path), wanted)
        with self.open() as file:
            data = read_exactly(file, size)
        if len(data) < size:
            found = "expected a stable size, found the file's end"
            refuse(CHANGED, shown(self.path), found, "load again")
        return data

    def release(self) -> None:
        """Give the descriptor back."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    __del__ = release


def read_exactly(file: FileIO, size: int) -> bytes:
    """The next `size` bytes, or as many as there are."""
    parts = []
    while size > 0 and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def read_small(path: Path, limit: int = MAX_JSON_BYTES) -> bytes:
    """All bytes of the regular file `path`, at most `limit` of them."""
    return Source(path).read(limit)


def contained(folder: Path, name: str) -> tuple[Path, os.stat_result]:
    """`folder / name` and its status, if what it resolves to belongs to the folder.

    A link may point inside the folder. One link out is known and allowed: the Hub cache
    keeps `snapshots/<revision>/name` as a link into `blobs/` of the same repository.

    Raises:
        WeightsError: not a plain name, a link elsewhere, missing, not a regular file.
    """
    if not inner_name(name):
        wanted = f"expected a plain file name, found {quote(name)}"
        refuse("weights-name", shown(folder), wanted)
    path = folder / name
    try:
        real, root = path.resolve(strict=True), folder.resolve(strict=True)
        status = real.stat()
    except (OSError, RuntimeError, ValueError) as error:
        unreadable(name, error)
    if not (real.is_relative_to(root) or _is_hub_blob(real, root)):
        refuse(
            "weights-link",
            shown(name),
            "expected a file inside the model's folder, found a link out of it",
            "put the file itself there",
        )
    require_regular(name, status)
    return path, status


def _is_hub_blob(real: Path, root: Path) -> bool:
    for revision in (root, *root.parents):
        if revision.parent.name == "snapshots":
            return real.parent == revision.parent.parent / "blobs"
    return False
