"""`blox import jax`: a model from the program that makes it."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blox.cli.init import WEIGHTS
from blox.cli.output import fail, place, platform_fault, say, usage
from blox.cli.writing import keep_apart
from blox.schema import BloxError
from blox.show.printable import printable

if TYPE_CHECKING:
    from blox.builder.values import Input

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
EXAMPLES = """
blox import jax acme.models:make_tagger tagger --input 'tokens=int32[batch,seq]'
blox import jax acme.models:make_cnn cnn --input 'image=float[batch,32,32,3]'
blox import jax acme.gpt:make gpt --input 'tokens=int32[1,seq]' --dim 'seq<=512'
blox import jax acme.gpt:make blocks --input 'tokens=int32[1,seq]' --partial blocks
"""


def import_jax(
    make: Annotated[
        str,
        typer.Argument(
            metavar="PACKAGE.MODULE:FUNCTION",
            help="A function of no arguments that returns the model, or a tuple of the "
            "model and its params.",
            show_default=False,
        ),
    ],
    dst: Annotated[
        str,
        typer.Argument(
            metavar="DST", help="The model folder to write.", show_default=False
        ),
    ],
    inputs: Annotated[
        list[str],
        typer.Option(
            "--input",
            metavar="NAME=DTYPE[SIZE,...]",
            help="What the model is called with, in order: sizes are numbers, or names "
            "for those that may be any. Repeatable.",
            show_default=False,
        ),
    ],
    dim: Annotated[
        list[str] | None,
        typer.Option(
            "--dim",
            metavar="NAME<=SIZE",
            help="What bounds a size, such as seq<=512 or 2<=seq. Repeatable.",
            show_default=False,
        ),
    ] = None,
    cache: Annotated[
        list[str] | None,
        typer.Option(
            "--cache",
            metavar="NAME[SIZE,...]",
            help="An array that the model keeps for each item of the batch, such as "
            "cached_key[batch,length,...]: an input, and an output with its next value. "
            "Repeatable.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Of the model; else its class or function's."
        ),
    ] = None,
    partial: Annotated[
        str | None,
        typer.Option(
            metavar="FUNCTION",
            help="Import what this function of the model, or the module at this path, "
            "computes, with what it is called with as inputs.",
        ),
    ] = None,
    unchecked: Annotated[
        bool,
        typer.Option("--no-check", help="Don't compare its numbers with the source's."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the model that is in DST.")
    ] = False,
) -> None:
    """Imports a model of JAX: of Equinox, Flax, Haiku, or a function of arrays.

    The module is imported and FUNCTION is run: that is your code, with all that it does.
    It is found as Python finds modules, in the current folder last. The model is compared
    with its source on random inputs. DST gets its spec, its weights, and where they lie in
    the source (source/origin.json).
    """
    module, function = _dotted(make)
    target = place(dst)
    if target.suffix in (".safetensors", ".json", ".msgpack"):
        usage(f"{dst}: expected a folder")
    declared = dict(map(_input, inputs))
    if len(declared) < len(inputs):
        usage("--input: expected names that differ, found one twice")
    caches = dict(map(_cache, cache or ()))
    bounds: dict[str, dict[str, int]] = {}
    for text in dim or []:
        of, bound = _bound(text)
        bounds.setdefault(of, {}).update(bound)
    keep_apart(target, (*WEIGHTS, "graph.json", "graph.msgpack"), force)
    from blox.importers.jax.public import from_jax
    from blox.io.save import save

    with _code_of(make):
        call = _found(module, function)
        say(f"{make}: imported and run, as code of yours")
        made = call()
        model, params = made if type(made) is tuple and len(made) == 2 else (made, None)
        graph, arrays, origin = from_jax(
            model,
            declared,
            params,
            name=name,
            dims=bounds,
            partial=partial,
            caches=caches or None,
            check=not unchecked,
        )
    save(dst, graph, arrays, origin=origin)
    say("\n".join(printable(line) for line in str(origin.report).splitlines()))
    shown = printable(dst)
    say(f"{shown}: written, entries {', '.join(graph.entries)}")
    say(f"next: blox show {shown} --depth 1")


def _dotted(text: str) -> tuple[str, str]:
    """The module and the function; a name only, never a path or an expression."""
    if not re.fullmatch(rf"{_NAME}(\.{_NAME})*:{_NAME}", text):
        usage(
            f"{text}: expected PACKAGE.MODULE:FUNCTION, as in acme.models:make_tagger"
        )
    module, _, function = text.partition(":")
    return module, function


def _input(text: str) -> tuple[str, Input]:
    from blox.builder.values import Input

    found = re.fullmatch(rf"({_NAME})=([a-z][a-z0-9_]*)\[(.*)\]", text)
    if found is None:
        usage(
            f"--input {text}: expected a name, a dtype and sizes, as in "
            "tokens=int32[batch,seq]"
        )
    name, dtype, inner = found.groups()
    return name, Input(_sizes(f"--input {text}", inner), dtype)


def _cache(text: str) -> tuple[str, list[int | str]]:
    found = re.fullmatch(rf"({_NAME}(?:\.[A-Za-z0-9_]+)*)\[(.*)\]", text)
    if found is None:
        usage(
            f"--cache {text}: expected a name and sizes, as in "
            "cached_key[batch,length,...]"
        )
    return found[1], _sizes(f"--cache {text}", found[2])


def _sizes(option: str, text: str) -> list[int | str]:
    sizes = [size.strip() for size in text.split(",")] if text.strip() else []
    if "" in sizes:
        usage(f"{option}: expected sizes between commas, found none")
    return [int(s) if s.isdecimal() else s for s in sizes]


def _bound(text: str) -> tuple[str, dict[str, int]]:
    found = re.fullmatch(
        rf"(?:(\d{{1,15}})<=)?({_NAME})(?:<=(\d{{1,15}}))?", text.replace(" ", "")
    )
    if found is None or found[1] is found[3] is None:
        usage(
            f"--dim {text}: expected a name and a bound, as in seq<=512 or 2<=seq<=512"
        )
    sides = {"min": found[1], "max": found[3]}
    return found[2], {side: int(n) for side, n in sides.items() if n is not None}


def _found(module: str, function: str) -> Callable[[], Any]:
    sys.path.append(os.getcwd())  # last: a file here stands in for no installed package
    try:
        home = import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # of what the module imports
        usage(f"{module}: expected a module, found no {error.name}")
    finally:
        sys.path.pop()
    found: Any = getattr(home, function, None)
    if not callable(found):
        usage(f"{module}:{function}: expected a function of the module, found none")
    return found  # type: ignore[no-any-return]


@contextmanager
def _code_of(make: str) -> Iterator[None]:
    """What code of the user raises is shown as Python shows it."""
    try:
        yield
    except (BloxError, typer.Exit):
        raise
    except (Exception, SystemExit) as error:
        if platform_fault() is not None:
            raise
        lines = traceback.format_exception(error)
        for line in "".join(lines).splitlines():
            say(printable(line), err=True)
        fail(f"{make}: expected a model, found {type(error).__name__}")
