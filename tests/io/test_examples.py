"""The numeric contract: made by save, held by verify, refused where it is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sample_specs import function, spec
from saved_models import flat, init, layered, linear

import blox as bx
from blox.schema import Graph
from blox.weights import dump_flat, load_flat, read_headers, save_flat

X = np.linspace(-1, 1, 16).reshape(2, 8)


def two_entries() -> Graph:
    inputs = {"x": {"shape": ["batch", 8], "dtype": "float"}}
    data = spec({"y": linear()}, {"y": "y", "x": "x"}, entries=["main", "half"])
    nodes = {"h": {"op": "multiply", "a": "x", "b": 0.5}, "i": linear("h")}
    data["functions"]["half"] = function(nodes, {"out": "i"}, inputs)
    return Graph.parse(data)


def codes(folder: Path) -> list[tuple[str, str]]:
    return [(d.code, d.path) for d in bx.verify(folder)]


def test_outputs_are_computed_or_given(tmp_path: Path) -> None:
    graph = two_entries()
    params = init(graph)
    expected, _ = bx.build(graph)(params, jnp.asarray(X))
    examples: list[Any] = [
        {"x": X},
        bx.Example({"x": X}, expected, 1e-6),
        ([X], {"y": expected["y"]}),
        bx.Example([X], entry="half"),
    ]
    bx.save(tmp_path, graph, params, examples=examples)
    headers = read_headers(tmp_path / "examples.safetensors")
    assert sorted(headers.tensors) == [
        "0.inputs.x", "0.outputs.x", "0.outputs.y",
        "1.inputs.x", "1.outputs.x", "1.outputs.y",
        "2.inputs.x", "2.outputs.y",
        "3.inputs.x", "3.outputs.out",
    ]  # fmt: skip
    assert json.loads(headers.metadata["blox.examples"]) == [
        {"entry": "main", "tolerance": 1e-4},
        {"entry": "main", "tolerance": 1e-6},
        {"entry": "main", "tolerance": 1e-4},
        {"entry": "half", "tolerance": 1e-4},
    ]
    arrays = load_flat(headers)
    assert arrays["0.inputs.x"].dtype == jnp.float32
    np.testing.assert_allclose(arrays["0.outputs.y"], expected["y"], atol=1e-6)
    assert codes(tmp_path) == []
    # A second save without examples promises nothing.
    bx.save(tmp_path, graph, params)
    assert codes(tmp_path) == [("examples-none", "")]


def test_examples_run_with_exact_products(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On accelerators JAX rounds the factors of a product unless it is told not to."""
    graph = layered(scan=True)
    params = init(graph)
    traced: list[str | None] = []
    jit = jax.jit

    def watched(function: Any) -> Any:
        def traced_function(*args: Any, **kwargs: Any) -> Any:
            traced.append(jax.config.values["jax_default_matmul_precision"])
            return function(*args, **kwargs)

        return jit(traced_function)

    monkeypatch.setattr(jax, "jit", watched)
    bx.save(tmp_path, graph, params, examples=[{"x": X}])
    assert codes(tmp_path) == []
    assert traced == ["highest", "highest"]


def test_another_models_numbers_are_found(tmp_path: Path) -> None:
    graph = layered(scan=True)
    params = init(graph)
    bx.save(tmp_path, graph, params, examples=[{"x": X}, {"x": X[:1]}])
    promise = (tmp_path / "examples.safetensors").read_bytes()
    params["out"]["bias"] = params["out"]["bias"].at[1].add(0.01)
    bx.save(tmp_path, graph, params)
    (tmp_path / "examples.safetensors").write_bytes(promise)
    report = bx.verify(tmp_path)
    assert [(d.code, d.path) for d in report] == [
        ("example", "examples.0.outputs.y"),
        ("example", "examples.1.outputs.y"),
    ]
    assert report.diagnostics[0].message.startswith(
        "expected values within 0.0001, found one off by 0.00"
    )


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    graph = layered(scan=True)
    for name in ("params.safetensors", "examples.safetensors"):
        bx.save(tmp_path, graph, init(graph), examples=[{"x": X}])
        data = bytearray((tmp_path / name).read_bytes())
        data[-3] ^= 1
        (tmp_path / name).write_bytes(data)
        assert codes(tmp_path) == [("weights-checksum", name)]


def test_sixteen_bits_promise_less(tmp_path: Path) -> None:
    graph = layered(scan=True)
    params = init(graph, dtype="bfloat16")
    bx.save(tmp_path, graph, params, examples=[{"x": jnp.asarray(X, "bfloat16")}])
    found = read_headers(tmp_path / "examples.safetensors").metadata["blox.examples"]
    assert json.loads(found)[0]["tolerance"] == 2e-2
    assert codes(tmp_path) == []


