"""Models of other people, unmodified: which of them `bx.from_jax` takes, and how.

    python benchmarks/imports/others.py                       # all packages, installed anew
    python benchmarks/imports/others.py --only flowjax --folder others
    python benchmarks/imports/others.py --only pdequinox.mlp  # one model

needs an environment with JAX, Equinox and Flax. Each package is installed without what it
requires into a folder of its own (kept with `--folder`); each model is imported in a process of
its own, with a time limit. The table says what was imported, or why not; the greatest
difference in float32 of values and gradients, at two sizes; which dims are symbols in the Graph
(those that only work as numbers stand in brackets); functions, and lines of the generated file.
Structure is kept where modules and functions of the source are functions of the Graph, or where
all is in one, but known layers are ops with their parameters.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import inspect
import io
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from re import findall, sub
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
os.environ.setdefault("JAX_PLATFORMS", "cpu")

from packages import REQUIREMENTS, Example

import blox as bx

COLUMNS = (
    "package",
    "model",
    "imported",
    "difference",
    "symbolic",
    "functions",
    "lines",
    "structure",
    "reason",
)


def installed(package: str, folder: Path) -> Path:
    """The folder of a package, which is installed where it isn't there."""
    target = folder / package
    if REQUIREMENTS[package] and not target.exists():
        options = ["--quiet", "--no-deps", "--ignore-requires-python"]
        command = [sys.executable, "-m", "pip", "install", *options, "--target"]
        subprocess.run([*command, str(target), *REQUIREMENTS[package]], check=True)
    return target


def examples(package: str) -> dict[str, Any]:
    """The functions that make its models, by name."""
    module = importlib.import_module(f"packages.of_{package}")
    return {
        name: make
        for name, make in vars(module).items()
        if inspect.isfunction(make)
        and not name.startswith("_")
        and make.__module__ == module.__name__
    }


def reason(error: BaseException) -> str:
    """Why a model is not imported, in one line."""
    if isinstance(error, bx.BloxError):
        texts = [d.message for d in error.diagnostics]
        names = Counter(sub(r"\s+", " ", text)[:110] for text in texts)
        return "; ".join(f"{n}x {t}" if n > 1 else t for t, n in names.items())
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first[:160]}"


def is_wrong(error: Exception) -> bool:
    """True where the Graph gave other numbers."""
    found = error.diagnostics if isinstance(error, bx.BloxError) else ()
    return any(d.code == "import-numbers" for d in found)


def imported(example: Example) -> dict[str, Any]:
    """A row of the table, for a model with these inputs.

    Raises:
        Exception: what the import, or the model's own code, raises.
    """
    try:
        inputs, first = example.inputs, ""
        found = bx.from_jax(example.model, inputs, example.params, dims=example.dims)
    except Exception as error:
        if not example.sizes or is_wrong(error):
            raise
        inputs, first = example.fixed, reason(error)
        found = bx.from_jax(example.model, inputs, example.params)
    graph, _, origin = found
    symbols = sorted(
        {d for i in inputs.values() for d in i.shape if isinstance(d, str)}
    )
    return {
        "imported": "yes",
        "difference": f"{origin.report.greatest:.0e}",
        "symbolic": " ".join([*symbols, *(f"[{d}]" for d in example.sizes if first)]),
        "functions": len(graph.functions),
        "lines": len(bx.generate(graph).splitlines()),
        "structure": structure(graph, origin.report),
        "reason": first,
    }


def structure(graph: bx.Graph, report: Any) -> str:
    """What of the source's modules and functions the Graph has."""
    if len(graph.functions) > 1:
        return "functions"
    return "layers" if report.layers else "no"


def one(package: str, name: str) -> None:
    """Imports a model, and prints its row."""
    row: dict[str, Any] = {}
    warnings.simplefilter("ignore")
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            row = imported(examples(package)[name]())
        except Exception as error:
            said = "WRONG" if is_wrong(error) else "no"
            row = {"imported": said, "reason": reason(error)}
    print(json.dumps(row))


def run(target: Path, limit: float, *arguments: str) -> str:
    """What a process of this script prints, with a package's folder on its path.

    Raises:
        RuntimeError: the last line of its errors, or that it took too long.
    """
    old = os.environ.get("PYTHONPATH", "")
    path = os.pathsep.join([str(target), *([old] if old else [])])
    try:
        done = subprocess.run(
            [sys.executable, __file__, *arguments],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"more than {limit:.0f} s") from error
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
        raise RuntimeError("".join(last)[:160] or f"ended with {done.returncode}")
    return done.stdout.strip().splitlines()[-1]


def rows(only: list[str], folder: Path, limit: float) -> Iterator[dict[str, Any]]:
    """The table, model by model."""
    for package in REQUIREMENTS:
        wanted = [o for o in only if o.partition(".")[0] == package]
        if only and not wanted:
            continue
        row: dict[str, Any] = {"package": package}
        try:
            target = installed(package, folder)
            names = json.loads(run(target, limit, "--list", package))
        except (RuntimeError, subprocess.CalledProcessError) as error:
            yield {**row, "model": "(all)", "imported": "no", "reason": str(error)}
            continue
        for name in names:
            if wanted and package not in wanted and f"{package}.{name}" not in wanted:
                continue
            row = {"package": package, "model": name}
            try:
                yield row | json.loads(run(target, limit, "--one", package, name))
            except RuntimeError as error:
                yield {**row, "imported": "no", "reason": str(error)}


def line(row: dict[str, Any]) -> str:
    """A row of a Markdown table."""
    return (
        "| " + " | ".join(str(row.get(c, "")).replace("|", "/") for c in COLUMNS) + " |"
    )


def table(only: list[str], folder: Path, limit: float) -> None:
    """Prints rows as they come, and counts."""
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + " --- |" * len(COLUMNS))
    found = []
    for row in rows(only, folder, limit):
        found.append(row)
        print(line(row), flush=True)
    counts = Counter(row["imported"] for row in found)
    kept = sum(row.get("structure") in ("functions", "layers") for row in found)
    print(
        f"\n{len(found)} models of {len({r['package'] for r in found})} packages: "
        f"{counts['yes']} imported, {counts['no']} not, {counts['WRONG']} wrong; "
        f"{kept} with their structure"
    )
    missing = Counter(
        name
        for row in found
        if row["imported"] == "no"
        for name in set(findall(r"\b([a-z_]+):", row["reason"]))
    )
    for name, count in missing.most_common():
        print(f"{count:4} {name}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--only", nargs="*", default=[], help="PACKAGE or PACKAGE.MODEL"
    )
    parser.add_argument("--folder", type=Path, help="where packages are unpacked")
    parser.add_argument("--limit", type=float, default=120, help="seconds for a model")
    parser.add_argument("--list", help=argparse.SUPPRESS)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.list:
        print(json.dumps(list(examples(given.list))))
    elif given.one:
        one(*given.one)
    elif given.folder:
        table(given.only, given.folder, given.limit)
    else:
        with tempfile.TemporaryDirectory() as folder:
            table(given.only, Path(folder), given.limit)


if __name__ == "__main__":
    main()
