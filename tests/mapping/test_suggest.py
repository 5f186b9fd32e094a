"""`bx.suggest_rules`: right where it decides, and what it can't decide it asks."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from mapping.models import model, params
from mapping.test_mapping import equal

import blox as bx
from blox.importers.hf.families.bert import BERT, BertConfig
from blox.importers.hf.family.family import Model
from blox.mapping.rules import Rule

L = bx.layouts
MODULES = {
    "layers.{i}.norm": "h.{i}.ln",
    "layers.{i}.up": "h.{i}.fc1",
    "layers.{i}.down": "h.{i}.fc2",
    "attention.{n}": "attn.{n}_proj",
    "head": "classifier",
}


def tree(of: str, graph: bx.Graph | None = None) -> tuple[list[Any], dict[str, Any]]:
    graph = graph or model()
    rules = bx.layer_rules(graph, MODULES, of=of)
    return rules, dict(bx.unmap_params(graph, params(graph), rules))


def plain(rules: Any) -> set[str]:
    """Rules without patterns, for comparison."""
    return {repr(rule) for rule in rules}


@pytest.mark.parametrize("scan", [True, False])
@pytest.mark.parametrize("of", ["torch", "equinox", "linen", "nnx", "haiku", "keras"])
def test_the_whole_table_is_found_for_a_library(of: str, scan: bool) -> None:
    graph = model(scan=scan)
    _, arrays = tree(of, graph)
    found = bx.suggest_rules(graph, arrays, of=of)
    assert (found.questions, found.without, found.unused) == ((), (), ())
    wanted = params(graph)
    made = bx.map_params(graph, arrays, found.rules)
    equal(made, wanted)


def test_a_bert_is_found() -> None:
    config = BertConfig(vocab_size=9, hidden_size=4, num_hidden_layers=2,
                        num_attention_heads=2, intermediate_size=6,
                        max_position_embeddings=7)  # fmt: skip
    bert = Model(family=BERT, architecture="BertModel", config=config, raw={},
                 parts=frozenset({"pooler"}))  # fmt: skip
    graph = bert.graph("bert")
    arrays = dict(bx.unmap_params(graph, params(graph), bert.rules(graph)))
    found = bx.suggest_rules(graph, arrays, of="torch")
    assert (found.questions, found.without, found.unused) == ((), (), ())
    assert plain(found.rules) == plain(
        r for r in bert.rules(graph) if isinstance(r, Rule)
    )


def test_square_kernels_are_asked_for() -> None:
    _, arrays = tree("torch")
    found = bx.suggest_rules(model(), arrays)
    assert [q.ours for q in found.questions] == [
        f"attention.{n}.kernel" for n in ("q", "k", "v", "out")
    ]
    theirs = "attn.q_proj.weight"
    assert found.questions[0].choices == (
        Rule("attention.q.kernel", theirs, L.Kernel()),
        Rule("attention.q.kernel", theirs),
    )


def test_names_that_say_nothing_are_asked_for() -> None:
    _, arrays = tree("torch")
    for number, name in enumerate("vqk"):
        for word in ("weight", "bias"):
            arrays[f"x{'abc'[number]}.{word}"] = arrays.pop(f"attn.{name}_proj.{word}")
    found = bx.suggest_rules(model(), arrays, of="torch")
    asked = {q.ours: [rule.theirs[0] for rule in q.choices] for q in found.questions}
    assert asked == {
        f"attention.{n}.{slot}": [f"x{letter}.{word}" for letter in "abc"]
        for n in "qkv"
        for slot, word in (("kernel", "weight"), ("bias", "bias"))
    }
    text = str(found)
    rules = eval(text.partition("= ")[2], {"bx": bx})
    assert plain(rules) == plain(found.rules)
    assert "# attention.q.kernel: one of these" in text


def test_what_fits_nothing_is_named() -> None:
    _, arrays = tree("torch")
    del arrays["classifier.bias"]
    arrays["extra.weight"] = np.zeros((3, 3), np.float32)
    found = bx.suggest_rules(model(), arrays, of="torch")
    assert found.without == ("head.kernel", "head.bias")
    assert found.unused == ("classifier.weight", "extra.weight")
    with pytest.raises(bx.SpecError, match="expected one of torch, equinox"):
        bx.suggest_rules(model(), arrays, of="tensorflow")


def test_many_layers_of_one_kind_take_no_time() -> None:
    arrays = {
        f"a{chr(97 + i % 26)}{i}x.weight": np.zeros((4, 4)) for i in range(20_000)
    }
    found = bx.suggest_rules(model(), arrays)
    rules = [rule for rule in found.rules if isinstance(rule, Rule)]
    assert not any(rule.ours[0].startswith("attention") for rule in rules)


def image_graph() -> bx.Graph:
    b = bx.GraphBuilder("images")

    def head(f: bx.F, x: bx.Value) -> bx.Value:
        return f.linear("out", x, 3, use_bias=False)

    def flat(f: bx.F, x: bx.Value) -> bx.Value:
        return f.flatten(f.relu(x), -3)

    @b.entry(x=bx.Input(["batch", 4, 5, 2]))
    def main(f: bx.F, x: bx.Value) -> dict[str, bx.Value]:
        pixels = f.linear("pixels", f.flatten(x, -3), 3, use_bias=False)
        x = f.call("flat", flat)(f.conv("conv", x, 6, [1, 1], use_bias=False))
        y = f.call("head", head)(x)
        return {"pixels": pixels, "y": f.linear("last", y, 4, use_bias=False)}

    return b.graph()


def test_the_order_of_a_flattened_image_is_asked_for() -> None:
    """Across functions, and of an input that is an image itself."""
    graph = image_graph()
    names = {n: n for n in ("pixels", "conv", "head.out", "last")}
    arrays = bx.unmap_params(graph, params(graph), bx.layer_rules(graph, names))
    found = bx.suggest_rules(graph, arrays, of="torch")
    channels = {q.ours: q.choices[1].layouts for q in found.questions}
    assert channels == {
        "pixels.kernel": (L.Rearrange("o (c n) -> (n c) o", c=2),),
        "head.out.kernel": (L.Rearrange("o (c n) -> (n c) o", c=6),),
    }
    assert [rule.theirs for rule in found.rules if isinstance(rule, Rule)] == [
        ("conv.weight",),
        ("last.weight",),
    ]


def test_the_gates_of_a_gru_are_asked_for() -> None:
    b = bx.GraphBuilder("gru")

    @b.entry(x=bx.Input(["batch", 3]), h=bx.Input(["batch", 5]))
    def main(f: bx.F, x: bx.Value, h: bx.Value) -> bx.Value:
        return f.gru_cell("cell", x, h, units=5, use_bias=False)

    graph = b.graph()
    arrays = {f"cell.{n}": np.zeros((k, 15), np.float32)
              for n, k in (("kernel", 3), ("recurrent_kernel", 5))}  # fmt: skip
    asked = bx.suggest_rules(graph, arrays).questions
    assert [len(question.choices) for question in asked] == [2, 2]
    found = bx.suggest_rules(graph, arrays, of="keras").rules
    assert plain(found) >= plain(
        [Rule("cell.kernel", "cell.kernel", L.Gates("zrn", "rzn"))]
    )


def test_two_names_of_one_table_may_be_tied() -> None:
    b = bx.GraphBuilder("tied")

    @b.entry(ids=bx.Input(["time"], "int32"))
    def main(f: bx.F, ids: bx.Value) -> bx.Value:
        return f.unembed("head", f.embed("wte", ids, 7, 3), params="wte")

    table = np.zeros((7, 3), np.float32)
    (asked,) = bx.suggest_rules(
        b.graph(), {"a.weight": table, "b.weight": table}
    ).questions
    assert asked.choices[2:] == (
        Rule("wte.embedding", ("a.weight", "b.weight"), L.Same(2)),
    )


def test_copies_that_lie_stacked_and_names_of_several_numbers() -> None:
    graph = model()
    arrays = dict(tree("linen")[1])
    stacked = {n.replace("h.0.", "h."): a for n, a in arrays.items() if "h.0." in n}
    rest = {n: a for n, a in arrays.items() if ".h." not in n}
    stacked = {n: np.stack([a] * 3) for n, a in stacked.items()}
    found = bx.suggest_rules(graph, rest | stacked, of="linen")
    assert (found.questions, found.without, found.unused) == ((), (), ())
    made = bx.map_params(graph, rest | stacked, found.rules)
    np.testing.assert_array_equal(
        made["layers"]["up"]["kernel"], stacked["params.h.fc1.kernel"]
    )
    renamed = {n.replace("params.h.", "b").replace("fc1", "fc_1"): a
               for n, a in arrays.items()}  # fmt: skip
    found = bx.suggest_rules(graph, renamed, of="linen")
    assert "b{i}.fc_1.kernel" in {
        name for rule in found.rules if isinstance(rule, Rule) for name in rule.theirs
    }


@pytest.mark.parametrize(
    "name",
    ["{i}.weight", "*.weight", "a..weight", "x" * 500 + ".weight", ".weight", "weight.",
     "h.999999999999.weight", "h.007.weight", "h.16777216.weight", "²³.weight"],
)  # fmt: skip
def test_names_of_strangers_are_text(name: str) -> None:
    graph = model()
    arrays = {name: np.zeros((5, 4)), name.replace("6", "7"): np.zeros((5, 4))}
    found = bx.suggest_rules(graph, arrays, of="torch")
    named = {n for rule in found.rules if isinstance(rule, Rule) for n in rule.theirs}
    assert set(found.unused) | named >= {name}


def attention(*names: str) -> bx.Graph:
    """A query, key and value of each name, which are one array elsewhere."""
    b = bx.GraphBuilder("attention")

    def layer(f: bx.F, x: bx.Value) -> bx.Value:
        for name in names:
            q, k, v = (f.linear(f"{name}_{part}", x, 6) for part in "qkv")
            x = f.linear(f"{name}_out", q + k + v, 4)
        return x

    @b.entry(x=bx.Input(["batch", 4]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.repeat("h", layer, count=2)(x)

    return b.graph()


def fused(ours: Any, *names: str, turned: bool) -> dict[str, Any]:
    """The arrays of `attention` as other libraries have them."""
    found = {}
    for i, name in product(range(2), names):
        kernels = [np.asarray(ours["h"][f"{name}_{n}"]["kernel"][i]) for n in "qkv"]
        kernel = np.concatenate(kernels, axis=1)
        found[f"h.{i}.{name}.c_attn.weight"] = kernel.T if turned else kernel
        found[f"h.{i}.{name}.c_attn.bias"] = np.concatenate(
            [ours["h"][f"{name}_{n}"]["bias"][i] for n in "qkv"]
        )
        out = ours["h"][f"{name}_out"]
        found[f"h.{i}.{name}.out.weight"] = np.asarray(out["kernel"][i]).T
        found[f"h.{i}.{name}.out.bias"] = np.asarray(out["bias"][i])
    return found


@pytest.mark.parametrize("turned", [True, False])
def test_query_key_and_value_may_be_one_array(turned: bool) -> None:
    graph = attention("self")
    wanted = params(graph)
    arrays = fused(wanted, "self", turned=turned)
    found = bx.suggest_rules(graph, arrays, of="torch")
    assert (found.questions, found.without, found.unused) == ((), (), ())
    equal(bx.map_params(graph, arrays, found.rules), wanted)
    less = {n: a for n, a in arrays.items() if not n.endswith("c_attn.bias")}
    assert len(bx.suggest_rules(graph, less, of="torch").without) == 6


def test_of_several_fused_arrays_one_is_asked_for() -> None:
    graph = attention("self", "cross")
    arrays = fused(params(graph), "self", "cross", turned=True)
    asked = bx.suggest_rules(graph, arrays, of="torch").questions
    names = [f"h.{{i}}.self_{n}.kernel" for n in "qkv"]
    assert asked[0].ours == ", ".join(names)
    assert asked[0].choices == tuple(
        Rule(names, f"h.{{i}}.{name}.c_attn.weight", L.Split(3), L.Kernel())
        for name in ("self", "cross")
    )
    assert len(asked) == 4


@pytest.mark.parametrize("op", ["lstm", "gru"])
@pytest.mark.parametrize("layers", [1, 2])
def test_cells_of_torch_are_found(op: str, layers: int) -> None:
    b = bx.GraphBuilder("cells")

    @b.entry(x=bx.Input(["batch", "time", 3]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        y: bx.Value = f.call("rnn", getattr(bx.recipes, op))(x, units=5, layers=layers)[
            "y"
        ]
        return f.linear("out", y, 2)

    graph, gates = b.graph(), {"lstm": 4, "gru": 3}[op]
    rng = np.random.default_rng(0)
    theirs = {"out.weight": rng.normal(size=(2, 5)), "out.bias": rng.normal(size=2)}
    for i in range(layers):
        for name, shape in (
            ("weight_ih", (5 * gates, 5 if i else 3)), ("weight_hh", (5 * gates, 5)),
            ("bias_ih", (5 * gates,)), ("bias_hh", (5 * gates,)),
        ):  # fmt: skip
            theirs[f"rnn.{name}_l{i}"] = rng.normal(size=shape)
    theirs = {name: a.astype(np.float32) for name, a in theirs.items()}
    found = bx.suggest_rules(graph, theirs, of="torch")
    assert (found.questions, found.without, found.unused) == ((), (), ())
    rules = bx.layer_rules(graph, {"out": "out", "rnn.layer_{i}.cell": "rnn.{}_l{i}"})
    wanted = bx.map_params(graph, theirs, rules)
    equal(bx.map_params(graph, theirs, found.rules), wanted)
