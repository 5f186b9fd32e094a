"""The fixtures of all tests: eight simulated devices, promotion on request, Hypothesis.

Warnings are errors (`filterwarnings` in pyproject.toml). Tests that need the extra
`parity` are marked so and import torch and the like inside the test, or live in
`tests/parity/`, which is not even imported unless asked for.
"""

from __future__ import annotations

import gc
import itertools
import os
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from cpu import Cpu
from hypothesis import settings

DEVICES = 8
QUICK = (
    ["--xla_cpu_use_fusion_emitters=false", "--xla_cpu_parallel_codegen_split_count=1"]
    if version("jaxlib").startswith("0.10.")
    else []  # an XLA that does not know a flag ends the process
)
"""Flags of XLA that make a small function compile in half of the time."""

CONTEXT = 200
"""How many functions are lowered in one context of MLIR."""

# No test asks a hub for anything.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# The same examples on every run and machine; `explore` looks for new ones.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cpu", action="store_true", help="print the CPU time of tests")


def pytest_configure(config: pytest.Config) -> None:
    """The environment of JAX, which reads it once; subprocesses inherit it.

    Nothing is timed, and thousands of functions are compiled once: quickly, then, but
    for what is compared to the last digit and compiled as users compile it. Imports are
    compared with what is compiled alike.
    """
    flags = [f"--xla_force_host_platform_device_count={DEVICES}"]
    if not _parity(config) or all("parity/importers" in arg for arg in config.args):
        os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
        flags += QUICK
    os.environ["XLA_FLAGS"] = " ".join([os.environ.get("XLA_FLAGS", ""), *flags])
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    if config.getoption("cpu"):
        config.pluginmanager.register(Cpu(), "cpu")
    gc.set_threshold(50_000)


def pytest_collection_finish() -> None:
    """What is there once all tests are known stays: no need to look through it again."""
    if QUICK and "jax" in sys.modules:
        share_contexts()
    gc.collect()
    gc.freeze()


def share_contexts() -> None:
    """Lets many lowerings of JAX have one context of MLIR: to make one takes a third of the
    time of a small function, from its trace to its result. A context keeps constants, so
    that there is a new one now and then."""
    from jax._src.interpreters import mlir

    make, turns = mlir.make_ir_context, itertools.count()
    kept: list[Any] = []

    def shared() -> Any:
        if next(turns) % CONTEXT == 0:
            kept[:] = [make()]
        return kept[0]

    mlir.make_ir_context = shared


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves `tests/parity/` alone unless `-m` asks for it: it imports torch."""
    parity = collection_path.name == "parity"
    return True if parity and not _parity(config) else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints how many rows of the parity tables hold, and whose numbers they are."""
    passed = [r for r in terminalreporter.getreports("passed") if r.when == "call"]
    given = [dict(report.user_properties) for report in passed]
    peers = Counter(str(p["parity rows"]) for p in given if "parity rows" in p)
    if peers:
        parts = ", ".join(f"{count} of {peer}" for peer, count in peers.most_common())
        terminalreporter.write_line(f"{peers.total()} rows of parity hold: {parts}")


def _parity(config: pytest.Config) -> bool:
    marks = str(config.getoption("markexpr"))
    return "parity" in marks.replace("not parity", "")


@pytest.fixture(scope="session")
def devices() -> list[Any]:
    """The eight simulated CPU devices, for `jax.sharding.Mesh`."""
    import jax

    found = jax.devices()
    assert len(found) == DEVICES, f"XLA_FLAGS came too late: {len(found)} device(s)"
    return found


@pytest.fixture
def nothing_registered() -> Iterator[None]:
    """No op but the core ones is registered, and none is afterwards."""
    from blox.schema import registry

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_REGISTERED", {})
        yield


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
