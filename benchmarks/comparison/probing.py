"""What the probes of all libraries share: data, and how what happens is said."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

TOKENS = jnp.arange(32).reshape(4, 8) * 7 % 31
FEATURES = 3
BATCH = jnp.arange(24.0).reshape(8, FEATURES) ** 2 % 11
ONES = jnp.ones((4, 64))
OPTIMIZER = optax.sgd(0.1, momentum=0.9)
_NAMES = """
associative_scan checkify checkpoint closure_convert cond custom_jvp custom_vjp eval_shape
fori_loop grad hessian jacfwd jacrev jit jvp linearize make_jaxpr map pmap pure_callback
remat scan shard_map switch value_and_grad vjp vmap while_loop
"""
TRANSFORMS = frozenset(_NAMES.split())
"""Transforms and control flow of JAX."""
RUN = """
import jax, jax.numpy as jnp, numpy as np
{setup}
x = jnp.arange(32).reshape(4, 8) * 7 % 31
print(*np.ravel({call})[:99])
"""
"""What a new process runs of a saved model."""
ALIKE = "runs, as three calls do"
SETTINGS = ("heads", "rate", "gelu")


def said(error: BaseException) -> str:
    """The kind of an error and its first sentence."""
    text = re.sub(r"<function .*? at 0x\w+>", "the function", str(error))
    first = re.split(r"\.\s|\n|\s\(", text.strip())[0]
    return f"{type(error).__name__}: {first[:90]}{'…' if len(first) > 90 else ''}"


def filled(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """An array of any library by its path in blox: numbers that come of the path."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    drawn = rng.normal(0, 0.2, shape)
    around = {"var": np.abs(drawn) + 0.5, "scale": drawn + 1}
    return around.get(name.split(".")[-1], drawn).astype(np.float32)


def some(logits: Any) -> list[float]:
    """A few of the numbers, which are the same in all libraries."""
    return [round(float(a), 5) for a in np.ravel(logits)[::211]]


def tried(run: Callable[[], Any]) -> Any:
    """What it gives, or what its error says."""
    try:
        return run()
    except Exception as error:
        return said(error)


def yes(truth: Any) -> str:
    return "yes" if truth else "no"


def cross_entropy(logits: jax.Array, tokens: jax.Array) -> jax.Array:
    """The loss: each place is to say the next token."""
    labels = jnp.roll(tokens, -1, axis=1)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return jnp.mean(losses)


def compilations(run: Callable[[], Any]) -> int:
    """How many programs XLA compiles for it."""
    seen: list[str] = []

    def listen(event: str, _: float, **rest: Any) -> None:
        if event.endswith("backend_compile_duration"):
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        jax.block_until_ready(run())
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    return len(seen)


def either(plain: Callable[[], str], *own: tuple[str, Callable[[], str]]) -> str:
    """What a plain transform gives, and where that is not right what the way of the
    library gives, by name."""
    found = tried(plain)
    if found in ("right", ALIKE):
        return found
    return "; ".join([found, *(f"{name}: {tried(run)}" for name, run in own)])


def masks(y: Any) -> str:
    """How many of the rows of dropped ones differ."""
    rows = {np.asarray(row).tobytes() for row in y}
    return f"{len(rows)} of {len(y)}"


def moved(before: dict[str, Any], after: dict[str, Any]) -> str:
    return f"{len(changed(before, after))} of {len(before)}"


def in_force(count: int, dropped: Any) -> str:
    """Programs compiled for another rate, and whether the new one counts."""
    counts = np.mean(np.asarray(dropped) == 0) > 0.5
    plural = "program" if count == 1 else "programs"
    return f"{count} {plural} compiled, {'in force' if counts else 'not in force'}"


def listed(names: list[str]) -> str:
    text = ": " + ", ".join(f"`{n}`" for n in names) if names else ""
    return f"{len(names)}{text}"


def path(keys: Any) -> str:
    return jax.tree_util.keystr(keys)


def leaves(tree: Any) -> dict[str, Any]:
    return {path(k): v for k, v in jax.tree_util.tree_leaves_with_path(tree)}


