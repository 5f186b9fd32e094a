"""`pytest --cpu`: the seconds of CPU of tests, of each op in the contract, of each file.

Of the process that runs a test, all its threads, and of processes that it waits for: how
busy the machine is makes little difference. Garbage is collected between tests, as it is
that of many.
"""

from __future__ import annotations

import gc
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

import pytest

CONTRACT = "tests/ops/test_contract"
PROPERTY = "CPU seconds"


class Cpu:
    """Measures every test, and prints at the end what costs most."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        gc.disable()
        self.start = _spent()
        try:
            return (yield)
        finally:
            gc.enable()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Iterator[None]:
        if call.when == "teardown":
            item.user_properties.append((PROPERTY, _spent() - self.start))
        return (yield)

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        spent = {
            report.nodeid: float(dict(report.user_properties)[PROPERTY])
            for report in terminalreporter.getreports("")
            if report.when == "teardown"
        }
        write = terminalreporter.write_line
        write(f"CPU: {sum(spent.values()):.1f} s in {len(spent)} tests")
        for what, name in (("op", _op), ("file", _file), ("test", str)):
            for line in _table(what, _sums(spent, name)):
                write(line)


def _spent() -> float:
    waited = os.times()
    return time.process_time() + waited.children_user + waited.children_system


def _sums(
    spent: Mapping[str, float], name: Callable[[str], str | None]
) -> dict[str, float]:
    sums: dict[str, float] = defaultdict(float)
    for test, seconds in spent.items():
        group = name(test)
        if group is not None:
            sums[group] += seconds
    return sums


def _op(test: str) -> str | None:
    """The op of a test of the contract: of `test_numbers[gelu-1]`, `gelu`."""
    if not test.startswith(CONTRACT) or not test.endswith("]"):
        return None
    return test.rpartition("[")[2].removesuffix("]").partition("-")[0]


def _file(test: str) -> str:
    return test.partition("::")[0]


def _table(what: str, sums: Mapping[str, float]) -> Iterator[str]:
    """How much one takes, and the ten that take most."""
    if not sums:
        return
    order = sorted(sums, key=sums.__getitem__, reverse=True)
    middle, high = (sums[order[int(len(order) * part)]] for part in (0.5, 0.05))
    yield (
        f"CPU by {what}: {len(order)}, median {middle:.3f} s, 95 % below {high:.3f} s; "
        "most:"
    )
    for name in order[:10]:
        yield f"  {sums[name]:8.3f} s  {name}"
