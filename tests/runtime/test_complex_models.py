"""Models with complex numbers: trained, saved, loaded, generated, refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from generated_files import assert_same_program, executed
from safetensors.numpy import load_file, save_file
from sample_specs import Data, spec
from trees import same_structure

import blox as bx
from blox.io.contract import difference
from blox.schema import Graph

MODEL = Path(__file__).parents[1] / "models" / "spectral.json"
Z: Data = {"z": {"shape": ["batch", 4], "dtype": "complex64"}}
X: Data = {"x": {"shape": ["batch", 4], "dtype": "float"}}


@pytest.fixture(scope="module")
def graph() -> Graph:
    return bx.load_graph(MODEL)


@pytest.fixture(scope="module")
def params(graph: Graph) -> dict[str, Any]:
    return bx.init(graph, jax.random.key(0))


def sound(*shape: int) -> Any:
    return np.random.default_rng(7).normal(size=shape).astype(np.float32)


def test_files_hold_them_bit_for_bit(
    graph: Graph, params: dict[str, Any], tmp_path: Path
) -> None:
    """In safetensors as they are, for blox and for the generated file."""
    x = sound(2, 64)
    bx.save(tmp_path, graph, params, examples=[{"sound": x}])
    assert bx.verify(tmp_path).ok
    stored = load_file(tmp_path / "params.safetensors")
    assert stored["layers.into"].dtype == np.complex64
    again, loaded = bx.load(tmp_path)
    assert again == graph
    file = executed(bx.generate(graph))
    for found in (loaded, file["load_params"](tmp_path)):
        assert same_structure(found, params)
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(params), strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
    ours, _ = jax.jit(bx.build(graph))(loaded, x)
    theirs = jax.jit(file["spectral"])(loaded, x)
    for name, y in ours.items():
        np.testing.assert_allclose(theirs[name], y, 1e-5, 1e-5)


def test_real_weights_do_not_stand_in_for_complex_ones(
    graph: Graph, params: dict[str, Any], tmp_path: Path
) -> None:
    bx.save(tmp_path, graph, params)
    file = tmp_path / "params.safetensors"
    arrays = load_file(file)
    save_file({**arrays, "gain": np.real(arrays["gain"]).copy()}, file)
    with pytest.raises(
        bx.WeightsError, match="gain: expected dtype complex64, found float32"
    ):
        bx.load(tmp_path)
    load = executed(bx.generate(graph))["load_params"]
    with pytest.raises(ValueError, match="gain: expected complex64"):
        load(tmp_path)


def test_a_step_downhill_is_along_the_conjugate(
    graph: Graph, params: dict[str, Any]
) -> None:
    """Of all arrays, complex ones as well, which `split` counts among the trained."""
    model = bx.build(graph, train=True)
    trainable, rest = bx.split(graph, params)
    assert jax.tree.leaves(rest) == []
    x = sound(4, 64)

    @jax.jit
    @jax.value_and_grad
    def loss(trainable: Any) -> Any:
        y, _ = model(trainable, x)
        scores = jax.nn.log_softmax(y["scores"])
        return jnp.mean((y["cleaned"] - 0.5 * x) ** 2) - jnp.mean(scores[:, 1])

    values = []
    for _ in range(4):
        value, slopes = loss(trainable)
        values.append(float(value))
        assert slopes["layers"]["into"].dtype == jnp.complex64
        trainable = jax.tree.map(lambda p, g: p - 0.02 * g.conj(), trainable, slopes)
    assert values == sorted(values, reverse=True)
    moved = jax.tree.map(lambda a, b: bool((a != b).all()), trainable, params)
    assert moved["gain"]
    assert moved["layers"]["into"]
    assert moved["layers"]["back"]


def test_a_diagonal_state_space_model_is_that_of_numpy() -> None:
    """y = Re(C h), h[t] = exp(dt A) h[t - 1] + dt B u[t], A being -exp(log_a) + i w."""

    def s4d(f: Any, u: Any) -> Any:
        states = 3
        log_a = f.param("log_a", [states])
        omega = f.param("omega", [states])
        c = f.param("c", [states, 2], dtype="complex64")
        b = f.param("b", [2, states], dtype="complex64")
        rate = f.exp(f.complex(-f.exp(log_a), omega) * 0.25)
        h = f.linear_recurrence(rate, u @ b * 0.25, axis=-2)
        return (h @ c).real

    builder = bx.GraphBuilder("states")
    builder.entry(s4d, u=bx.Input(["batch", "seq", 2], "float"))
    graph = builder.graph()
    assert bx.validate(graph).diagnostics == []
    assert_same_program(graph, bx.generate(graph))
    params = bx.init(graph, jax.random.key(3))
    u = sound(2, 9, 2)
    found, _ = jax.jit(bx.build(graph))(params, u)
    p = {n: np.asarray(a, complex) for n, a in params.items()}
    rate = np.exp(0.25 * (-np.exp(p["log_a"]) + 1j * p["omega"]))
    h = np.zeros((2, 3), complex)
    for t in range(9):
        h = rate * h + 0.25 * u[:, t] @ p["b"]
        np.testing.assert_allclose(found[:, t], (h @ p["c"]).real, 1e-4, 1e-5)


@pytest.mark.parametrize(("n_fft", "hop", "size"), [(8, 2, 8), (8, 3, 6), (9, 4, 9)])
def test_istft_undoes_stft(n_fft: int, hop: int, size: int) -> None:
    def there_and_back(f: Any, x: Any, window: Any) -> Any:
        y = f.stft(x, window, n_fft=n_fft, hop=hop, pad_mode="constant")
        return f.istft(y, window, n_fft=n_fft, hop=hop, length="$time")

    builder = bx.GraphBuilder("both")
    builder.entry(
        there_and_back,
        x=bx.Input(["...", "time"], "float"),
        window=bx.Input([size], "float"),
    )
    graph = builder.graph()
    assert bx.validate(graph).ok
    model = jax.jit(bx.build(graph))
    window = np.hanning(size + 2)[1:-1].astype(np.float32)
    for shape in ((2, 31), (0, 24)):
        x = sound(*shape)
        y, _ = model({}, x, window)
        end = (x.shape[-1] // hop) * hop
        np.testing.assert_allclose(y[..., :end], x[..., :end], 1e-5, 1e-5)


def test_a_narrow_model_has_parts_of_32_bits() -> None:
    """complex64 of bfloat16, float32 of complex64, and back by astype."""
    nodes: Data = {
        "z": {"op": "rfft", "x": "x", "axis": -1, "norm": "ortho"},
        "w": {"op": "param", "shape": [3], "dtype": "complex64"},
        "v": {"op": "multiply", "a": "z", "b": "w"},
        "r": {"op": "irfft", "x": "v", "n": 4},
        "y": {"op": "astype", "x": "r", "dtype": "float"},
    }
    graph = Graph.parse(spec(nodes, {n: n for n in "vry"}, inputs=X))
    params = bx.init(graph, jax.random.key(0), dtype="bfloat16")
    assert params["w"].dtype == jnp.complex64
    x = jnp.ones((2, 4), jnp.bfloat16)
    found, _ = bx.build(graph, dtype="bfloat16")(params, x)
    kinds = {n: str(y.dtype) for n, y in found.items()}
    assert kinds == {"v": "complex64", "r": "float32", "y": "bfloat16"}


def test_of_64_bits() -> None:
    """What float64 makes is complex128, and an input may be declared so."""
    nodes: Data = {
        "c": {"op": "complex", "real": "x", "imag": 2.0},
        "y": {"op": "multiply", "a": "c", "b": "z"},
    }
    inputs: Data = {
        "x": {"shape": [2], "dtype": "float64"},
        "z": {"shape": [2], "dtype": "complex128"},
    }
    outputs = {"y": {"value": "y", "shape": [2], "dtype": "complex128"}}
    graph = Graph.parse(spec(nodes, outputs, inputs=inputs))
    assert bx.validate(graph).diagnostics == []
    with jax.enable_x64(True):
        x, z = np.array([1.0, 2.0]), np.array([1j, 1 + 1e-12j])
        found, _ = bx.build(graph)({}, x, z)
        np.testing.assert_array_equal(found, (x + 2j) * z)
        assert found.dtype == np.complex128


def test_a_constant_has_real_numbers() -> None:
    nodes: Data = {
        "c": {"op": "constant", "value": [1, 2.5, -1, 0], "dtype": "complex64"},
        "y": {"op": "multiply", "a": "c", "b": "z"},
    }
    graph = Graph.parse(spec(nodes, inputs=Z))
    assert bx.validate(graph).ok
    assert_same_program(graph, bx.generate(graph))
    y, _ = bx.build(graph)({}, np.full((1, 4), 1j, np.complex64))
    np.testing.assert_array_equal(y, np.array([[1j, 2.5j, -1j, 0]]))


@pytest.mark.parametrize(
    ("node", "path", "message"),
    [
        ({"op": "softmax"}, "n.x", "expected real numbers (`real`, `imag` and `abs` "),
        ({"op": "astype", "dtype": "float32"}, "n.x", "expected real numbers ("),
        ({"op": "astype", "dtype": "int8"}, "n.x", "expected real numbers ("),
        ({"op": "one_hot", "num_classes": 3}, "n.x", "expected real numbers ("),
        (
            {"op": "stft", "window": "w", "n_fft": 4, "hop": 1},
            "n.x",
            "expected real numbers, as onesided is true, found complex64",
        ),
        (
            {"op": "stft", "window": "z", "n_fft": 4, "hop": 1, "onesided": False},
            "n.window",
            "expected real numbers",
        ),
        (
            {"op": "scatter", "x": "w", "updates": "z", "indices": [0], "axis": [0]},
            "n.updates",
            "expected real numbers",
        ),
        (
            {
                "op": "scatter",
                "updates": 0,
                "indices": [0],
                "axis": [0],
                "reduce": "max",
            },
            "n.x",
            "expected real numbers",
        ),
        (
            {"op": "where", "condition": "z", "a": 1, "b": 0},
            "n.condition",
            "expected real numbers",
        ),
    ],
)
def test_refused_by_the_path_of_the_operand(
    node: Data, path: str, message: str
) -> None:
    made = {**node} if node["op"] == "where" else {"x": "z", **node}
    nodes: Data = {"w": {"op": "constant", "value": [1.0, 1, 1, 1]}, "n": made}
    report = bx.validate(Graph.parse(spec(nodes, inputs=Z)))
    assert [d.path for d in report.errors] == [f"main.{path}"]
    assert report.errors[0].message.startswith(message)


@pytest.mark.parametrize(
    ("param", "message"),
    [
        (
            {"dtype": "complex64", "init": {"value": {"name": "uniform"}}},
            "init.value: expected normal or variance_scaling, ones or constant for dtype "
            "complex64, found uniform",
        ),
        ({"dtype": "complex128"}, "dtype: expected "),
        ({"dtype": "complex32"}, "dtype: expected "),
    ],
)
def test_parameters_that_are_refused(param: Data, message: str) -> None:
    data = spec({"w": {"op": "param", "shape": [2, 2], **param}}, inputs={})
    with pytest.raises(bx.SpecError) as caught:
        Graph.parse(data).program()
    assert f"main.w.{message}" in str(caught.value)


@pytest.mark.parametrize("name", ["normal", "variance_scaling", "orthogonal"])
def test_how_complex_parameters_start(name: str) -> None:
    more: Data = {"normal": {"stddev": 0.5}}.get(name, {})
    if name == "variance_scaling":
        more = {"scale": 1.0, "mode": "fan_in", "distribution": "normal"}
    init = {"value": {"name": name, **more}}
    node = {"op": "param", "shape": [64, 64], "dtype": "complex64", "init": init}
    graph = Graph.parse(spec({"w": node}, {"w": "w"}, inputs={}))
    w = np.asarray(bx.init(graph, jax.random.key(1))["w"])
    made = executed(bx.generate(graph))["init_params"](jax.random.key(1))["w"]
    np.testing.assert_allclose(made, w, 1e-6, 1e-6)
    assert w.dtype == np.complex64
    variance = 0.25 if name == "normal" else 1 / 64
    assert np.mean(np.abs(w) ** 2) == pytest.approx(variance, rel=0.1)
    assert np.var(np.real(w)) == pytest.approx(variance / 2, rel=0.1)
    unitary = np.allclose(w @ w.conj().T, np.eye(64), 1e-4, 1e-4)
    assert unitary == (name == "orthogonal")


def test_a_complex_input_is_no_float() -> None:
    graph = Graph.parse(spec({"y": {"op": "relu", "x": "x"}}, inputs=X))
    with pytest.raises(bx.ModelError) as caught:
        bx.build(graph)({}, np.ones((1, 4), np.complex64))
    assert str(caught.value) == (
        "main.x: expected a floating dtype, found complex64; x.real is one"
    )


def test_examples_of_complex_numbers_are_near_or_not() -> None:
    a = np.array([1 + 1j, 2], np.complex64)
    assert difference(a + np.complex64(1e-6j), a, 1e-4) == ""
    assert "found one off by 0.0" in difference(a + np.complex64(0.2j), a, 1e-4)
    assert difference(np.real(a), a, 1e-4) == "expected complex64[2], found float32[2]"


def test_a_complex_number_is_no_operand_of_a_method() -> None:
    def main(f: Any, z: Any) -> Any:
        return f.multiply(z, 1j)

    builder = bx.GraphBuilder("numbers")
    with pytest.raises(bx.SpecError) as caught:
        builder.entry(main, z=bx.Input(["batch", 4], "complex64"))
    assert str(caught.value).startswith("main.multiply_1.b: expected a Value, a number")
    assert str(caught.value).endswith("f.complex(f.constant(0.0), 1.0) is one")


def test_python_numbers_and_parts_in_the_builder() -> None:
    def main(f: Any, z: Any) -> Any:
        y = z * (2 + 1j) - 1j
        return y.real + y.imag, y.conj() * (1j + z.real)

    builder = bx.GraphBuilder("numbers")
    builder.entry(main, z=bx.Input(["batch", 4], "complex64"))
    z: Any = (sound(1, 4) + 1j * sound(1, 4)[:, ::-1]).astype(np.complex64)
    found, _ = bx.build(builder.graph())({}, z)
    y = z * (2 + 1j) - 1j
    for ours, wanted in zip(
        jax.tree.leaves(found), (y.real + y.imag, y.conj() * (1j + z.real)), strict=True
    ):
        np.testing.assert_allclose(ours, wanted, 1e-5, 1e-5)
