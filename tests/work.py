"""Work as a count: the same on every machine, however busy it is."""

from __future__ import annotations

import cProfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Work:
    calls: int = 0
    """Calls of Python functions and of C ones."""


@contextmanager
def counted() -> Iterator[Work]:
    """Counts what runs inside of it; the counts are there afterwards."""
    work = Work()
    profile = cProfile.Profile()
    profile.enable()
    try:
        yield work
    finally:
        profile.disable()
        work.calls = sum(entry.callcount for entry in profile.getstats())
