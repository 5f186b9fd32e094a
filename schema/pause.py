"""Work that makes many objects, all of which stay: garbage is looked for afterwards.

Python looks for cycles in all objects of the process now and then, as it makes new ones.
Beside JAX that takes 15 ms each time, and finds nothing while modules are imported or a
Graph is parsed: half of the time of a first load. What such work leaves is bounded by the
size of the file.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """No search for garbage meanwhile, in whichever thread; as before afterwards."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
