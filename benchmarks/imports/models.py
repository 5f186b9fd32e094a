"""The models of one package, imported one after another.

    python benchmarks/imports/models.py PACKAGE [MODEL ...]

prints their names, then a row for each, as JSON. `others.py` runs it with the folder of the
package on the path.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import json
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from re import sub
from typing import Any

from packages import Example

import blox as bx


def examples(package: str) -> dict[str, Callable[[], Example]]:
    """What makes its models, by name: the functions of its module that need nothing, and those
    of `LAYERS`."""
    module = importlib.import_module(f"packages.of_{package}")
    made = {
        name: make
        for name, make in vars(module).items()
        if inspect.isfunction(make)
        and not name.startswith("_")
        and make.__module__ == module.__name__
        and not inspect.signature(make).parameters
    }
    return {**made, **vars(module).get("LAYERS", {})}


def without_row(package: str) -> list[str]:
    """The layers of a library that have no row."""
    module = importlib.import_module(f"packages.of_{package}")
    return sorted({*vars(module).get("EVERY", ())} - {*examples(package)})


def reason(error: BaseException) -> str:
    """Why a model is not imported, in one line."""
    if isinstance(error, bx.BloxError):
        texts = [sub(r"\s+", " ", d.message) for d in error.diagnostics]
        names = Counter(sub(r"/\S*/(?=\w+/\w+\.py)", "", t)[:180] for t in texts)
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
    if report.layers:
        return "layers"
    return "one op" if len(graph.functions["main"].nodes) < 2 else "no"


def row_of(make: Callable[[], Example]) -> dict[str, Any]:
    """The row of a model, whatever becomes of it."""
    refused = ""
    try:
        example = make()
        refused = example.refused
        found = imported(example)
    except Exception as error:
        said = reason(error)
        if is_wrong(error):
            return {"imported": "WRONG", "reason": said}
        rightly = refused and refused in said
        return {"imported": "refused" if rightly else "no", "reason": said}
    if refused:
        return {**found, "imported": "no", "reason": f"expected: {refused}"}
    return found


def work(package: str, only: list[str]) -> None:
    """Imports models of a package, all where none are named; prints their names, then rows."""
    warnings.simplefilter("ignore")
    out = sys.stdout
    with contextlib.redirect_stdout(io.StringIO()):
        made = examples(package)
        names = only or [*made, *without_row(package)]
        print(json.dumps(names), file=out, flush=True)
        for name in names:
            start = time.monotonic()
            lacking = {"imported": "no", "reason": "has no row"}
            row = row_of(made[name]) if name in made else lacking
            seconds = f"{time.monotonic() - start:.0f}"
            row = {"package": package, "model": name, "seconds": seconds, **row}
            print(json.dumps(row), file=out, flush=True)


if __name__ == "__main__":
    work(sys.argv[1], sys.argv[2:])
