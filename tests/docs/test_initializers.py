"""docs/initializers.md and the column `starts as` of docs/ops: what `bx.init` does."""

from __future__ import annotations

import json
import math
import re
import zlib
from importlib import import_module
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from docs.pages import ROOT
from ops.rows import ROWS
from sample_specs import spec

import blox as bx
from blox.dev import initializer_docs
from blox.schema import op_class, op_names
from blox.schema.initializers import INITIALIZERS
from blox.schema.op import Op, ParamOp
from blox.schema.ops.index import FAMILIES

PAGE = (ROOT / "docs" / "initializers.md").read_text(encoding="utf-8")
KEY = jax.random.key(5)
OWNERS = [n for n in op_names() if issubclass(op_class(n) or Op, ParamOp)]
CASES = [
    (name, dtype)
    for name in OWNERS
    for dtype in (
        ("float", "int32") if (op_class(name) or Op).fields().dtypes else ("",)
    )
]
ELSEWHERE = dict(re.findall(r"^\| (`.*`) \| `(\{.*\})` \|$", PAGE, re.MULTILINE))


def drawn(data: Any, key: Any, shape: Any, dtype: Any) -> Any:
    """By JAX alone, of the text on a page."""
    name, *arguments = data.items()
    function = getattr(jax.nn.initializers, name[1])
    if arguments or name[1] not in ("zeros", "ones"):
        function = function(**dict(arguments))
    return function(key, shape, dtype)


def start(data: Any, shape: tuple[int, ...], dtype: str = "float") -> Any:
    """By `bx.init`, of an array that says how it starts."""
    node = {
        "op": "param",
        "shape": list(shape),
        "dtype": dtype,
        "init": {"value": data},
    }
    return bx.init(bx.Graph.parse(spec({"w": node})), KEY)["w"]


# --- Pages of ops --------------------------------------------------------------------


def rows(name: str) -> dict[str, str]:
    """The last column of an op's table, by array."""
    family = next(f for f, names in FAMILIES.items() if name in names)
    page = (ROOT / "docs" / "ops" / f"{family}.md").read_text(encoding="utf-8")
    section = re.split(rf"^## {re.escape(name)}$", page, flags=re.MULTILINE)[1]
    table = re.findall(
        r"^\| (.*?) \|.*\| ([^|]*) \|$", section.split("\n## ")[0], re.MULTILINE
    )
    return {
        "" if "itself" in a else a.split("`")[1]: text
        for a, text in table
        if "`" in a or "itself" in a
    }


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_arrays_of_an_op_start_as_its_page_says(name: str, dtype: str) -> None:
    cls = op_class(name)
    assert cls is not None
    row = ROWS[name][0]
    inputs = {
        f"x{i}": {"shape": list(np.shape(x)), "dtype": _dtype(x)}
        for i, x in enumerate(row.operands)
    }
    node = {
        "op": name,
        **row.attributes,
        **dict(zip(cls.fields().operands, inputs, strict=False)),
    }
    nodes = {"node": node | dict.fromkeys(cls.fields().dtypes if dtype else (), dtype)}
    if cls.OUTPUT_KIND == "key":
        inputs = {"x": {"shape": [2], "dtype": "float"}}
        nodes["use"] = {"op": "dropout", "x": "x", "key": "node", "rate": 0.5}
    last = [*nodes][-1]
    outputs = [*cls.OUTPUTS]
    several = cls.OUTPUT_KIND != "key" and len(outputs) > 1
    output = f"{last}.{outputs[0]}" if several else last
    params = bx.init(bx.Graph.parse(spec(nodes, output, inputs)), KEY)["node"]
    said = rows(name)
    found = params if isinstance(params, dict) else {"": params}
    assert found.keys() <= said.keys()
    for array, value in found.items():
        texts = re.findall(r"`(\{.*?\})`", said[array])
        if not texts:
            assert said[array] == "data of a key of its own"
            assert name == "rng"
            continue
        data = json.loads(texts[-1 if dtype == "int32" else 0])
        path = f"node.{array}".removesuffix(".")
        key = jax.random.fold_in(KEY, zlib.crc32(path.encode()))
        np.testing.assert_allclose(
            value, drawn(data, key, value.shape, value.dtype), 1e-6
        )


def _dtype(x: Any) -> str:
    dtype = str(x.dtype)
    return "key" if dtype.startswith("key") else dtype.replace("float32", "float")


# --- The page of initialisers --------------------------------------------------------


def test_the_page_is_fresh() -> None:
    stale = "is stale; run python -m blox.dev.regenerate"
    assert initializer_docs.text() == PAGE, stale


