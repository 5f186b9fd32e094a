"""The fixtures of all tests: eight simulated devices, promotion on request, Hypothesis.

Warnings are errors (`filterwarnings` in pyproject.toml). Tests that need the extra
`parity` are marked so and import torch and the like inside the test, or live in
`tests/parity/`, which is not even imported unless asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

DEVICES = 8

# Read by jax once, so they stand before its import; subprocesses inherit them.
os.environ["XLA_FLAGS"] = (
    f"{os.environ.get('XLA_FLAGS', '')}"
    f" --xla_force_host_platform_device_count={DEVICES}"
).strip()
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Nothing is timed, and thousands of functions are compiled once: quickly, then.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# No test asks a hub for anything.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# The same examples on every run and machine; `explore` looks for new ones.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves `tests/parity/` alone unless `-m` asks for it: it imports torch."""
    marks = str(config.getoption("markexpr"))
    wanted = "parity" in marks.replace("not parity", "")
    return True if collection_path.name == "parity" and not wanted else None


@pytest.fixture(scope="session")
def devices() -> list[Any]:
    """The eight simulated CPU devices, for `jax.sharding.Mesh`."""
    import jax

    found = jax.devices()
    assert len(found) == DEVICES, f"XLA_FLAGS came too late: {len(found)} device(s)"
    return found


@pytest.fixture
def strict_dtypes() -> Iterator[None]:
    """Mixing dtypes raises: for code that must keep the dtype that it is given.

    Not for all tests: the caller's mixed inputs are legal, and promote as in JAX.
    """
    import jax

    with jax.numpy_dtype_promotion("strict"):
        yield


@pytest.fixture
def strict_ranks() -> Iterator[None]:
    """Broadcasting between unequal ranks raises: for code that should spell it out.

    Not for all tests: a bias of shape `(features,)` broadcasts over leading axes by
    design.
    """
    import jax

    with jax.numpy_rank_promotion("raise"):
        yield
