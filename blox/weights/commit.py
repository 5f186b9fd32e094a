"""Several files of one folder, replaced together or not at all.

The guarantee: a process that is killed at any moment, or a machine that loses power,
leaves the complete old files or the complete new ones, as `locate` finds them. Files
that are not part of the save are not touched.

The scheme is a redo log, since no system renames two files at once:

1.  Every new file is written and synced beside the old ones, as
    `.blox-<token>.<name>`. Until step 2 nothing refers to them: the old model stands.
2.  `.blox-commit.json`, which lists the token, the new names and the names to
    remove, is synced and renamed into place. This rename is the commit: the new model
    stands.
3.  Stale files are removed, the new ones renamed to their names, the log is removed.

A reader never writes. While it finds a log it reads `.blox-<token>.<name>` for a listed
name, or `<name>` where that was renamed already. The next save finishes step 3 and
sweeps temporaries that no log refers to. A log whose temporaries are all gone is spent.
One new file and nothing to remove need no log: its own rename is the commit.

Programs that don't know the log see, between a kill in step 3 and the next save, no
weights or some files of each model; `finish` completes the save on request.
A lock on the folder makes a second save wait; it goes with its process.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from blox.schema.diagnostics import quote

from .files import plain_name, refuse, shown
from .log import LOG, LOG_FORMAT, TEMPORARY, finish, sync_folder

_CREATE = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class FolderCommit:
    """A context in which new files are made; `commit` puts them into place.

    Leaving the context without `commit`, or by an error, removes them.

    Args:
        folder: an existing folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._token = secrets.token_hex(8)
        self._write: list[str] = []
        self._remove: list[str] = []
        self._lock = -1

    def __enter__(self) -> Self:
        locked = self._acquire()
        try:
            finish(self.folder)
            if locked:  # otherwise another save may be writing them now
                self._sweep()
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            # With a log in place the temporaries are the model.
            if not os.path.lexists(self.folder / LOG):
                for name in (*self._write, LOG):
                    with contextlib.suppress(OSError):
                        (self.folder / self._temporary(name)).unlink(missing_ok=True)
        finally:
            self._release()

    def create(self, name: str) -> BinaryIO:
        """A new file, to be written and closed, that becomes `name`.

        It takes the mode of the regular file that it replaces, else the umask's.
        """
        self.check(name)
        file = self._open(name)
        self._write.append(name)
        try:
            if os.path.lexists(self.folder / name) and hasattr(os, "fchmod"):
                old = os.lstat(self.folder / name).st_mode
                if stat.S_ISREG(old):
                    os.fchmod(file.fileno(), stat.S_IMODE(old) & 0o777)
        except BaseException:
            file.close()
            raise
        return file

    def remove(self, name: str) -> None:
        """Remove the file `name`, if there is one and no new one takes its place."""
        self.check(name)
        if os.path.lexists(self.folder / name):
            self._remove.append(name)

    def commit(self) -> None:
        """Put all new files into place; the moment of no return is one rename."""
        remove = [name for name in self._remove if name not in self._write]
        sync_folder(self.folder)
        if len(self._write) == 1 and not remove:
            name = self._write[0]
            os.replace(self.folder / self._temporary(name), self.folder / name)
            sync_folder(self.folder)
            return
        log = {"token": self._token, "write": self._write, "remove": remove}
        with self._open(LOG) as file:
            file.write(json.dumps({"blox": LOG_FORMAT, **log}).encode())
            flush(file)
        os.replace(self.folder / self._temporary(LOG), self.folder / LOG)
        sync_folder(self.folder)
        finish(self.folder)

    def _temporary(self, name: str) -> str:
        return f".blox-{self._token}.{name}"

    def _open(self, name: str) -> BinaryIO:
        path = self.folder / self._temporary(name)
        return open(os.open(path, _CREATE, 0o666), "wb", buffering=1 << 20)

    def check(self, name: str) -> None:
        if not plain_name(name) or name.startswith(".blox-"):
            wanted = "a plain file name"
            refuse("weights-name", "", f"expected {wanted}, found {quote(name)}")
        path = self.folder / name
        if os.path.lexists(path) and not path.is_symlink() and not path.is_file():
            found = "a folder" if path.is_dir() else "something else"
            refuse(
                "weights-file",
                shown(name),
                f"expected a regular file to replace, found {found}",
                "move it away",
            )

    def _sweep(self) -> None:
        for entry in os.scandir(self.folder):
            if TEMPORARY.fullmatch(entry.name) and not entry.is_dir(
                follow_symlinks=False
            ):
                os.unlink(entry.path)

    def _acquire(self) -> bool:
        try:
            import fcntl
        except ImportError:  # Windows has no lock on a folder
            return False
        self._lock = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        except OSError:  # some network file systems
            return False
        return True

    def _release(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def flush(file: BinaryIO) -> None:
    """Bring the file's bytes to the disk."""
    file.flush()
    os.fsync(file.fileno())
