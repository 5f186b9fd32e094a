"""docs/convert.md against PyTorch, Equinox and Flax: its tables and the functions on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from docs.pages import ROOT
from docs.running import run_page

import blox as bx
from blox.mapping.trees import named
from docs import torch_tagger

L = bx.layouts
pytestmark = pytest.mark.parity
X = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
KEY = jax.random.key(0)
UNITS = 4


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the page defines, with its block of PyTorch run."""
    names: dict[str, Any] = {}
    with chdir(tmp_path_factory.mktemp("convert")):
        assert run_page(ROOT / "docs" / "convert.md", exact=True, names=names) == []
        yield names


def close(found: Any, wanted: Any) -> None:
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-6)


def test_numpy_gives_what_the_pages_module_gives(page: dict[str, Any]) -> None:
    """What stands in for PyTorch where it is missing is the same model."""
    state, example = np.load("tagger.npz"), np.load("example.npz")
    given = {name: a.shape for name, a in state.items() if a.ndim}
    assert given == torch_tagger.shapes()
    assert page["torch"] is torch
    found = torch_tagger.tagger(state, example["tokens"])
    np.testing.assert_allclose(found, example["scores"], rtol=1e-5, atol=1e-5)


def kernel(array: Any) -> Any:
    return L.Kernel().forward([np.asarray(array)])[0]


def gates(array: Any, theirs: str, ours: str) -> Any:
    return L.Gates(theirs, ours).forward([array])[0]


def by_name(tree: Any) -> Any:
    return named(tree).arrays


# --- Gates ---------------------------------------------------------------------------


