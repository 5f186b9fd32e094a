"""`blox import jax`: what the user's own code makes, as a model with its origin."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import blox as bx

CODE = '''
"""Models as a user has them."""

import jax.numpy as jnp
import numpy as np


def scale(params, x):
    return jnp.tanh(x * params["gain"]) @ params["kernel"]


def make():
    rng = np.random.default_rng(0)
    return scale, {"gain": jnp.ones(4), "kernel": jnp.asarray(rng.normal(size=(4, 3)))}


def make_bare():
    return lambda x: jnp.sum(x, axis=-1)


def make_nothing():
    return 3


def make_broken():
    raise KeyError("no\\x1b[31m weights")


def make_exit():
    raise SystemExit(0)


def make_callback():
    import jax

    return lambda x: jax.pure_callback(np.abs, x, x)


def double(x, train=False):
    return x + x if x.shape[0] > 3 else -x


def counted(x, total):
    return {"out": x * 2, "total": total + jnp.sum(x, axis=-1)}


def make_counted():
    return counted


def make_parts():
    return lambda x: jnp.tanh(double(x * 2))


LIMIT = 3
'''
X = ("--input", "x=float[batch,4]")


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a package `acme_models`, which is the current one."""
    package = tmp_path / "acme_models"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "nets.py").write_text(CODE)
    (package / "broken.py").write_text("import acme_absent\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def _forget() -> Any:
    yield
    for name in [n for n in sys.modules if n.split(".")[0] == "acme_models"]:
        del sys.modules[name]


def test_a_model_and_its_origin_are_written(
    blox: Callable[..., Any], acme: Path
) -> None:
    run = blox("import", "jax", "acme_models.nets:make", "net", *X, "--name", "scaled")
    assert (run.code, run.err) == (0, "")
    first, *table, written, following = run.out.splitlines()
    assert first == "acme_models.nets:make: imported and run, as code of yours"
    assert table[0].split() == ["sizes", "dtype", "greatest", "difference"]
    assert written == "net: written, entries main"
    assert following == "next: blox show net --depth 1"
    graph, params = bx.load("net")
    assert graph.name == "scaled"
    sys.path.append(str(acme))
    try:
        from acme_models.nets import make  # type: ignore[import-not-found]
    finally:
        sys.path.pop()
    function, tree = make()
    x = np.ones((2, 4), "float32")
    np.testing.assert_allclose(
        bx.build(graph)(params, x)[0], function(tree, x), rtol=1e-5
    )
    back = bx.load_origin("net").export(params, like=tree)
    jax.tree.map(np.testing.assert_array_equal, back, tree)
    assert blox("validate", "net", "--strict").code == 0

    again = blox("import", "jax", "acme_models.nets:make", "net", *X)
    assert again.code == 1
    assert "net: expected a new place, found graph.json" in again.err
    assert "imported and run" not in again.out  # refused before


def test_a_function_without_params_with_a_bound(
    blox: Callable[..., Any], acme: Path
) -> None:
    run = blox(
        *("import", "jax", "acme_models.nets:make_bare", "net"),
        *("--input", "x=float[batch, 4]", "--dim", "2 <= batch<=8", "--no-check"),
    )
    assert run.code == 0
    assert "not compared" in run.out
    bounds = bx.load_graph("net").dims["batch"]
    assert (bounds.min, bounds.max) == (2, 8)


def test_a_part_and_what_python_decided(blox: Callable[..., Any], acme: Path) -> None:
    make = "acme_models.nets:make_parts"
    run = blox("import", "jax", make, "net", *X, "--no-check", "--partial", "double")
    assert run.code == 0
    (node,) = bx.load_graph("net").functions["main"].nodes.values()
    assert node.op == "add"
    assert "a comparison of batch is decided by min 4" in run.out
    assert "double with train=False" in run.out

    run = blox("import", "jax", make, "other", *X, "--partial", "doubled")
    assert run.code == 1
    assert "did you mean double?" in run.err


def test_a_cache_is_an_input_and_its_next_value(
    blox: Callable[..., Any], acme: Path
) -> None:
    made = ("import", "jax", "acme_models.nets:make_counted", "net", "--no-check")
    run = blox(*made, *X, "--input", "total=float[batch]", "--cache", "total[batch]")
    assert (run.code, run.err) == (0, "")
    main = bx.load_graph("net").functions["main"]
    assert main.outputs["total"].next == "total"


@pytest.mark.parametrize(
    ("make", "more", "message"),
    [
        ("make.py:make", (), "expected a module, found no make"),
        ("acme/nets.py", (), "expected PACKAGE.MODULE:FUNCTION"),
        ("../x:make", (), "expected PACKAGE.MODULE:FUNCTION"),
        ("acme_models.nets", (), "expected PACKAGE.MODULE:FUNCTION"),
        ("acme_models.nets:make()", (), "expected PACKAGE.MODULE:FUNCTION"),
        ("acme_models.nets:os.remove", (), "expected PACKAGE.MODULE:FUNCTION"),
        ("acme_models.other:make", (), "expected a module, found no acme_models.other"),
        ("acme_models.nets:absent", (), "expected a function of the module"),
        ("acme_models.nets:LIMIT", (), "expected a function of the module"),
        ("acme_models.nets:make", ("--input", "y"), "--input y: expected a name"),
        ("acme_models.nets:make", ("--input", "y=float"), "expected a name, a dtype"),
        ("acme_models.nets:make", ("--input", "y=float[a,,b]"), "between commas"),
        ("acme_models.nets:make", ("--cache", "k"), "expected a name and sizes"),
        ("acme_models.nets:make", X, "found one twice"),
        ("acme_models.nets:make", ("--dim", "batch"), "expected a name and a bound"),
        ("acme_models.nets:make", ("--dim", "batch<4"), "expected a name and a bound"),
    ],
)
def test_wrong_usage_ends_with_2_and_writes_nothing(
    blox: Callable[..., Any], acme: Path, make: str, more: tuple[str, ...], message: str
) -> None:
    run = blox("import", "jax", make, "net", *X, *more)
    assert run.code == 2
    assert message in run.err
    assert not Path("net").exists()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        ("nets:make_nothing", "blox: expected a module of Equinox, Flax or Haiku"),
        ("nets:make_callback", "pure_callback"),
        ("nets:make_broken", "nets:make_broken: expected a model, found KeyError"),
        ("nets:make_exit", "nets:make_exit: expected a model, found SystemExit"),
        ("broken:make", "broken:make: expected a model, found ModuleNotFoundError"),
    ],
)
def test_what_cannot_be_imported_ends_with_1_and_writes_nothing(
    blox: Callable[..., Any], acme: Path, make: str, message: str
) -> None:
    run = blox("import", "jax", f"acme_models.{make}", "net", *X)
    assert run.code == 1
    assert message in run.err
    assert "\x1b" not in run.err
    assert not Path("net").exists()


def test_a_folder_is_written_never_a_single_file(
    blox: Callable[..., Any], acme: Path
) -> None:
    run = blox("import", "jax", "acme_models.nets:make", "net.safetensors", *X)
    assert (run.code, run.out) == (2, "")
    assert "expected a folder" in run.err


def test_an_installed_package_comes_before_a_file_of_the_folder(
    blox: Callable[..., Any], acme: Path
) -> None:
    (acme / "numpy.py").write_text("raise SystemExit('not this one')\n")
    assert blox("import", "jax", "acme_models.nets:make", "net", *X).code == 0