def test_keys_and_absent_options(tmp_path: Path) -> None:
    inputs = {
        "x": {"shape": ["batch", 8], "dtype": "float"},
        "key": {"shape": [], "dtype": "key", "optional": True},
    }
    drop = {"op": "dropout", "x": "x", "key": "key", "rate": 0.5}
    graph = Graph.parse(spec({"y": drop}, inputs=inputs))
    key = jax.random.key(3)
    bx.save(tmp_path, graph, {}, examples=[{"x": X, "key": key}, {"x": X}])
    assert codes(tmp_path) == []
    arrays = load_flat(read_headers(tmp_path / "examples.safetensors"))
    np.testing.assert_array_equal(arrays["0.inputs.key"], jax.random.key_data(key))
    assert (np.asarray(arrays["0.outputs.y"]) == 0).any()
    np.testing.assert_allclose(arrays["1.outputs.y"], X, rtol=1e-6)


@pytest.mark.parametrize(
    ("example", "text"),
    [
        ({"z": X}, "examples.0.main.z: no such input; inputs are x"),
        ({"x": X[:, :7]}, "examples.0.main.x: expected shape"),
        (([X, X],), "examples.0.inputs: expected at most 1 inputs, found 2"),
        ((([X]), {"z": X}), "examples.0.outputs: expected outputs of main (y)"),
        (([X], None, -1.0), "examples.0.tolerance: expected at least 0, found -1.0"),
        (([X], None, float("nan")), "examples.0.tolerance: expected at least 0"),
        (([X], None, None, "no"), "no: expected an entry of the Graph: main"),
    ],
)
def test_examples_that_are_none(tmp_path: Path, example: Any, text: str) -> None:
    graph = layered(scan=True)
    with pytest.raises(bx.ModelError) as caught:
        bx.save(tmp_path / "m", graph, init(graph), examples=[example])
    assert text in str(caught.value)
    assert not (tmp_path / "m").exists()


GOOD = {"0.inputs.x": X.astype("float32"), "0.outputs.y": np.zeros((2, 4), "float32")}
DESCRIBED = '[{"entry": "main", "tolerance": 1.0}]'


@pytest.mark.parametrize(
    ("tensors", "described", "text"),
    [
        (GOOD, "[", "expected "),
        (GOOD, "[], \"examples\": []", "expected "),
        (GOOD, '[{"entry": "nope", "tolerance": 1}]', "expected an entry of the Graph"),
        (GOOD, '[{"entry": "main"}]', "expected an entry of the Graph and a tolerance"),
        (GOOD, '[{"entry": "main", "tolerance": true}]', "and a tolerance"),
        (GOOD, "[]", "expected tensors such as 0.inputs.x of examples that are"),
        (GOOD | {"1.inputs.x": X}, DESCRIBED, "found '1.inputs.x'"),
        (GOOD | {"0.state.x": X}, DESCRIBED, "found '0.state.x'"),
        (GOOD | {"0.inputs.z": X}, DESCRIBED, "examples.0.inputs: expected inputs"),
        ({"0.inputs.x": X}, DESCRIBED, "examples.0.outputs: expected outputs"),
        ({"0.outputs.y": X}, DESCRIBED, "examples.0.inputs: expected inputs of main"),
    ],
)  # fmt: skip
def test_files_that_are_no_examples(
    tmp_path: Path, tensors: dict[str, Any], described: str, text: str
) -> None:
    graph = layered(scan=True)
    bx.save(tmp_path, graph, init(graph))
    save_flat(
        tmp_path / "examples.safetensors",
        {n: np.asarray(a, "float32") for n, a in tensors.items()},
        metadata={"blox.examples": described},
    )
    for report in (bx.validate(tmp_path, shapes=False), bx.verify(tmp_path)):
        assert not report.ok
        assert text in str(report)


def test_outputs_of_another_shape_are_a_finding(tmp_path: Path) -> None:
    graph = layered(scan=True)
    bx.save(tmp_path, graph, init(graph))
    save_flat(
        tmp_path / "examples.safetensors",
        GOOD | {"0.outputs.y": np.zeros((2, 5), "float32")},
        metadata={"blox.examples": DESCRIBED},
    )
    (error,) = bx.verify(tmp_path).errors
    assert error.message == "expected float32[2, 5], found float32[2, 4]"


