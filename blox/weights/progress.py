"""A progress bar for long work, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LONG_WORK_BYTES = 256 << 20
"""About one second of hashing and writing."""


@contextmanager
def track(
    label: str, total: int, progress: bool | None
) -> Iterator[Callable[[int], None]]:
    """Yields a function to call with each number of bytes done.

    Args:
        label: what is done.
        total: bytes.
        progress: the meaning of this argument of all public functions: None shows a bar
            for long work, True for any, False for none; all of them only where standard
            error is a terminal, and rich is installed.
    """
    wanted = total >= LONG_WORK_BYTES if progress is None else progress
    if not (wanted and sys.stderr.isatty()):
        yield lambda done: None
        return
    try:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
    except ImportError:  # rich comes with the command line's extra
        yield lambda done: None
        return

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.advance(task, done)
