"""What the system refuses while a model is read or written, as errors of one line."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from .files import refuse, shown


@contextlib.contextmanager
def typed_faults(
    path: Path, code: str = "weights-file", act: str = "read"
) -> Iterator[None]:
    """Turns errors of the system and of memory into a `WeightsError` about `path`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        refuse(code, shown(path), f"can't be {act}: {reason}")
    except (MemoryError, RuntimeError) as error:
        # JAX has an error of its own for the memory of a device.
        exhausted = "RESOURCE_EXHAUSTED" in str(error)[:200]
        if not (isinstance(error, MemoryError) or exhausted):
            raise
        wanted = f"expected memory for what is to be {act}, found too little"
        hint = "mmap=True reads pages when they are needed, a dtype of fewer bits less"
        refuse("weights-memory", shown(path), wanted, hint if act == "read" else "")


def require_memory(nbytes: int) -> None:
    """Raise MemoryError for more than the machine has: systems that promise memory
    which isn't there end the process instead, once it is used."""
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # not on every system
        return
    if nbytes > memory:
        raise MemoryError