def test_every_initialiser_and_argument_has_its_words() -> None:
    assert re.findall(r"^## (\w+)$", PAGE, re.MULTILINE) == [*INITIALIZERS, "Elsewhere"]
    for cls in INITIALIZERS.values():
        for field in cls.model_fields.keys() - {"name"}:
            assert cls.model_fields[field].description


@pytest.mark.parametrize("names", [n for n in ELSEWHERE if "torch" not in n])
def test_names_of_jax_are_what_the_page_writes_for_them(names: str) -> None:
    found = start(json.loads(ELSEWHERE[names]), (8, 6))
    key = jax.random.fold_in(KEY, zlib.crc32(b"w"))
    functions = [
        getattr(jax.nn.initializers, n, None) for n in re.findall(r"\w+", names)
    ]
    for function in filter(None, functions):
        np.testing.assert_allclose(found, function()(key, (8, 6)), 1e-6)
    assert any(functions)


@pytest.mark.parity
@pytest.mark.parametrize("names", [n for n in ELSEWHERE if "torch" in n])
def test_names_of_pytorch_are_what_the_page_writes_for_them(names: str) -> None:
    """Their greatest value and their standard deviation, of 200,000 numbers."""
    torch = import_module("torch")
    torch.manual_seed(0)
    for name in re.findall(r"[\w.]+", names):
        made = getattr(
            torch.nn.init if ".init." in name else torch.nn, name.split(".")[-1]
        )
        if ".init." in name:
            there = made(torch.empty(500, 400)).numpy().T
        else:
            sizes = (25, 80, 10) if name.endswith("Conv2d") else (500, 400)
            there = made(*sizes).weight.detach().numpy().T
        here = start(json.loads(ELSEWHERE[names]), there.shape)
        assert np.std(here) == pytest.approx(np.std(there), rel=0.02)
        assert np.max(here) == pytest.approx(np.max(there), rel=0.2)


def test_the_formulas_hold() -> None:
    """Variances and ranges as the page has them, of arrays of 100,000 numbers."""
    shape = (3, 5, 40, 200)  # spatial axes, inputs, outputs
    fans = {"fan_in": 600.0, "fan_out": 3000.0, "fan_avg": 1800.0}
    fans["fan_geo_avg"] = math.sqrt(600.0 * 3000.0)
    pairs = [(mode, "normal") for mode in fans]
    arrays: dict[str, Any] = {}
    for mode, kind in [*pairs, ("fan_in", "truncated_normal"), ("fan_in", "uniform")]:
        scaled = {"name": "variance_scaling", "scale": 2.0, "mode": mode}
        array = arrays[kind] = start({**scaled, "distribution": kind}, shape)
        assert np.var(array) == pytest.approx(2.0 / fans[mode], rel=0.02)
        assert abs(np.mean(array)) < 0.02 * np.std(array)
    assert np.max(np.abs(arrays["uniform"])) == pytest.approx(
        math.sqrt(6.0 / 600.0), rel=1e-3
    )
    cut = start({"name": "truncated_normal", "stddev": 3.0}, shape)
    assert np.std(cut) == pytest.approx(3.0 * 0.88, rel=0.01)
    assert np.max(np.abs(cut)) <= 6.0
    flat = start({"name": "uniform", "scale": 3.0}, shape)
    assert np.min(flat) >= 0.0
    assert np.max(flat) < 3.0
    assert np.mean(flat) == pytest.approx(1.5, rel=0.01)


def test_orthogonal_is_so_along_the_shorter_side() -> None:
    for shape in ((2, 3, 4), (2, 2, 6)):
        w = np.asarray(start({"name": "orthogonal", "scale": 2.0}, shape)).reshape(
            -1, shape[-1]
        )
        w = w.T if w.shape[0] > w.shape[1] else w
        np.testing.assert_allclose(w @ w.T, 4.0 * np.eye(len(w)), atol=1e-5)
    kernel = np.array(start({"name": "delta_orthogonal"}, (3, 3, 2, 4)))
    np.testing.assert_allclose(kernel[1, 1] @ kernel[1, 1].T, np.eye(2), atol=1e-5)
    kernel[1, 1] = 0.0
    assert not kernel.any()


@pytest.mark.parametrize(
    "name", [n for n, cls in INITIALIZERS.items() if not cls.DRAWS]
)
def test_what_starts_integers(name: str) -> None:
    data = {"name": name, **({"value": 3.0} if name == "constant" else {})}
    assert (
        "Integers and booleans start so, too."
        in PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]
    )
    for dtype in ("int32", "bool"):
        numbers = {"zeros": [0, 0], "ones": [1, 1], "constant": [3, 3]}
        wanted = jnp.array(numbers.get(name, [0, 1]), dtype)
        np.testing.assert_array_equal(start(data, (2,), dtype), wanted)