def test_a_model_without_a_checksum_is_warned_of(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    graph = layered(scan=True)
    bx.save(tmp_path, graph, init(graph))
    save_file(flat(init(graph)), tmp_path / "params.safetensors")
    report = bx.verify(tmp_path)
    assert report.ok
    assert [d.code for d in report] == ["weights-checksum", "examples-none"]


MADE: list[tuple[Any, str]] = [
    (1, "examples.0: expected an Example, its fields as a tuple, or inputs by name, "
     "found 'int'"),
    ("x", "examples.0: expected an Example, its fields as a tuple, or inputs by name, "
     "found 'str'"),
    (({}, None, None, None, 5), "examples.0: expected an Example, its fields as a "
     "tuple, or inputs by name, found 'tuple'"),
    (("x",), "examples.0: expected an Example, its fields as a tuple, or inputs by "
     "name, found 'tuple'"),
    ({"x": "text"}, "examples.0.inputs.x: expected an array, found 'str'"),
    ({"x": object()}, "examples.0.inputs.x: expected an array, found 'object'"),
    (bx.Example({"x": X}, None, "a"),  # type: ignore[arg-type]
     "examples.0.tolerance: expected at least 0, found 'a'"),
    (bx.Example({"x": X}, None, float("nan")),
     "examples.0.tolerance: expected at least 0, found nan"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "text"), MADE)
def test_what_is_no_example(given: Any, text: str, tmp_path: Path) -> None:
    graph = two_entries()
    with pytest.raises(bx.ModelError) as raised:
        bx.save(tmp_path, graph, init(graph), examples=[given])
    assert str(raised.value) == text


def stored(folder: Path, graph: Graph, tensors: dict[str, Any]) -> bx.Report:
    """What `verify` says of a model with one example of these tensors."""
    bx.save(folder, graph, init(graph))
    metadata = {"blox.examples": '[{"entry": "main", "tolerance": 1}]'}
    data = dump_flat(tensors, metadata=metadata)
    (folder / "examples.safetensors").write_bytes(data)
    return bx.verify(folder)


@pytest.mark.parametrize("shape", [(3,), (), (0,), (2,)])
def test_keys_that_are_none(shape: tuple[int, ...], tmp_path: Path) -> None:
    inputs = {
        "x": {"shape": ["batch", 8], "dtype": "float"},
        "key": {"shape": [], "dtype": "key"},
    }
    node = {"op": "dropout", "x": "x", "rate": 0.5, "key": "key"}
    graph = Graph.parse(spec({"n": node}, inputs=inputs))
    x, key = X.astype("float32"), np.zeros(shape, "float32")
    tensors = {"0.inputs.x": x, "0.inputs.key": key, "0.outputs.y": x}
    (found,) = stored(tmp_path, graph, tensors).errors
    assert str(found) == (
        f"examples.0.inputs.key: expected the data of a key, found float32{list(shape)}"
    )


def test_the_path_of_a_wide_tensor(tmp_path: Path) -> None:
    graph = Graph.parse(spec({"n": {"op": "relu", "x": "x"}}))
    (found,) = stored(
        tmp_path, graph, {"0.inputs.x": X.astype("float32"), "0.outputs.y": X}
    ).errors
    assert (found.code, found.path) == ("weights-x64", "examples.0.outputs.y")


def handing_on() -> Graph:
    """A model that gives the list that it gets."""
    inputs = {"k": {"shape": [2], "dtype": "float", "copies": 2}}
    return Graph.parse(spec({}, {"k": "k"}, inputs=inputs))


def test_arrays_of_a_list_have_numbers(tmp_path: Path) -> None:
    graph, k = handing_on(), [jnp.ones(2), jnp.zeros(2)]
    bx.save(tmp_path, graph, {}, examples=[{"k": k}, bx.Example([tuple(k)], k)])
    file = tmp_path / "examples.safetensors"
    headers = read_headers(file)
    assert sorted(headers.tensors) == [
        f"{n}.{kind}.k.{i}"
        for n in (0, 1)
        for kind in ("inputs", "outputs")
        for i in (0, 1)
    ]
    assert codes(tmp_path) == []
    arrays = flat(load_flat(headers))
    save_flat(
        file, arrays | {"1.outputs.k.1": jnp.ones(2)}, metadata=dict(headers.metadata)
    )
    (found,) = bx.verify(tmp_path)
    assert found.path == "examples.1.outputs.k"
    assert found.message == "expected values within 0.0001, found one off by 0.5, at 1"


@pytest.mark.parametrize(
    "names",
    [["k"], ["k.0"], ["k.0", "k.1", "k.2"], ["k.0", "k.999999"], ["k", "k.0", "k.1"]],
)
def test_a_list_is_there_whole(tmp_path: Path, names: list[str]) -> None:
    graph = handing_on()
    bx.save(tmp_path, graph, {}, examples=[{"k": [np.ones(2)] * 2}])
    file = tmp_path / "examples.safetensors"
    headers = read_headers(file)
    outputs = {f"0.outputs.k.{i}": jnp.ones(2) for i in range(2)}
    arrays = {f"0.inputs.{name}": jnp.ones(2) for name in names}
    save_flat(file, arrays | outputs, metadata=dict(headers.metadata))
    (found,) = bx.verify(tmp_path)
    assert found.path == "examples.0.inputs.k"
    assert found.message.startswith("expected those of 2 arrays, found ['0.inputs.k")
