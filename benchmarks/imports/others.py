"""Models of other people, unmodified: which of them `bx.from_jax` takes, and how.

    python benchmarks/imports/others.py                       # all packages, installed anew
    python benchmarks/imports/others.py --only flowjax --folder others
    python benchmarks/imports/others.py --only pdequinox.mlp  # one model

needs an environment with JAX, Equinox and Flax. Each package is installed without what it
requires into a folder of its own (`--folder` keeps it, and what was compiled: a second run
takes a third of the time), and has a process of its own, with a time limit for each model.
The table says what was imported, or why not; the greatest difference in float32 of values and
gradients, at two sizes; which dims are symbols in the Graph (those that only work as numbers
stand in brackets, with the reason); functions, and lines of the generated file. Structure is
kept where modules and functions of the source are functions of the Graph, or where all is in
one, but known layers are ops with their parameters, or all of it is one op.

Ends with 1 where a model was wrong or not imported, but for those that are rightly refused.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from re import findall
from threading import Timer
from typing import Any

from packages import REQUIREMENTS

COLUMNS = (
    "package",
    "model",
    "imported",
    "difference",
    "symbolic",
    "functions",
    "lines",
    "structure",
    "seconds",
    "reason",
)
LIBRARIES = ("jax", "equinox", "flax")
QUICK = {
    "JAX_PLATFORMS": "cpu",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
"""What is compiled runs once, and much of it in every model."""


def installed(package: str, folder: Path) -> Path:
    """The folder of a package, which is installed where it isn't there.

    Raises:
        CalledProcessError: it can't be installed.
    """
    target = folder / package
    if REQUIREMENTS[package] and not target.exists():
        options = ["--quiet", "--no-deps", "--ignore-requires-python"]
        command = [sys.executable, "-m", "pip", "install", *options, "--target"]
        subprocess.run([*command, str(target), *REQUIREMENTS[package]], check=True)
    return target


def lines(command: list[str], path: str, cache: Path, limit: float) -> Iterator[Any]:
    """What a process prints, line by line, each in a limit of time.

    Raises:
        RuntimeError: the last line of its errors, or that it took too long.
    """
    old = os.environ.get("PYTHONPATH", "")
    joined = os.pathsep.join([path, *([old] if old else [])])
    where = {"PYTHONPATH": joined, "JAX_COMPILATION_CACHE_DIR": str(cache)}
    late = []
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command,
            env={**QUICK, **os.environ, **where},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):

        def stop() -> None:
            late.append(True)
            process.kill()

        assert process.stdout
        while True:
            timer = Timer(limit, stop)
            timer.start()
            line = process.stdout.readline()
            timer.cancel()
            if not line:
                break
            yield json.loads(line)
        if late:
            raise RuntimeError(f"more than {limit:.0f} s")
        if process.wait():
            errors.seek(0)
            last = [line for line in errors.read().splitlines() if line.strip()][-1:]
            raise RuntimeError("".join(last)[:160] or f"ended with {process.poll()}")


def rows(
    package: str, only: list[str], folder: Path, limit: float
) -> Iterator[dict[str, Any]]:
    """The rows of a package."""
    lost = {"package": package, "model": "(all)", "imported": "no"}
    try:
        target = installed(package, folder)
    except subprocess.CalledProcessError as error:
        yield {**lost, "reason": str(error)}
        return
    left = only
    command = [sys.executable, str(Path(__file__).with_name("models.py")), package]
    while True:
        try:
            found = lines([*command, *left], str(target), folder / "compiled", limit)
            left = next(found)
            for row in found:
                left.remove(row["model"])
                yield row
            return
        except RuntimeError as error:
            name = left.pop(0) if left else "(all)"
            yield {**lost, "model": name, "reason": str(error)}
            if not left:
                return


def line_of(row: dict[str, Any]) -> str:
    """A row of a Markdown table."""
    return (
        "| " + " | ".join(str(row.get(c, "")).replace("|", "/") for c in COLUMNS) + " |"
    )


def versions() -> str:
    """The revision, and the versions of what it is tried with."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    said = [f"blox {described.stdout.strip() or '(no revision)'}"]
    said += [f"Python {python_version()}"]
    return ", ".join([*said, *(f"{n} {version(n)}" for n in LIBRARIES)])


def table(only: list[str], folder: Path, limit: float, jobs: int) -> bool:
    """Prints rows as they come, and counts; true where all is as it should be."""
    named: dict[str, list[str]] = {}
    for entry in only or REQUIREMENTS:
        package, _, model = entry.partition(".")
        named.setdefault(package, []).extend([model] if model else [])
    print(versions() + "\n")
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + " --- |" * len(COLUMNS))
    found: list[dict[str, Any]] = []

    def measure(package: str) -> None:
        for row in rows(package, named[package], folder, limit):
            found.append(row)
            print(line_of(row), flush=True)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(measure, named))
    summary(found)
    return all(row["imported"] in ("yes", "refused") for row in found)


def summary(found: list[dict[str, Any]]) -> None:
    """Prints the counts: by package, of all, and of what is missing."""
    columns = ("package", "models", "imported", "refused", "not", "wrong", "structure")
    print("\n| " + " | ".join(columns) + " |\n|" + " --- |" * len(columns))
    packages = sorted({row["package"] for row in found})
    for package in packages:
        print(counts([row for row in found if row["package"] == package], package))
    print(counts(found, f"{len(packages)} packages"))
    missing = Counter(
        name
        for row in found
        if row["imported"] == "no"
        for name in set(findall(r"\b([a-z_]+):", row["reason"]))
    )
    for name, count in missing.most_common():
        print(f"{count:4} {name}")


def counts(found: list[dict[str, Any]], title: str) -> str:
    """A row of the summary."""
    said = Counter(row["imported"] for row in found)
    kept = sum(row.get("structure", "no") != "no" for row in found)
    cells = [title, len(found), said["yes"], said["refused"], said["no"], said["WRONG"]]
    return "| " + " | ".join(map(str, [*cells, kept])) + " |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--only", nargs="*", default=[], help="PACKAGE or PACKAGE.MODEL"
    )
    parser.add_argument("--folder", type=Path, help="where packages are unpacked")
    parser.add_argument("--limit", type=float, default=120, help="seconds for a model")
    parser.add_argument("--jobs", type=int, default=1, help="packages at once")
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = given.folder or Path(
            stack.enter_context(tempfile.TemporaryDirectory())
        )
        if not table(given.only, folder, given.limit, given.jobs):
            sys.exit(1)


if __name__ == "__main__":
    main()
