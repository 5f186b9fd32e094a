"""`bx.suggest_rules`: right where it decides, and what it can't decide it asks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mapping.models import model, params
from mapping.test_mapping import equal

import blox as bx
from blox.importers.hf.config import BertConfig
from blox.importers.hf.families.bert import bert_graph, bert_rules
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
    graph = bert_graph(config)
    arrays = dict(bx.unmap_params(graph, params(graph), bert_rules(graph)))
    found = bx.suggest_rules(graph, arrays, of="torch")
    assert (found.questions, found.without, found.unused) == ((), (), ())
    assert plain(found.rules) == plain(
        r for r in bert_rules(graph) if isinstance(r, Rule)
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
