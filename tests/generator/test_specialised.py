"""Functions of the library hold what a file needs: ranks, sizes, dtypes are decided."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from generated_files import assert_same_way, executed, ways
from sample_specs import Data, spec

import blox as bx
from blox.codegen.library.abstract import DType, Each, Symbol
from blox.codegen.library.partial import Specializer
from blox.codegen.printer import render
from blox.schema import Graph
from blox.schema.known import Known
from blox.shapes.table import common_table

MODELS = Path(__file__).parents[1] / "models"


def tree(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def specialised(text: str, facts: Data | None = None, **values: Any) -> str:
    """A body where `values` are known: as written where it is a text, else by use."""
    known = {k: tree(v) if isinstance(v, str) else v for k, v in values.items()}
    put = {k: v for k, v in known.items() if isinstance(v, ast.expr)}
    functions = {
        n.name: n for n in ast.parse(HELPERS).body if isinstance(n, ast.FunctionDef)
    }
    folder = Specializer(
        known, put=put, facts=facts, functions=functions, idle=frozenset({"groups"})
    )
    return render(folder.run(ast.parse(text).body))


HELPERS = """
def doubled(x):
    return x + x

def sized(x, sizes):
    return [*[1] * (x.ndim - len(sizes)), *sizes]

def named(x, how):
    if how is None:
        return x
    if isinstance(how, str):
        return f(x, how)
    return g(x, *how)

def longer(x):
    for y in x:
        x = y
    return x
