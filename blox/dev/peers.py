"""The names that other libraries have: `python -m blox.dev.peers` writes `peers.json`.

It needs the libraries that it reads: those of the extra `parity`, and for `--jax-blox` a
folder that `pip install --target FOLDER --no-deps jax-blox` made, as that package is called
`blox` too. What is made of the names, `docs/coverage.md`, needs none of them.
"""

from __future__ import annotations

import argparse
import ast
import json
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import distributions, version
from inspect import isclass, signature
from pathlib import Path
from types import ModuleType
from typing import Any

FILE = Path(__file__).with_name("peers.json")
JAX_BLOX = "blox"
"""The module of jax-blox, of which there is only `__all__`."""
LAYERS = {
    "equinox.nn": "equinox",
    "flax.nnx": "flax",
    "flax.nnx.nn.initializers": "flax",
    "jax.nn": "jax",
    "jax.nn.initializers": "jax",
}
"""Modules of layers, activations and initialisers: all that they have stands in a table."""
CLASSES = ("equinox.nn", "flax.nnx")
"""Those whose layers are classes: what they are made with stands in a table too."""
FUNCTIONS = {
    "jax.numpy": "jax",
    "jax.numpy.linalg": "jax",
    "jax.numpy.fft": "jax",
    "jax.lax": "jax",
    "jax.scipy.special": "jax",
    "jax.random": "jax",
    "jax.image": "jax",
    "jax.ops": "jax",
}
"""Modules of functions: how many of them are ops is a number."""
NNX = ("flax.nnx.nn.", "flax.nnx.helpers", "flax.nnx.transforms.iteration")
"""Where the layers of Flax NNX come from, its containers and loops; its other names are
about modules as objects, their variables, and training."""


@cache
def enumerated(module: str) -> list[str]:
    """The public callables of an installed module, by name, in order."""
    found = import_module(module)
    return sorted(name for name, _ in _callables(found))


def _callables(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name in dir(module):
        thing = getattr(module, name)
        if name.startswith("_") or isinstance(thing, ModuleType) or not callable(thing):
            continue
        home = str(getattr(thing, "__module__", ""))
        if home.split(".")[0] == "typing":
            continue
        other = not home.startswith((*NNX, "jax", "flax.linen"))
        if module.__name__ == "flax.nnx" and other:
            continue
        yield name, thing


@cache
def made_with(module: str) -> list[str]:
    """The arguments that the classes among these take, by name, in order."""
    names: set[str] = set()
    for _, thing in _callables(import_module(module)):
        if isclass(thing) and thing.__module__.startswith(("equinox.nn", NNX[0])):
            names |= {*signature(thing.__init__).parameters} - {"self"}
    return sorted(names)


def released(folder: Path) -> list[str]:
    """`__all__` of the package `blox` in a folder, which is read and not imported."""
    tree = ast.parse((folder / JAX_BLOX / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                return sorted(ast.literal_eval(value))
    raise SystemExit(f"{folder}: expected jax-blox with __all__, found none")


def released_arguments(folder: Path) -> list[str]:
    """The arguments of the layers of jax-blox, read likewise."""
    tree = ast.parse((folder / JAX_BLOX / "blocks.py").read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name="__init__", args=given):
                names |= {a.arg for a in (*given.args, *given.kwonlyargs)} - {"self"}
    return sorted(names)


def _entry(name: str, release: str, *names: list[str]) -> dict[str, Any]:
    keys = ("names", "arguments")
    texts = {key: " ".join(own) for key, own in zip(keys, names, strict=False)}
    return {"package": name, "version": release, **texts}


def main(arguments: list[str] | None = None) -> None:
    """Writes the names of what is installed; what is not stays as it is."""
    parser = argparse.ArgumentParser(prog="python -m blox.dev.peers")
    parser.add_argument("--jax-blox", type=Path, help="a folder that it lies in")
    folder = parser.parse_args(arguments).jax_blox
    known = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    if folder is not None:
        (found,) = distributions(name="jax-blox", path=[str(folder)])
        both = released(folder), released_arguments(folder)
        known["jax-blox"] = _entry("jax-blox", found.version, *both)
    for module, package in {**LAYERS, **FUNCTIONS}.items():
        names = [enumerated(module)]
        if module in CLASSES:
            names.append(made_with(module))
        known[module] = _entry(package, version(package), *names)
    FILE.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
