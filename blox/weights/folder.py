"""A model's folder as its last committed save left it, read beside other saves.

A reader holds no lock and writes nothing. It looks every name up, reads, and looks all
of them up again: a name stands for one file of one save, and a file that a later save
replaced is never its meaning again. Equal answers therefore mean that all of them were
of one save, at a moment between the two looks; otherwise the reading is repeated.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from blox.schema.diagnostics import BloxError, Diagnostic, WeightsError, listing

from .files import CHANGED, Identity, Source, contained, refuse, shown, status_of
from .lock import being_saved
from .log import LOG, Log, read_log
from .names import BLOX, inner_name

T = TypeVar("T")

_ATTEMPTS = 200
_PAUSE = 0.0005
"""Seconds; grows with the attempts, 10 seconds in all."""
_MAX_HELD = 64


class _Look(NamedTuple):
    """What a name stands for: a file, or nothing, or why that can't be said."""

    path: Path
    identity: Identity | None = None
    fault: WeightsError | None = None

    @property
    def meaning(self) -> tuple[Path, Identity | None, str]:
        return self.path, self.identity, str(self.fault or "")


def held() -> int:
    """How many files stay open while they are read; Windows would not let a save replace
    them, and others need descriptors, too. Of further ones the state is compared when
    they are opened again."""
    try:
        import resource
    except ImportError:
        return 0
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    unlimited = allowed == resource.RLIM_INFINITY
    return _MAX_HELD if unlimited else min(_MAX_HELD, allowed // 4)


class Folder:
    """The files of a model in the folder `path`.

    Raises:
        WeightsError: a log that no save wrote.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = read_log(path)
        self._seen: dict[str, _Look] = {}
        self._free = held()

    def locate(self, name: str) -> Path | None:
        """The file that is `name` of the model; None if there is none.

        Raises:
            WeightsError: not a plain name, not a regular file, a link out of the folder.
        """
        look = self._look(name)
        return None if look.identity is None else look.path

    def open(self, name: str) -> Source | None:
        """The file that is `name` of the model, opened."""
        look = self._look(name)
        if look.identity is None:
            return None
        source = Source(look.path)
        if source.identity != look.identity:
            found = "expected one file, found another a moment later"
            refuse(CHANGED, shown(name), found, "load again")
        self._free -= 1
        if self._free < 0:
            source.release()
        return source

    def _look(self, name: str) -> _Look:
        look = self._seen[name] = _look(self.path, name, self.log)
        if look.fault is not None:
            raise look.fault
        return look

    def changed(self) -> bool:
        """True if what was looked up, or the log, is another one now."""
        try:
            log = read_log(self.path)
            now = [_look(self.path, name, log) for name in self._seen]
            end = read_log(self.path)
        except WeightsError:
            return True
        if not _token(self.log) == _token(log) == _token(end):
            return True
        before = self._seen.values()
        return any(a.meaning != b.meaning for a, b in zip(before, now, strict=True))

    def pending(self) -> list[Diagnostic]:
        """A warning if a save was interrupted, and which hidden files were read."""
        if self.log is None or being_saved(self.path):
            return []
        hidden = [n for n, look in self._seen.items() if look.path.name[:1] == "."]
        read = f": hidden files that it names were read for {listing(hidden)}"
        act = "blox.save" if self.log.kind is BLOX else "blox.to_hf"
        return [
            Diagnostic(
                "weights-pending",
                shown(self.path),
                f"expected no {LOG}, found that of a save that was interrupted"
                f"{read if hidden else ''}",
                f"{act} there or blox.weights.finish(folder) completes it; if nobody"
                " saved there, don't trust the folder",
                "warning",
            )
        ]


def _token(log: Log | None) -> str:
    return "" if log is None else log.token


def _look(folder: Path, name: str, log: Log | None) -> _Look:
    path = folder / name
    try:
        if log is not None and name in log.write:
            hidden = folder / log.temporary(name)
            status = status_of(hidden)
            if status is not None and stat.S_ISREG(status.st_mode):
                return _Look(hidden, Identity.of(status))
        elif log is not None and name in log.remove:
            return _Look(path)
        status = status_of(path) if inner_name(name) else None
        if status is None and inner_name(name):
            return _Look(path)
        if status is None or "/" in name or not stat.S_ISREG(status.st_mode):
            path, status = contained(folder, name)  # which follows links
        return _Look(path, Identity.of(status))
    except WeightsError as error:
        return _Look(path, fault=error)


def read_folder(path: Path, read: Callable[[Folder], T]) -> T:
    """`read` of the folder, repeated until what it looked up is of one save.

    Raises:
        WeightsError: others change the folder all the time; what `read` raises.
    """
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE * attempt)
        folder = Folder(path)
        try:
            result = read(folder)
        except BloxError:
            if not folder.changed():
                raise
        else:
            if not folder.changed():
                return result
    wanted = "expected files that stay while they are read, found that they change"
    refuse(CHANGED, shown(path), wanted, "wait for the process that writes there")


def locate(folder: Path, name: str) -> Path | None:
    """The file that is `name` of the model in `folder` now; None if there is none.

    Only so, not by `folder / name`, a save that was interrupted after its commit is
    seen as complete.

    Raises:
        WeightsError: not a plain name, not a regular file, a link out of the folder.
    """
    return Folder(folder).locate(name)
