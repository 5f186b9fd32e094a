"""Traces of an import, apart from all others."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

from jax.experimental.xla_metadata import set_xla_metadata

_TURNS = itertools.count()


@contextmanager
def traced_apart() -> Iterator[None]:
    """Keeps what is traced meanwhile apart from all other traces: `jax.jit` inside of a
    library keeps what it traced before its layers were marked, and would keep the marks.

    JAX has a trace for each of the settings that it was made under, and this is one that
    means nothing to a trace. What was compiled before stays.
    """
    with set_xla_metadata(blox_import=str(next(_TURNS))):
        yield
