"""Judges mutants in a process of its own: `child.py START STOP`, a line for each.

What one mutant takes is bounded by the machine: seconds of CPU, and memory. Beyond them
the process dies, and the line that is missing says at which mutant.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterable

import jax
from mutants.judging import judge
from mutants.mutating import mutant

SECONDS = 20
MEMORY = 2 << 30
FORGET = 200
NUMBERS = 80
"""Every so many mutants one is run with numbers, in all ways."""


def outcome(seed: int) -> str:
    try:
        numbers = seed % NUMBERS == 0
        return judge(mutant(seed), way=None if numbers else seed, numbers=numbers)
    except Exception as error:  # the point of it all
        text = str(error).splitlines()
        return f"ESCAPE {type(error).__name__}: {text[0] if text else ''}"


def limit() -> None:
    """As much CPU again for the next mutant."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))


def run(seeds: Iterable[int]) -> None:
    jax.config.update("jax_disable_most_optimizations", True)
    jax.random.split(jax.random.key(0))  # all of JAX is loaded before memory is counted
    with open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))
    for seed in seeds:
        limit()
        if seed % FORGET == 0:
            jax.clear_caches()  # of thousands of traces, which nobody asks for again
        print(seed, outcome(seed), flush=True)


if __name__ == "__main__":
    run(range(int(sys.argv[1]), int(sys.argv[2])))
