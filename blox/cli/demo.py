"""`blox demo`: the whole way once, with a small trained model that comes with blox."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blox.cli.output import fail, place, say
from blox.cli.pictures import drawn
from blox.cli.writing import write_atomically
from blox.show.printable import printable

if TYPE_CHECKING:
    import numpy as np

    from blox.schema import Graph

SHOWN = 4
"""Digits that are drawn."""


def demo(
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="DIR", help="The folder to write to."),
    ] = "blox-demo",
) -> None:
    """Takes a small trained model all the way: spec, weights, function, file.

    The model reads handwritten digits. It is validated, loaded, run on digits that it
    has not seen, and written as a file of Python, which gives the same numbers. Spec,
    weights, digits and code stay in DIR. A file there that is not the demo's own is
    never replaced.

    Examples:
        blox demo
        blox demo --output ~/digits
    """
    start = time.perf_counter()
    folder = place(output)
    model = folder / "model"
    file = folder / "digits.py"
    files = _files(folder, file)
    for path, data in files.items():
        _refuse_others(path, data)
    for path, data in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            write_atomically(path, data)

    from blox.io.load import load
    from blox.io.validate import validate

    report = validate(model)
    for found in report:
        say(f"{found.severity} {found.code} {printable(str(found))}", err=True)
    if not report.ok:
        fail(f"{model}: expected a sound model; remove {folder} and try again")
    graph, params = load(model)
    _step("spec", f"{model / 'graph.json'}: {_about(graph)}, validated")
    count = sum(a.size for a in _arrays(params))
    nbytes = sum(a.nbytes for a in _arrays(params))
    _step("weights", f"{model}: {count:,} numbers, {nbytes:,} bytes, loaded")

    images, labels = _held_out(folder)
    loaded = _run_loaded(graph, params, images)
    guesses = loaded.argmax(-1)
    right = int((guesses == labels).sum())
    _step(
        "run",
        f"{right} of {len(labels)} digits that it was not trained on are read right "
        f"({right / len(labels):.1%})",
    )
    say(_picture(images, guesses, labels))

    lines = files[file].count(b"\n")
    _step("code", f"{file}: {lines} lines of JAX, without blox, generated")
    generated = _run_generated(file, model, images)
    difference = float(abs(generated - loaded).max())
    _step("compare", f"its greatest difference from the loaded model: {difference}")
    if difference != 0:
        fail(f"{file}: expected the same numbers; please report this as a bug")

    say(f"\nDone in {time.perf_counter() - start:.1f} s. Try next:\n")
    shown = shlex.quote(printable(output))
    for line in (
        f"blox show {shown}/model",
        f"blox verify {shown}/model",
        f"blox validate {shown}/model --format json",
        f"blox codegen {shown}/model -o {shown}/digits.py --check",
        f"less {shown}/digits.py",
    ):
        say(f"  {line}")


def _step(name: str, text: str) -> None:
    say(f"{typer.style(f'{name:<9}', bold=True)}{printable(text)}")


def _files(folder: Path, file: Path) -> dict[Path, bytes]:
    """The files of the demo: the model and digits that come with blox, and the code."""
    import blox as bx
    from blox.demo_data import HELD_OUT, MODEL, read
    from blox.schema import from_bytes

    files = {folder / "model" / name: read(name) for name in MODEL}
    files[folder / HELD_OUT] = read(HELD_OUT)
    files[file] = bx.generate(from_bytes(read(MODEL[0]))).encode()
    return files


def _refuse_others(path: Path, data: bytes) -> None:
    """Ends the demo where `path` is something else than what it would write there."""
    for parent in path.parents:
        if parent.exists():
            if not parent.is_dir():
                fail(f"{parent}: expected a folder, found a file; see --output")
            break
    if path.is_symlink() or (
        path.exists() and not (path.is_file() and path.read_bytes() == data)
    ):
        fail(
            f"{path}: not what the demo writes; move it away, or choose another folder "
            "by --output"
        )


def _about(graph: Graph) -> str:
    nodes = sum(len(f.nodes) for f in graph.functions.values())
    return f"{len(graph.functions)} functions, {nodes} nodes"


def _arrays(tree: Any) -> list[Any]:
    import jax

    return jax.tree.leaves(tree)


def _held_out(folder: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """images (count, 8, 8) as float32, labels (count,)."""
    import numpy as np

    from blox.demo_data import HELD_OUT

    with np.load(folder / HELD_OUT) as digits:
        return digits["images"].astype(np.float32), digits["labels"]


def _run_loaded(graph: Graph, params: Any, images: Any) -> np.ndarray[Any, Any]:
    import jax
    import numpy as np

    from blox.runtime.build import build

    logits, _ = jax.jit(build(graph))(params, images)
    return np.asarray(logits)


def _run_generated(file: Path, model: Path, images: Any) -> np.ndarray[Any, Any]:
    import jax
    import numpy as np

    module = _imported(file)
    params = module.load_params(model)
    logits, _ = jax.jit(module.digits)(params, images)
    return np.asarray(logits)


def _imported(file: Path) -> ModuleType:
    """The module that a file of Python is; nothing is left beside the file."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("blox_demo_digits", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    old, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = old
    return module


def _picture(images: Any, guesses: Any, labels: Any) -> str:
    """The first digits, and in the last place the first that is read wrong."""
    wrong = [i for i in range(len(labels)) if guesses[i] != labels[i]]
    chosen = [i for i in range(len(labels)) if i not in wrong][: SHOWN - 1]
    chosen += wrong[:1]
    captions = [
        f"{guesses[i]}" if guesses[i] == labels[i] else f"{guesses[i]}, is {labels[i]}"
        for i in chosen
    ]
    return drawn([images[i] for i in chosen], captions, sys.stdout.encoding)


COMMANDS: dict[str, Callable[..., None]] = {"demo": demo}
