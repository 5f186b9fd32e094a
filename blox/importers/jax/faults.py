"""Faults of a model's own code, as one error that says where they are and what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from traceback import walk_tb
from typing import Any

import jax

import blox as bx
from blox.schema.diagnostics import cut

from .files import is_own
from .frontends.layers import converted

_ADVICE: tuple[tuple[type[Exception], str, str], ...] = (
    (
        jax.errors.TracerBoolConversionError,
        "code that does the same for all values, found a decision by one (if, while, "
        "and, or, assert)",
        "jnp.where or jax.lax.cond chooses by values; a setting is bound to the "
        "function, functools.partial(f, flag=True)",
    ),
    (
        jax.errors.TracerIntegerConversionError,
        "a number that the code knows, found one that is computed (range, an index of a "
        "list)",
        "jax.lax.fori_loop counts to values, and x[i] of an array takes one; a setting "
        "is bound to the function, functools.partial(f, count=3)",
    ),
    (
        jax.errors.NonConcreteBooleanIndexError,
        "arrays of sizes that don't depend on values, found an index by a mask",
        "jnp.where(mask, x, 0) keeps the size",
    ),
    (
        jax.errors.UnexpectedTracerError,
        "arrays, found one that another trace of JAX left behind",
        "keep nothing that a function under jax.jit, grad or vmap computes but what it "
        "returns",
    ),
    (
        jax.errors.TracerArrayConversionError,
        "code that JAX can trace, found what makes an array of NumPy of a value",
        "call jax.numpy in place of numpy on what flows",
    ),
    (
        jax.errors.ConcretizationTypeError,
        "code that JAX can trace, found what needs a value (float(x), int(x), x.item(), a "
        "size that is computed)",
        "x.astype(...) casts; a setting is bound to the function, "
        "functools.partial(f, scale=2.0)",
    ),
)
"""What is expected and found, and what to do, by the kinds of error that JAX has."""
_AXIS = (
    "code that runs alone, found a collective (psum, pmean) over an axis by name",
    "import what one device computes: without pmap or shard_map, axis_name=None",
)
_OF_MODELS = ("equinox", "flax", "haiku")


@contextmanager
def running(name: str, inputs: Mapping[str, bx.Input]) -> Iterator[None]:
    """What the code of a model raises meanwhile is a SpecError that names its line.

    Args:
        name: of the model, for what comes from none of its lines.
        inputs: what it is called with.
    """
    try:
        yield
    except bx.BloxError:
        raise
    except Exception as error:  # whatever code does
        raise fault(error, name, inputs) from error


def fault(error: Exception, name: str, inputs: Mapping[str, bx.Input]) -> bx.SpecError:
    """The SpecError of an error of a model's code."""
    line, owner = line_of(error), owner_of(error)
    at = f", at {line}" if line else ""
    path = f"{name}.{owner}" if owner else name
    if (known := _known(error)) is not None:
        message, hint = known
        return bx.SpecError.one("import-code", path, f"expected {message}{at}", hint)
    first = cut(_first(error), "", 240)
    given = ", ".join(f"{n} {_shown(i)}" for n, i in inputs.items()) or "no inputs"
    return bx.SpecError.one(
        "import-code",
        path,
        f"expected code that runs on {given}, found {type(error).__name__}: {first}{at}",
        "mend it, or what it is given: model, inputs=, params=, and caches= where "
        "what it keeps has a size by name",
    )


def _known(error: Exception) -> tuple[str, str] | None:
    if isinstance(error, NameError):
        return _AXIS if "unbound axis" in str(error) else None
    found = (said for kind, *said in _ADVICE if isinstance(error, kind))
    message, hint = next(found, ("", ""))
    return (message, hint) if message else None


def line_of(error: Exception) -> str:
    """The innermost line of the model's own files that an error went through; of a library
    of models where it has none, and "" where there is neither."""
    for wanted in (is_own, _is_of_models):
        lines = [
            f"{frame.f_code.co_filename}:{line}"
            for frame, line in walk_tb(error.__traceback__)
            if wanted(frame.f_code.co_filename)
        ]
        if lines:
            return lines[-1]
    return ""


def _is_of_models(file: str) -> bool:
    parts = file.replace("\\", "/").split("/")
    folders = [p for p in ("site-packages", "dist-packages") if p in parts]
    return any(parts[parts.index(f) + 1] in _OF_MODELS for f in folders)


def owner_of(error: Exception) -> str:
    """The innermost module that an error came from, by its path: `mlp.layers.0`."""
    owners: list[Any] = []
    for frame, _ in walk_tb(error.__traceback__):
        given = frame.f_locals
        layer = frame.f_code is converted.__code__  # a known layer, as ops
        owner = given["placed"][0] if layer else given.get("self")
        if _is_module(owner) and not any(owner is known for known in owners):
            owners.append(owner)
    if not owners:
        return ""
    linen, haiku = (sys.modules.get(n) for n in ("flax.linen", "haiku"))
    if linen is not None and isinstance(owners[-1], linen.Module):
        return ".".join(owners[-1].path)
    if haiku is not None and isinstance(owners[-1], haiku.Module):
        parts = owners[-1].module_name.split("/")
        return ".".join(part for part in parts if part != "~")
    pairs = pairwise(owners)
    return ".".join(part for pair in pairs for part in _path_to(*pair))


def _is_module(value: Any) -> bool:
    return any(cls.__name__ == "Module" for cls in type(value).__mro__)


def _path_to(parent: Any, child: Any) -> list[str]:
    """Where an object lies among the attributes of another: at one, or in a list of it."""
    for name, value in vars(parent).items():
        if value is child:
            return [name]
        is_list = isinstance(value, Sequence) and not isinstance(value, str)
        inner = dict(enumerate(value)) if is_list else value
        for key, each in inner.items() if isinstance(inner, dict) else ():
            if each is child:
                return [name, str(key)]
    return []


def _first(error: Exception) -> str:
    """The first line of its text, without the end of the sentence."""
    return (
        str(error).strip().partition("\n")[0].strip().rstrip(".") or "no reason given"
    )


def _shown(declared: bx.Input) -> str:
    return f"{declared.dtype}[{', '.join(map(str, declared.shape))}]"