def scanned(cell: Any, carries: int, arrays: dict[str, Any]) -> Any:
    """What a cell of the page gives for X, (batch, time, units)."""
    b = bx.GraphBuilder("recurrent", units=UNITS)

    @b.entry(x=bx.Input(["batch", "time", 3]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        start = [f.zeros([x.shape[0], b.units])] * carries
        y: bx.Value = f.scan("cell", cell, axis=1)(*start, bx.slices(x))["y"]
        return y

    graph = b.graph()
    params: dict[str, Any] = {"cell": {"input": {}, "recurrent": {}}}
    for path, array in arrays.items():
        part, name = path.split(".")
        params["cell"][part][name] = jnp.asarray(array, jnp.float32)
    return bx.build(graph)(params, X)[0]


def in_torch(module: torch.nn.Module, turn: Any) -> tuple[Any, dict[str, Any]]:
    state = {n: a.numpy() for n, a in module.state_dict().items()}
    arrays = {}
    for here, there in (("input", "ih"), ("recurrent", "hh")):
        arrays[f"{here}.kernel"] = turn(state[f"weight_{there}_l0"])
        arrays[f"{here}.bias"] = state[f"bias_{there}_l0"]
    with torch.no_grad():
        return module(torch.from_numpy(X))[0].numpy(), arrays


def test_gates_of_pytorch(page: dict[str, Any]) -> None:
    for kind, cell, carries in (("LSTM", "cell", 2), ("GRU", "gru", 1)):
        module = getattr(torch.nn, kind)(3, UNITS, batch_first=True)
        wanted, arrays = in_torch(module, kernel)
        close(scanned(page[cell], carries, arrays), wanted)


def in_equinox(cell: Any, start: Any) -> Any:
    def step(h: Any, x: Any) -> Any:
        h = cell(x, h)
        return h, h[0] if isinstance(h, tuple) else h

    return jax.vmap(lambda x: jax.lax.scan(step, start, x)[1])(X)


def test_gates_of_equinox(page: dict[str, Any]) -> None:
    zeros = jnp.zeros(UNITS)
    lstm = eqx.nn.LSTMCell(3, UNITS, key=KEY)
    arrays = {
        "input.kernel": kernel(lstm.weight_ih),
        "input.bias": lstm.bias,
        "recurrent.kernel": kernel(lstm.weight_hh),
        "recurrent.bias": np.zeros(4 * UNITS),
    }
    close(scanned(page["cell"], 2, arrays), in_equinox(lstm, (zeros, zeros)))
    gru = eqx.nn.GRUCell(3, UNITS, key=KEY)
    arrays = {
        "input.kernel": kernel(gru.weight_ih),
        "input.bias": gru.bias,
        "recurrent.kernel": kernel(gru.weight_hh),
        "recurrent.bias": np.concatenate([np.zeros(2 * UNITS), gru.bias_n]),
    }
    close(scanned(page["gru"], 1, arrays), in_equinox(gru, zeros))


def test_gates_of_flax(page: dict[str, Any]) -> None:
    zeros = np.zeros(UNITS)
    for cell, ours, carries, gates in (
        (nn.OptimizedLSTMCell(UNITS), "cell", 2, "ifgo"),
        (nn.GRUCell(UNITS), "gru", 1, "rzn"),
    ):
        rnn = nn.RNN(cell)
        variables = rnn.init(KEY, X)
        tree = jax.tree.map(lambda a: a + 0.1, variables["params"]["cell"])
        arrays = {}
        for part, lead in (("input", "i"), ("recurrent", "h")):
            dense = [tree[lead + gate] for gate in gates]
            arrays[f"{part}.kernel"] = np.concatenate([d["kernel"] for d in dense], -1)
            biases = [d.get("bias", zeros) for d in dense]
            arrays[f"{part}.bias"] = np.concatenate(biases)
        wanted = rnn.apply({"params": {"cell": tree}}, X)
        close(scanned(page[ours], carries, arrays), wanted)


def test_other_orders_are_turned(page: dict[str, Any]) -> None:
    """Keras has z, r, n."""
    wanted, arrays = in_torch(torch.nn.GRU(3, UNITS, batch_first=True), kernel)
    keras = {n: gates(a, "rzn", "zrn") for n, a in arrays.items()}
    np.testing.assert_array_equal(
        keras["input.kernel"][:, :UNITS], arrays["input.kernel"][:, UNITS : 2 * UNITS]
    )
    back = {n: gates(a, "zrn", "rzn") for n, a in keras.items()}
    close(scanned(page["gru"], 1, back), wanted)


# --- Layouts -------------------------------------------------------------------------


def ours(op: str, params: dict[str, Any], x: Any, **attributes: Any) -> Any:
    b = bx.GraphBuilder("layer")

    def main(f: bx.F, x: bx.Value) -> bx.Value:
        y: bx.Value = getattr(f, op)("layer", x, **attributes)
        return y

    b.entry(main, x=bx.Input([*x.shape]))
    return bx.build(b.graph())({"layer": params}, x)[0]


@pytest.mark.parametrize("spatial", [1, 2, 3])
def test_convolutions(page: dict[str, Any], spatial: int) -> None:
    x = np.random.default_rng(1).normal(size=(2, 4, *(6, 5, 7)[:spatial]))
    x = x.astype(np.float32)
    last = np.moveaxis(x, 1, -1)
    sizes = (3, 2, 3)[:spatial]
    how = {"padding": [[1, 1]] * spatial, "kernel_size": [*sizes], "out_features": 8}
    module = getattr(torch.nn, f"Conv{spatial}d")(4, 8, sizes, padding=1, groups=2)
    weight, bias = (p.detach().numpy() for p in (module.weight, module.bias))
    with torch.no_grad():
        wanted = np.moveaxis(module(torch.from_numpy(x)).numpy(), 1, -1)
    params = {"kernel": jnp.asarray(kernel(weight)), "bias": jnp.asarray(bias)}
    close(ours("conv", params, last, groups=2, **how), wanted)

    named = nn.Conv(8, sizes, padding=1, feature_group_count=2)
    variables = named.init(KEY, last)
    found = by_name(variables)
    assert {*found} == {"params.kernel", "params.bias"}
    close(
        ours("conv", dict(variables["params"]), last, groups=2, **how),
        named.apply(variables, last),
    )

    layer = getattr(eqx.nn, f"Conv{spatial}d")(
        4, 8, sizes, padding=1, groups=2, key=KEY
    )
    found = by_name(eqx.filter(layer, eqx.is_array))
    assert {*found} == {"weight", "bias"}
    assert found["bias"].shape == (8,) + (1,) * spatial
    params = {
        "kernel": jnp.asarray(kernel(found["weight"])),
        "bias": jnp.asarray(found["bias"].reshape(-1)),
    }
    wanted = np.moveaxis(jax.vmap(layer)(x), 1, -1)
    close(ours("conv", params, last, groups=2, **how), wanted)


def test_norms_and_maps_of_flax_and_equinox(page: dict[str, Any]) -> None:
    for op, layer in (
        ("linear", nn.Dense(6)),
        ("layer_norm", nn.LayerNorm(epsilon=1e-5)),
    ):
        variables = layer.init(KEY, X)
        sizes = {"out_features": 6} if op == "linear" else {}
        close(
            ours(op, dict(variables["params"]), X, **sizes), layer.apply(variables, X)
        )
    batch = nn.BatchNorm(use_running_average=True).init(KEY, X)
    assert {*by_name(batch)} == {
        "batch_stats.mean", "batch_stats.var", "params.bias", "params.scale",
    }  # fmt: skip
    linear = eqx.nn.Linear(3, 6, key=KEY)
    found = by_name(eqx.filter(linear, eqx.is_array))
    params = {"kernel": kernel(found["weight"]), "bias": found["bias"]}
    wanted = jax.vmap(jax.vmap(linear))(X)
    close(ours("linear", jax.tree.map(jnp.asarray, params), X, out_features=6), wanted)


def test_what_the_page_says_of_defaults() -> None:
    assert (torch.nn.LayerNorm(2).eps, torch.nn.BatchNorm1d(2).eps) == (1e-5, 1e-5)
    assert eqx.nn.LayerNorm(2).eps == 1e-5
    assert (nn.LayerNorm().epsilon, nn.BatchNorm().epsilon) == (1e-6, 1e-5)
    x = np.linspace(-3, 3, 9, dtype=np.float32)
    exact = jax.nn.gelu(x, approximate=False)
    close(torch.nn.functional.gelu(torch.from_numpy(x)).numpy(), exact)
    assert np.max(np.abs(nn.gelu(x) - exact)) > 1e-5


def test_rotary_layouts_of_transformers() -> None:
    """Llama's of transformers is `half_split`."""
    from transformers.models.llama.modeling_llama import rotate_half

    x = torch.arange(4.0)
    assert rotate_half(x).tolist() == [-2.0, -3.0, 0.0, 1.0]


def _of_heads(layout: Any, sizes: dict[str, int]) -> Any:
    """A layout of the page, for another number of heads."""
    if not isinstance(layout, L.Rearrange):
        return layout
    return L.Rearrange(layout.pattern, **{**dict(layout.sizes), **sizes})


def test_fused_projections_of_transformers(page: dict[str, Any]) -> None:
    """`by_head` parts what GPT-NeoX joins: attention by parts is the module's."""
    from transformers import GPTNeoXConfig
    from transformers.models.gpt_neox.modeling_gpt_neox import GPTNeoXAttention

    config = GPTNeoXConfig(hidden_size=12, num_attention_heads=3)
    config._attn_implementation = "eager"
    module = GPTNeoXAttention(config, layer_idx=0).eval()
    state = {n: a.numpy() for n, a in module.state_dict().items()}
    x = np.random.default_rng(2).normal(size=(1, 5, 12)).astype(np.float32)
    still = torch.ones(1, 5, 2), torch.zeros(1, 5, 2)  # no rotation
    with torch.no_grad():
        wanted = module(torch.from_numpy(x), None, position_embeddings=still)[0].numpy()
    kernels, biases = ([state[f"query_key_value.{n}"]] for n in ("weight", "bias"))
    sizes = {"h": 3}
    for layout in page["by_head"]:
        kernels = _of_heads(layout, sizes).forward(kernels)
    for layout in page["by_head_bias"]:
        biases = _of_heads(layout, sizes).forward(biases)
    q, k, v = (
        (x @ kernel + bias).reshape(1, 5, 3, 4)
        for kernel, bias in zip(kernels, biases, strict=True)
    )
    y = np.asarray(jax.nn.dot_product_attention(q, k, v)).reshape(1, 5, 12)
    close(y @ kernel(state["dense.weight"]) + state["dense.bias"], wanted)


def test_files_are_where_the_page_writes_them(page: dict[str, Any]) -> None:
    assert Path("tagger", "examples.safetensors").exists()
