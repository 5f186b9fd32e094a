"""What recipes do beside the numbers of references: dropout, steps, levels, refusals."""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import blox as bx
from blox.schema import Graph

SEQUENCE: dict[str, Any] = {"x": bx.Input(["batch", "time", 8])}
IMAGE: dict[str, Any] = {"x": bx.Input(["batch", 4, 4, 8])}
KEY: dict[str, Any] = {"drop_key": bx.Input([], "key", optional=True)}


def model_of(kind: str, inputs: dict[str, bx.Input], **options: Any) -> Graph:
    b = bx.GraphBuilder("model")

    def main(f: bx.F, *values: bx.Value) -> Any:
        run = f.call("r", getattr(bx.recipes, kind))
        return run(**dict(zip(inputs, values, strict=True)), **options)

    ours = [Parameter(n, Parameter.POSITIONAL_OR_KEYWORD) for n in ("f", *inputs)]
    main.__signature__ = Signature(ours)  # type: ignore[attr-defined]
    b.entry(main, **inputs)
    return b.graph()


def normal(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def nodes_of(graph: Graph, function: str) -> dict[str, str]:
    found = graph.plain()["functions"][function]["nodes"]
    return {name: node["op"] for name, node in found.items()}


# --- Randomness ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mlp", "gated_mlp"])
def test_dropout_of_an_mlp_drops_hidden_features(kind: str) -> None:
    graph = model_of(kind, SEQUENCE | KEY, hidden=8, activation="relu", dropout=0.75)
    eye = {"kernel": np.eye(8, dtype=np.float32), "bias": np.zeros(8, np.float32)}
    shapes = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))["r"]
    params = {"r": {n: {k: eye[k] for k in own} for n, own in shapes.items()}}
    x = np.abs(normal(2, 16, 8))
    kept = x if kind == "mlp" else x * x
    y, _ = bx.build(graph)(params, x, jax.random.key(1))
    share = y / kept
    np.testing.assert_allclose(np.unique(np.round(share, 4)), [0, 4])
    assert 0.1 < np.mean(share > 0) < 0.4
    np.testing.assert_allclose(bx.build(graph)(params, x)[0], kept, 1e-5)


def test_dropout_of_attention_drops_weights() -> None:
    options: dict[str, Any] = {"heads": 2, "dropout": 0.5, "use_bias": False}
    graph = model_of("multi_head_attention", SEQUENCE | KEY, **options)
    eye = {"kernel": np.eye(8, dtype=np.float32)}
    even = {"kernel": np.zeros((8, 8), np.float32)}
    params = {"r": {"query": even, "key": eye, "value": eye, "out": eye}}
    x = np.broadcast_to(np.eye(8, dtype=np.float32)[None], (2, 8, 8))
    y, _ = bx.build(graph)(params, x, jax.random.key(1))
    # All weights are 1 / 8, each goes to a value of its own: dropped, or doubled.
    assert np.unique(np.round(y * 8, 4)).tolist() == [0, 2]


def test_drop_path_leaves_out_whole_examples() -> None:
    graph = model_of("convnext_block", IMAGE | KEY, drop_path=0.5, layer_scale=1.0)
    params = bx.init(graph, jax.random.key(0))
    model = jax.jit(bx.build(graph))
    x = normal(16, 4, 4, 8)
    whole = model(params, x)[0] - x
    found = model(params, x, jax.random.key(1))[0] - x
    doubled = [
        np.allclose(a, 2 * b, atol=1e-4) for a, b in zip(found, whole, strict=True)
    ]
    dropped = [np.allclose(a, 0, atol=1e-6) for a in found]
    assert 0 < sum(doubled) < 16
    assert sum(doubled) + sum(dropped) == 16


def test_dropout_stands_where_blocks_have_it() -> None:
    block = model_of(
        "transformer_block", SEQUENCE | KEY, heads=2, hidden=6, dropout=0.1
    )
    drops = [
        n for n, op in nodes_of(block, "transformer_block").items() if op == "dropout"
    ]
    assert drops == ["drop_attn", "drop_mlp"]
    assert "drop_key" not in block.functions["multi_head_attention"].inputs
    plain = model_of("transformer_block", SEQUENCE | KEY, heads=2, hidden=6)
    assert "dropout" not in nodes_of(plain, "transformer_block").values()