"""


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("n = x.ndim - 2\nreturn f(n)", "return f(2)"),
        ("if x.ndim in (3, 4):\n    return f(x)\nreturn g(x)", "return f(x)"),
        ("if x.dtype == k.dtype:\n    return f(x)\nreturn g(x)", "return f(x)"),
        ("if x.dtype == i.dtype:\n    return f(x)\nreturn g(x)", "return g(x)"),
        ("if x.dtype == w.dtype:\n    return f(x)\nreturn g(x)", None),
        ("return {'a': 1, 'b': 2}[m]", None),
        ("if x.shape[0] == k.shape[0]:\n    return f(x)\nreturn g(x)", "return f(x)"),
        ("if x.shape[1] == k.shape[0]:\n    return f(x)\nreturn g(x)", None),
        ("return f([0] * 2 + [s] * x.ndim)", "return f([0, 0, s, s, s, s])"),
        ('return f(f"N{m}C", "DHW"[-k.ndim :])', 'return f(f"N{m}C", "HW")'),
        ("return f([(r * (n - 1), 0) for r, n in zip([1, 2], k.shape)])", None),
        ("return f([(r * n, 0) for r, n in zip([1, 2], w.shape)])",
         "return f([(3, 0), (8, 0)])"),
        ("return f(tuple(range(x.ndim)))", "return f((0, 1, 2, 3))"),
        ("return f(range(10**9))", None),
        ("return x.shape[-1] ** 2", None),
        ("return k[..., None, :]", None),
        ("return k[..., :, None, :]", "return k[:, None]"),
        ("y = k[:, None]\nreturn y[..., :, :, :]", "return k[:, None]"),
        # locals
        ("a = [0] * x.ndim\na[1] = 2\nreturn f(a)", "a = [0, 0, 0, 0]\na[1] = 2\nreturn f(a)"),
        ("n = 1\nfor i in x:\n    n += i\nreturn n", None),
        ("n = 1\nif c:\n    n = 2\nreturn f(n)", None),
        ("m = x\nx = f(x)\nreturn m + x", None),
        ("n = 1\nreturn f(n, lambda n: n)", "n = 1\nreturn f(1, lambda n: n)"),
        ("return [f(t, bias) for t in y]", "return [f(t, None) for t in y]"),
        ("return [f(bias) for bias in y]", None),
        ("x = f(x)\nreturn g(x.ndim)", "return g(f(x).ndim)"),
        # calls of functions of the module
        ("return doubled(x)", "return x + x"),
        ("return doubled(f(x))", None),
        ("return sized(x, (2, s))", "return [1, 1, 2, s]"),
        ("return named(x, None)", "return x"),
        ("return named(x, 'a')", 'return f(x, "a")'),
        ("return longer(x)", None),
        # keywords that say what the called function has by default
        ("return f(x, groups=groups, bias=bias, axis=None)", "return f(x, axis=None)"),
    ],
)  # fmt: skip
def test_what_is_known_is_decided(text: str, wanted: str | None) -> None:
    facts: Data = {
        "x.ndim": 4,
        "x.dtype": DType("float"),
        "k.dtype": DType("float"),
        "w.dtype": DType("float32"),
        "i.dtype": DType("int32"),
        "k.ndim": 2,
        "x.shape": (Symbol("batch"), Symbol("seq"), 3, 3),
        "k.shape": (Symbol("batch"), Symbol(None)),
        "w.shape": (3, 4),
    }
    from blox.codegen.library.tidy import tidy

    found = specialised(text, facts, bias="None", groups="1")
    found = render(tidy(ast.parse(found).body))
    assert found == (render(ast.parse(text).body) if wanted is None else wanted)


def test_uses_that_differ_decide_where_they_agree() -> None:
    text = "return f(x) if isinstance(n, int) and n > 0 else g(x)"
    assert specialised(text, n=Each([1, 2])) == "return f(x)"
    assert specialised(text, n=Each([0, 2])) == "return f(x) if n > 0 else g(x)"
    text = "return f(x) if x.ndim == k.ndim else g(x)"
    same = {"x.ndim": Each([3, 4]), "k.ndim": Each([3, 4])}
    assert specialised(text, same) == "return f(x)"
    assert specialised(text, same | {"k.ndim": Each([3, 5])}) == text


# Whole files


def conv(**more: Any) -> Data:
    return {
        "op": "conv",
        "x": "x",
        "in_features": 4,
        "out_features": 4,
        "kernel_size": [3],
    } | more


def graph_of(nodes: Data, shape: list[Any], **more: Any) -> Graph:
    inputs = {"x": {"shape": shape, "dtype": "float"}}
    return Graph.parse(spec(nodes, {n: n for n in nodes}, inputs, **more))


def helpers(graph: Graph) -> dict[str, str]:
    body = ast.parse(bx.generate(graph)).body
    return {n.name: ast.unparse(n) for n in body if isinstance(n, ast.FunctionDef)}


def test_a_rank_that_is_known_is_decided_and_one_that_is_not_is_kept() -> None:
    nodes = {"a": conv(), "b": conv(strides=2)}
    fixed = helpers(graph_of(nodes, ["batch", "seq", 4]))["conv"]
    assert "reshape" not in fixed
    assert "astype" not in fixed
    graph = graph_of(nodes, ["...", "seq", 4])
    assert "reshape" in helpers(graph)["conv"]
    names = executed(bx.generate(graph))
    params = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
    for shape in ((6, 4), (2, 6, 4), (2, 3, 6, 4)):
        x = jax.ShapeDtypeStruct(shape, jnp.float32)
        loaded = jax.make_jaxpr(bx.build(graph))(params, x)
        made = jax.make_jaxpr(lambda p, x: (names["model"](p, x), {}))(params, x)
        assert str(loaded) == str(made)


def test_padding_that_is_the_same_everywhere_is_no_parameter() -> None:
    nodes = {"a": conv(padding="SAME"), "b": conv(padding="SAME", strides=2)}
    text = helpers(graph_of(nodes, ["batch", "seq", 4]))["conv"]
    assert "padding" not in text
    assert "'SAME'" in text
    nodes["c"] = conv(padding=[[1, 0]])
    text = helpers(graph_of(nodes, ["batch", "seq", 4]))["conv"]
    assert "padding: str | Sequence[tuple[int, int]]" in text
    causal = {"a": conv(padding="CAUSAL"), "b": conv(padding="CAUSAL", strides=2)}
    assert "[(2, 0)]" in helpers(graph_of(causal, ["batch", "seq", 4]))["conv"]


def test_a_list_of_one_item_is_given_as_the_item() -> None:
    nodes = {"a": conv(padding=[[1, 0]]), "b": conv(padding=[[2, 2]])}
    graph = graph_of(nodes, ["batch", "seq", 4])
    found = helpers(graph)
    assert "padding: tuple[int, int]" in found["conv"]
    assert "(padding,)" in found["conv"]
    assert "padding=(2, 2)" in found["model"]
    params = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
    for way in ways(graph):
        assert_same_way(graph, executed(bx.generate(graph)), params, *way)


def test_every_parameter_of_a_helper_can_be_edited_with_effect() -> None:
    for path in sorted(MODELS.glob("*.json")):
        graph = bx.schema.from_bytes(path.read_bytes())
        theirs = {graph.name, *graph.functions}
        for node in ast.parse(bx.generate(graph)).body:
            if isinstance(node, ast.FunctionDef) and node.name not in theirs:
                named = {a.arg for a in (*node.args.args, *node.args.kwonlyargs)}
                read = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
                given = {"params", "train", "key"}  # whether it reads them or not
                assert not named - read - given, (path.stem, node.name)


def test_a_setting_is_a_default_that_calls_leave_out() -> None:
    norm = {"op": "layer_norm", "x": "x", "features": 4}
    nodes = {"a": norm | {"eps": 0.5}, "b": norm | {"eps": 0.5}}
    found = helpers(graph_of(nodes, ["batch", 4]))
    assert "eps: float=0.5" in found["layer_norm"]
    assert "eps" not in found["model"]
    nodes |= {"c": norm | {"eps": 0.25}}
    found = helpers(graph_of(nodes, ["batch", 4]))
    assert "eps: float=0.5" in found["layer_norm"]
    assert found["model"].count("eps=0.25") == 1


def test_a_window_of_one_dimensional_positions_is_written_for_them() -> None:
    inputs = {"p": {"shape": ["seq"], "dtype": "int32"}}
    op = {"op": "attention_mask", "query_positions": "p", "key_positions": "p"}
    nodes = {n: op | {"causal": True, "window": w} for n, w in (("a", 2), ("b", 3))}
    graph = Graph.parse(spec(nodes, {"a": "a", "b": "b"}, inputs))
    text = helpers(graph)["attention_mask"]
    assert "[..., " not in text
    assert "[:, None]" in text


def test_an_operand_that_is_never_a_number_is_an_array() -> None:
    inputs = {
        "x": {"shape": [3], "dtype": "float"},
        "y": {"shape": [3], "dtype": "float", "optional": True},
        "z": {"shape": [3], "dtype": "float", "optional": True},
    }
    nodes: Data = {
        n: {"op": "default", "x": x, "default": "x"}
        for n, x in (("a", "y"), ("b", "z"))
    }
    graph = Graph.parse(spec(nodes, {"a": "a", "b": "b"}, inputs))
    assert "default: Array) ->" in helpers(graph)["default"]
    assert "return default if x is None else x" in helpers(graph)["default"]
    nodes["b"] = nodes["b"] | {"default": 1.0}
    graph = Graph.parse(spec(nodes, {"a": "a", "b": "b"}, inputs))
    assert "default: Array | float) ->" in helpers(graph)["default"]
    assert "return jnp.asarray(default) if" in helpers(graph)["default"]


@pytest.mark.parametrize(
    ("flags", "formula"),
    [
        ({}, "(x - mean) / sqrt(var + eps) * scale + bias over"),
        ({"use_bias": False}, "(x - mean) / sqrt(var + eps) * scale over"),
        (
            {"use_scale": False, "use_bias": False},
            "(x - mean) / sqrt(var + eps) over",
        ),
    ],
)
def test_a_docstring_has_the_terms_that_its_function_has(
    flags: Data, formula: str
) -> None:
    norm: Data = {"op": "layer_norm", "x": "x", "features": 4, **flags}
    found = helpers(graph_of({"a": norm, "b": norm}, ["batch", 4]))["layer_norm"]
    assert formula in found


def test_a_comment_of_a_source_stands_above_its_statement() -> None:
    norm = {"op": "rms_norm", "x": "x", "features": 4}
    text = bx.generate(graph_of({"a": norm, "b": norm}, ["batch", 4]))
    above, _, behind = text.partition("    y: Array = jax.lax.optimization_barrier(x)")
    assert above.splitlines()[-1].startswith("    # XLA would fuse")
    assert behind.startswith("  # type: ignore[no-untyped-call]\n")


def test_attention_is_a_call_where_it_fits_and_the_formula_elsewhere() -> None:
    def attend(key: list[Any], mask: list[Any]) -> str:
        inputs = {
            "q": {"shape": ["batch", "seq", 4, 8], "dtype": "float"},
            "k": {"shape": key, "dtype": "float"},
            "m": {"shape": mask, "dtype": "bool"},
        }
        op = {"op": "dot_product_attention", "query": "q", "key": "k", "value": "k"}
        nodes = {"y": op | {"mask": "m"}}
        return bx.generate(Graph.parse(spec(nodes, {"y": "y"}, inputs)))

    call = "return jax.nn.dot_product_attention(q, k, k, mask=m)"
    assert call in attend(["batch", "past", 4, 8], ["batch", 1, "seq", "past"])
    assert call in attend(["batch", "past", 4, 8], ["seq", "past"])
    assert "jnp.einsum" in attend(["past", 4, 8], ["seq", "past"])


# What all calls of a model have in common


def test_the_common_table_holds_whatever_a_call_gives() -> None:
    inputs = {
        "x": {"shape": ["...", 4], "dtype": "float"},
        "y": {"shape": ["batch", 4], "dtype": "float"},
        "half": {"shape": ["batch", 4], "dtype": "bfloat16"},
        "mask": {"shape": ["batch", 4], "dtype": "float", "optional": True},
    }
    nodes: Data = {
        "mean": {"op": "mean", "x": "x", "axis": -1},
        "absent": {"op": "default", "x": "mask", "default": 0.0},
        "cast": {"op": "astype", "x": "y", "dtype": "float32"},
        "both": {"op": "add", "a": "y", "b": "half"},
    }
    graph = Graph.parse(spec(nodes, {n: n for n in nodes}, inputs))
    (known,) = common_table(graph).values()
    assert known["x"] == (Known(None, "float"),)
    assert known["mean"] == (Known(None, "float"),)
    assert known["absent"] == (Known(None, None),)
    assert known["y"] == (Known(("batch", 4), "float"),)
    assert known["cast"] == (Known(("batch", 4), "float32"),)
    assert known["half"] == (Known(("batch", 4), "bfloat16"),)


def test_a_model_in_bfloat16_runs_in_both() -> None:
    graph = graph_of(
        {"a": conv(), "b": conv(padding="SAME", strides=2)}, ["batch", "seq", 4]
    )
    names = executed(bx.generate(graph))
    params = names["init_params"](jax.random.key(0), jnp.bfloat16)
    x = jnp.asarray(np.ones((2, 6, 4)), jnp.bfloat16)
    outputs, _ = bx.build(graph)(params, x)
    for name, found in names["model"](params, x).items():
        assert found.dtype == jnp.bfloat16
        assert bool((found == outputs[name]).all())


def handed_on() -> Iterator[tuple[str, str, Any]]:
    """(function of JAX, keyword, default of the op) of what an op only hands on."""
    for file in sorted((Path(bx.__file__).parent / "ops").glob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef):
                continue
            both = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            defaults = {a.arg: ast.literal_eval(d) for a, d in both if d is not None}
            for call in (n for n in ast.walk(node) if isinstance(n, ast.Call)):
                path, keywords = ast.unparse(call.func), call.keywords
                for keyword in keywords if path.startswith(("jax.", "jnp.")) else ():
                    value = keyword.value
                    if isinstance(value, ast.Name) and value.id in defaults:
                        yield path, str(keyword.arg), defaults[value.id]


def test_what_an_op_hands_on_has_the_default_of_jax() -> None:
    found = list(handed_on())
    assert ("jax.lax.conv_general_dilated", "feature_group_count", 1) in found
    for path, keyword, default in found:
        function: Any = {"jax": jax, "jnp": jnp}[path.partition(".")[0]]
        for part in path.split(".")[1:]:
            function = getattr(function, part)
        assert inspect.signature(function).parameters[keyword].default == default