def numbers(tree: Any) -> dict[str, np.ndarray]:
    """The arrays of a tree by path; keys by their numbers."""
    found = {}
    for name, leaf in leaves(tree).items():
        if isinstance(leaf, jax.Array):
            if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
                leaf = jax.random.key_data(leaf)
            found[name] = np.asarray(leaf)
    return found


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The paths whose values differ."""
    return [n for n, a in before.items() if not np.array_equal(a, after[n])]


def others(tree: Any) -> str:
    """The leaves of a tree that are no arrays, counted, with the first one."""
    found = {n: v for n, v in leaves(tree).items() if not isinstance(v, jax.Array)}
    first = next((f", as `{n}` = `{v!r}`" for n, v in found.items()), "")
    return f"{len(found)}{first}"


def same_tree(before: Any, after: Any) -> str:
    def kinds(tree: Any) -> Any:
        return [(jnp.shape(a), getattr(a, "dtype", a)) for a in jax.tree.leaves(tree)]

    same = jax.tree.structure(before) == jax.tree.structure(after)
    return yes(same and kinds(before) == kinds(after))


def alike(found: Any, expected: Any) -> str:
    """Are the arrays those that three calls give, one after another?"""
    pairs = zip(numbers(found).values(), numbers(expected).values(), strict=True)
    same = all(np.allclose(a, b, rtol=1e-3, atol=1e-3) for a, b in pairs)
    return ALIKE if same else "runs, other numbers than three calls"


def keys_in(tree: Any) -> str:
    """The keys for random numbers among the leaves."""

    def is_key(leaf: Any) -> bool:
        kind = getattr(leaf, "dtype", None)
        return kind is not None and jnp.issubdtype(kind, jax.dtypes.prng_key)

    return str(sum(map(is_key, jax.tree.leaves(tree))))


def own_transforms(module: ModuleType) -> list[str]:
    """Public names of a module that wrap a transform of JAX, by its name."""
    parts = re.compile(r"^(filter|static|dynamic)_")
    return [n for n in dir(module) if parts.sub("", n) in TRANSFORMS]


def statistics(found: Any, calls: int = 1) -> str:
    """Is it the running mean after calls with `BATCH`, from zeros, with momentum 0.9?"""
    expected = (1 - 0.9**calls) * np.mean(BATCH, axis=0)
    if np.allclose(found, expected, rtol=1e-4):
        return "right"
    return "lost" if np.allclose(found, 0) else f"other: {np.round(found, 3)}"


def two_devices() -> jax.sharding.Mesh:
    return jax.make_mesh((2,), ("data",), (jax.sharding.AxisType.Auto,))


def in_a_new_process(code: str, folder: Path) -> str:
    """What code prints in a process that has the libraries, and not these files."""
    run = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    if run.returncode:
        return run.stderr.strip().splitlines()[-1]
    return run.stdout.strip()


def exported(function: Callable[[Any], Any]) -> str:
    """Does a new process run what `jax.export` wrote of a function of the tokens?"""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "model.stablehlo"
        tokens = jax.ShapeDtypeStruct(TOKENS.shape, TOKENS.dtype)
        file.write_bytes(jax.export.export(jax.jit(function))(tokens).serialize())
        read = "import jax.export; file = open('model.stablehlo', 'rb').read()"
        call = "jax.export.deserialize(bytearray(file)).call(x)"
        code = RUN.format(setup=read, call=call)
        return same_outputs(in_a_new_process(code, Path(name)), function(TOKENS))


def same_outputs(printed: str, expected: Any) -> str:
    try:
        found = np.array(printed.split(), float)
    except ValueError:
        return printed[:100]
    same = np.allclose(found, np.ravel(expected)[: found.size], rtol=1e-4, atol=1e-5)
    return "runs, the same outputs" if same else "runs, other outputs"


def words(folder: Path) -> str:
    """Those of `SETTINGS` that the files of a folder say."""
    text = b"".join(f.read_bytes() for f in folder.rglob("*") if f.is_file())
    found = [s for s in SETTINGS if s.encode() in text]
    return ", ".join(f"`{s}`" for s in found) or "none"


def files(folder: Path) -> str:
    """The files of a folder, by name where they are few."""
    found = sorted(
        f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()
    )
    return ", ".join(f"`{f}`" for f in found) if len(found) < 4 else "a folder"