# --- Steps ---------------------------------------------------------------------------


def test_steps_of_mamba_are_those_of_the_whole() -> None:
    options: dict[str, Any] = {"kernel": 3, "rank": 2}
    whole = model_of("mamba", SEQUENCE, inner=6, state_size=5, **options)
    given = {"window": bx.Input(["batch", 2, 6]), "h": bx.Input(["batch", 6, 5])}
    step = model_of("mamba_step", SEQUENCE | given, **options)
    assert step.program().leaves() == whole.program().leaves()
    params = bx.init(whole, jax.random.key(0))
    counted = np.broadcast_to(np.arange(1, 6), (6, 5))
    np.testing.assert_allclose(np.exp(params["r"]["a_log"]), counted, 1e-6)  # S4D
    params["r"]["dt_proj"]["bias"] += 4
    x = normal(2, 4, 8)
    wanted, _ = jax.jit(bx.build(whole))(params, x)
    run = jax.jit(bx.build(step))
    window, h = jnp.zeros((2, 2, 6)), jnp.zeros((2, 6, 5))
    for now in (slice(0, 2), slice(2, 3), slice(3, 4)):
        out, _ = run(params, x[:, now], window, h)
        window, h = out["window"], out["h"]
        np.testing.assert_allclose(out["y"], wanted[:, now], 1e-5, 1e-5)


# --- Structure -----------------------------------------------------------------------


def test_levels_of_a_unet_share_a_function() -> None:
    graph = model_of("unet", IMAGE, widths=[4, 6, 8])
    functions = graph.plain()["functions"]
    assert list(functions) == ["main", "unet", "double_conv"]
    assert {"features"} <= {*functions["double_conv"]["attributes"]}
    assert list(nodes_of(graph, "unet"))[:4] == [
        "down_0",
        "max_pool_1",
        "down_1",
        "max_pool_2",
    ]


def test_levels_of_a_unet_may_be_other_recipes() -> None:
    inputs = IMAGE | {"embedding": bx.Input(["batch", 5])}

    b = bx.GraphBuilder("model", width=4)

    @b.entry(**inputs)
    def main(f: bx.F, x: bx.Value, embedding: bx.Value) -> bx.Value:
        return f.call("r", bx.recipes.unet)(
            x, embedding, widths=[b.width, 2 * b.width], groups=2,
            level=bx.recipes.diffusion_block, upsample="nearest",
        )  # fmt: skip

    program = b.graph().program()
    assert program.leaves()["r.up_0.time.kernel"].shape == (5, 4)
    norms = [s.op for i in program.instances for s in i.steps if s.name == "norm_1"]
    assert {norm.groups for norm in norms} == {2}  # type: ignore[attr-defined]


def test_sizes_follow_the_attributes() -> None:
    def make(width: int = 8, hidden: int = 12) -> Graph:
        b = bx.GraphBuilder("model", width=width, hidden=hidden)
        recipes = bx.recipes

        @b.entry(x=bx.Input(["batch", 16, b.width]), image=bx.Input(["batch", 8, 8, 3]))
        def main(f: bx.F, x: bx.Value, image: bx.Value) -> dict[str, bx.Value]:
            x = f.call("mamba", recipes.mamba)(x)
            x = f.call("mixer", recipes.mixer_block)(
                x, tokens_hidden=5, hidden=b.hidden
            )
            x = f.call("gmlp", recipes.gmlp_block)(x, hidden=2 * b.hidden)
            x = f.call("mlp", recipes.mlp)(x, hidden=[b.hidden, 2 * b.hidden])
            y = f.call("unet", recipes.unet)(image, widths=[b.width, 2 * b.width])
            y = f.call("bottle", recipes.bottleneck_block)(y, hidden=b.hidden, stride=2)
            y = f.call("mb", recipes.inverted_residual)(y, hidden=2 * y.features)
            y = f.call("next", recipes.convnext_block)(y)
            z = f.call("perceiver", recipes.perceiver)(
                x, latents=3, features=b.width, heads=2, hidden=b.hidden, depth=2
            )
            return {"x": x, "y": y, "z": z}

        return b.graph()

    bx.check_attributes(make, width=12, hidden=10)


