"""A lock on a folder: saves wait for each other, readers tell a live save from a dead one.

It goes with its process. Windows and some network file systems have none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def lock_folder(folder: Path) -> tuple[int, bool]:
    """Waits until no other save works in `folder`.

    Returns:
        A descriptor that holds the lock until it is closed (-1 for none), and whether
        there is a lock.
    """
    try:
        import fcntl
    except ImportError:
        return -1, False
    while True:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:
            return descriptor, False
        try:
            # Another folder may have this name, once the wait is over.
            if os.path.samestat(os.fstat(descriptor), os.stat(folder)):
                return descriptor, True
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """While it lasts, no save works in `folder`."""
    descriptor, _ = lock_folder(folder)
    try:
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def being_saved(folder: Path) -> bool:
    """True while another save holds the lock of `folder`."""
    try:
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except (ImportError, OSError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False
