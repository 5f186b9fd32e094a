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

Names are of a closed set (`names`), in a log as in a save: a folder that comes from
anyone may hold a log, which can change nothing but the files of a model.

Programs that don't know the log see, between a kill in step 3 and the next save, no
weights or some files of each model; `finish` completes the save on request.
A lock on the folder makes a second save wait; it goes with its process.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import stat
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from blox.schema.diagnostics import quote

from .files import refuse
from .lock import lock_folder
from .log import (
    LOG,
    LOG_FORMAT,
    MAX_LOG_BYTES,
    Log,
    check_target,
    complete,
    read_log,
    sync_folder,
    temporary_name,
)
from .names import ModelFiles

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
        names: the closed set that the files are of.
    """

    def __init__(self, folder: Path, names: ModelFiles) -> None:
        self.folder = folder
        self.names = names
        self._token = secrets.token_hex(8)
        self._write: dict[str, int] = {}
        self._remove: list[str] = []
        self._lock = -1

    def __enter__(self) -> Self:
        self._lock, locked = lock_folder(self.folder)
        try:
            log = read_log(self.folder)
            if log is None or self._is_ours(log):
                complete(self.folder)
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
            if not (self.names.stem and os.path.lexists(self.folder / LOG)):
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
        self._write[name] = 0
        try:
            if os.path.lexists(self.folder / name) and hasattr(os, "fchmod"):
                old = os.lstat(self.folder / name).st_mode
                if stat.S_ISREG(old):
                    os.fchmod(file.fileno(), stat.S_IMODE(old) & 0o777)
        except BaseException:
            file.close()
            raise
        return file

    def add(self, name: str, data: bytes) -> None:
        """A new file of these bytes, on the disk."""
        with self.create(name) as file:
            file.write(data)
            flush(file)

    def remove(self, name: str) -> None:
        """Remove the file `name`, if there is one and no new one takes its place."""
        if not self.names.removes(name):
            found = f"expected the name of an older model's file, found {quote(name)}"
            refuse("weights-name", "", found)
        check_target(self.folder, name)
        if os.path.lexists(self.folder / name):
            self._remove.append(name)

    def commit(self) -> None:
        """Put all new files into place; the moment of no return is one rename."""
        remove = [name for name in self._remove if name not in self._write]
        sync_folder(self.folder)
        if len(self._write) == 1 and not remove and "/" not in min(self._write):
            name = min(self._write)
            os.replace(self.folder / self._temporary(name), self.folder / name)
            sync_folder(self.folder)
            return
        sizes = {
            name: os.stat(self.folder / self._temporary(name)).st_size
            for name in self._write
        }
        log = {"token": self._token, "write": sizes, "remove": remove}
        text = json.dumps({"blox": LOG_FORMAT, **log}).encode()
        if len(text) > MAX_LOG_BYTES:  # which no reader would take
            found = f"found {len(sizes)} to write and {len(remove)} to remove"
            refuse("weights-size", "", f"expected fewer files, {found}")
        with self._open(LOG) as file:
            file.write(text)
            flush(file)
        os.replace(self.folder / self._temporary(LOG), self.folder / LOG)
        sync_folder(self.folder)
        complete(self.folder)

    def _is_ours(self, log: Log) -> bool:
        """True for a log that this save may complete; refused where it is in the way."""
        if log.kind is self.names:
            return True
        names = {*log.write, *log.remove}
        if self.names.stem or any(self.names.writes(name) for name in names):
            refuse(
                "weights-log",
                LOG,
                "expected no unfinished save of another kind, found one",
                "blox.weights.finish(folder) completes it",
            )
        return False

    def _temporary(self, name: str) -> str:
        return temporary_name(self._token, name)

    def _open(self, name: str) -> BinaryIO:
        path = self.folder / self._temporary(name)
        return open(os.open(path, _CREATE, 0o666), "wb", buffering=1 << 20)

    def check(self, name: str) -> None:
        """Refuse a name that is not of the closed set, or that can't be replaced."""
        if not self.names.writes(name):
            found = f"expected the name of a model's file, found {quote(name)}"
            refuse("weights-name", "", found)
        check_target(self.folder, name)

    def _sweep(self) -> None:
        for entry in os.scandir(self.folder):
            match = re.fullmatch(r"\.blox-[0-9a-f]{16}\.(.+)", entry.name)
            if (
                match
                and (match[1] == LOG or self.names.temporary(match[1]))
                and not entry.is_dir(follow_symlinks=False)
            ):
                os.unlink(entry.path)

    def _release(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def flush(file: BinaryIO) -> None:
    """Bring the file's bytes to the disk."""
    file.flush()
    os.fsync(file.fileno())