# --- Refusals ------------------------------------------------------------------------

HEADS: dict[str, Any] = {"heads": 2}
REFUSED: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("mlp", SEQUENCE, {"hidden": 0}, "hidden: expected at least 1, found 0"),
    ("mlp", SEQUENCE, {"hidden": [4, 0]}, "hidden: expected at least 1, found 0"),
    (
        "mlp",
        SEQUENCE,
        {"hidden": 4, "activation": "swish"},
        "activation: expected one of celu, ",
    ),
    (
        "swiglu",
        SEQUENCE,
        {"hidden": 4, "features": 0},
        "features: expected at least 1, found 0",
    ),
    (
        "multi_head_attention",
        SEQUENCE,
        {"heads": 3},
        "heads: expected a divisor of the features of x, 8, found 3",
    ),
    (
        "multi_head_attention",
        SEQUENCE,
        {"heads": 4, "kv_heads": 3},
        "kv_heads: expected a divisor of heads, 4, found 3",
    ),
    (
        "multi_head_attention",
        SEQUENCE,
        HEADS | {"window": 0},
        "window: expected at least 1, found 0",
    ),
    (
        "transformer_block",
        SEQUENCE,
        HEADS | {"hidden": 4, "order": "first"},
        "order: expected one of pre, post, sandwich, parallel, found first",
    ),
    ("basic_block", IMAGE, {"stride": 0}, "stride: expected at least 1, found 0"),
    (
        "basic_block",
        IMAGE,
        {"norm": "group_norm", "groups": 3},
        "groups: expected a divisor of the features, 8, found 3",
    ),
    (
        "bottleneck_block",
        IMAGE,
        {"hidden": 4, "cardinality": 3},
        "cardinality: expected a divisor of hidden, 4, found 3",
    ),
    (
        "inverted_residual",
        IMAGE,
        {"hidden": 8, "kernel": 4},
        "kernel: expected an odd number, found 4",
    ),
    (
        "convnext_block",
        IMAGE,
        {"drop_path": 1.5},
        "drop_path: expected at least 0 and below 1, found 1.5",
    ),
    (
        "patch_embedding",
        IMAGE,
        {"patch": 0, "features": 4},
        "patch: expected at least 1, found 0",
    ),
    ("unet", IMAGE, {"widths": []}, "widths: expected one at least, found none"),
    ("unet", IMAGE, {"widths": [4, 0]}, "widths: expected at least 1, found 0"),
    ("mamba", SEQUENCE, {"state_size": 0}, "state_size: expected at least 1, found 0"),
    ("gmlp_block", SEQUENCE, {"hidden": 5}, "hidden: expected an even number, found 5"),
]


@pytest.mark.parametrize(
    ("kind", "inputs", "options", "message"),
    REFUSED,
    ids=[f"{r[0]}-{[*r[2]][-1]}" for r in REFUSED],
)
def test_impossible_sizes_are_refused_by_name(
    kind: str, inputs: dict[str, bx.Input], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(bx.SpecError) as caught:
        model_of(kind, inputs, **options)
    path, _, said = str(caught.value).partition(": ")
    assert path.startswith("main.r.")
    assert said.startswith(message)


def test_positions_are_of_one_sequence() -> None:
    inputs = SEQUENCE | {"context": bx.Input(["batch", 3, 8])}
    with pytest.raises(
        bx.SpecError, match="context: expected none with causal or window"
    ):
        model_of("multi_head_attention", inputs, heads=2, causal=True)


def test_a_step_needs_as_much_as_the_convolution_sees() -> None:
    inputs = SEQUENCE | {
        "window": bx.Input(["batch", 2, 6]),
        "h": bx.Input(["batch", 6, 5]),
    }
    with pytest.raises(bx.SpecError, match="window: expected 3 steps, found 2"):
        model_of("mamba_step", inputs, kernel=4)
