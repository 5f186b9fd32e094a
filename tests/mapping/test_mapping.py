"""`bx.map_params` and back: every array of both sides is used, named, or a fault."""

from __future__ import annotations

import json
import weakref
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mapping.models import RULES, model, params

import blox as bx
from blox.mapping.rules import from_json, to_json


def equal(found: Any, wanted: Any) -> None:
    def one(a: Any, b: Any) -> None:
        assert a.dtype == b.dtype
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()

    jax.tree.map(one, found, wanted)


def faults(graph: bx.Graph, tree: Any, rules: list[Any]) -> list[str]:
    with pytest.raises(bx.WeightsError) as caught:
        bx.map_params(graph, tree, rules)
    return [str(d) for d in caught.value.diagnostics]


def by_hand(given: Any) -> dict[str, np.ndarray[Any, Any]]:
    """The tree that `RULES` speak of, without the engine."""
    p = jax.tree.map(np.asarray, given)
    layers, attention = p["layers"], p["attention"]
    tree: dict[str, np.ndarray[Any, Any]] = {}
    for i in range(3):
        tree[f"h.{i}.ln.weight"] = layers["norm"]["scale"][i]
        tree[f"h.{i}.ln.bias"] = layers["norm"]["bias"][i]
        tree[f"h.{i}.ln.steps"] = np.asarray(7, np.int32)
        tree[f"h.{i + 1}.fc1.weight"] = layers["up"]["kernel"][i].T
        down = layers["down"]["kernel"][i].T
        tree[f"h.{i}.fc2.a"], tree[f"h.{i}.fc2.b"] = down[:1], down[1:]
    tree["fc1_biases"] = layers["up"]["bias"]
    tree["in_proj"] = np.concatenate([attention[n]["kernel"].T for n in "qkv"])
    tree["in_b"] = np.stack([attention[n]["bias"] for n in "qkv"], -1)
    tree |= {f"out_{name}": a for name, a in attention["out"].items()}
    tree |= {f"rows.{i}": row for i, row in enumerate(p["head"]["kernel"])}
    return tree | {"bias": p["head"]["bias"], "bias_again": p["head"]["bias"]}


def listed(given: Any) -> Any:
    """Params of the unrolled model."""
    layers = [jax.tree.map(lambda a, i=i: a[i], given["layers"]) for i in range(3)]
    return {**given, "layers": layers}


@pytest.mark.parametrize("scan", [True, False])
def test_rules_read_both_ways(scan: bool) -> None:
    graph, given = model(scan=scan), params(model())
    wanted = given if scan else listed(given)
    tree = by_hand(given)
    equal(bx.map_params(graph, tree, RULES), wanted)
    again = bx.unmap_params(graph, wanted, RULES, like=tree)
    tree |= {f"h.{i}.ln.steps": np.asarray(0, np.int32) for i in range(3)}
    assert again.keys() == tree.keys()
    equal(again, tree)


def test_without_a_tree_the_first_rule_counts() -> None:
    graph, given = model(), params(model())
    back = bx.unmap_params(graph, given, RULES)
    assert "h.0.ln.gamma" in back
    assert "h.0.ln.weight" not in back
    assert len(back) == len(by_hand(given))
    for name, array in back.items():
        assert back.spec(name) == (array.shape, str(array.dtype)), name


def test_rules_survive_json_and_python() -> None:
    assert from_json(to_json(RULES)) == RULES
    assert eval(repr(RULES), {"bx": bx}) == RULES
    (rule,) = from_json('[{"ours": "a.{i}", "theirs": "b.{i}", "when": {"i": [0, 2]}}]')
    assert rule == bx.Rule("a.{i}", "b.{i}", when={"i": (0, 2)})


def test_everything_that_is_left_is_in_one_error() -> None:
    graph, tree = model(), by_hand(params(model()))
    tree["in_proj"] = tree["in_proj"].T
    tree["out_kernel"] = tree["out_kernel"].astype(np.int32)
    tree["h.9.fc1.weight"] = tree.pop("h.3.fc1.weight")
    tree |= {"junk": np.zeros(1), "a.b.position_ids": np.zeros(1)}
    without_head = [r for r in RULES if "head.kernel" not in getattr(r, "ours", ())]
    assert faults(graph, tree, without_head) == [
        "head.kernel: expected a rule for float[4, 5], found none; bx.New(...) leaves it "
        "to bx.init",
        "h.3.fc1.weight: expected float[6, 4], found no tensor; did you mean "
        "'h.9.fc1.weight'?",
        "in_proj: expected shape [12, 4], found [4, 12]; it becomes attention.q.kernel, by "
        "a layout such as Kernel()?",
        "out_kernel: expected dtype float, found int32; it becomes attention.out.kernel",
        *(
            f"rows.{i}: expected no tensor here, found float32[5]; a rule takes it, or "
            f"bx.Ignored('rows.{i}')"
            for i in range(4)
        ),
        "h.9.fc1.weight: expected no tensor here, found float32[6, 4]; did you mean "
        "'h.3.fc1.weight'?",
    ]


def test_all_but_the_last_layer() -> None:
    graph, given = model(), params(model())
    tree = {k: v for k, v in by_hand(given).items() if "rows" not in k and k[0] != "b"}
    found = bx.map_params(graph, tree, [bx.New("head.**"), *RULES])
    assert "head" not in found
    whole = bx.init(graph, jax.random.key(1), given=found)
    equal({**whole, "head": None}, {**given, "head": None})
    assert whole["head"]["kernel"].shape == (4, 5)
    some = [bx.New("layers.1.**"), bx.New("head.**"), *RULES]
    assert "layers.1.up.kernel: expected all copies of an array to be new, or none" in (
        faults(graph, tree, some)
    )


def test_values_that_have_to_be_equal() -> None:
    graph, tree = model(), by_hand(params(model()))
    tree["bias_again"] = tree["bias"] + 1
    assert faults(graph, tree, RULES) == [
        "head.bias: expected arrays that are equal, found others"
    ]
    tied = [
        *(bx.Rule(f"attention.{n}.bias", "one") for n in "qk"),
        *RULES[:7],
        *RULES[8:],
    ]
    tied += [bx.New("attention.v.bias")]
    with pytest.raises(bx.WeightsError, match="equal, as both are 'one'"):
        dict(bx.unmap_params(graph, params(graph), tied))


def test_dtypes_are_kept_joined_or_cast() -> None:
    graph = model()
    tree: dict[str, Any] = by_hand(params(graph))
    tree["h.1.ln.weight"] = tree["h.1.ln.weight"].astype(np.float16)
    tree["out_bias"] = jnp.asarray(tree["out_bias"], "bfloat16")
    found = bx.map_params(graph, tree, RULES)
    assert found["layers"]["norm"]["scale"].dtype == np.float32
    assert found["attention"]["out"]["bias"].dtype == jnp.bfloat16
    cast = bx.map_params(graph, tree, RULES, dtype="bfloat16")
    assert {a.dtype for a in jax.tree.leaves(cast)} == {jnp.dtype("bfloat16")}
    mixed = tree | {"h.2.ln.weight": jnp.ones(4, "bfloat16")}
    mixed["h.0.ln.weight"] = mixed["h.1.ln.weight"]
    assert faults(graph, mixed, RULES) == [
        "layers.norm.scale: expected one dtype for all copies of one array, found "
        "bfloat16, float16; cast some of them"
    ]
    bx.map_params(graph, mixed, RULES, dtype="float32")
    tree["fc1_biases"] = tree["fc1_biases"].astype(np.float64)
    (line,) = faults(graph, tree, RULES)
    assert line.startswith(
        "layers.up.bias: expected at most 32 bits per value, found float64"
    )
    bx.map_params(graph, tree, RULES, dtype="float32")


def test_arrays_of_others_are_copied() -> None:
    graph, tree = model(), by_hand(params(model()))
    tree["out_kernel"] = np.array(tree["out_kernel"])
    found = bx.map_params(graph, tree, RULES)
    before = np.array(found["attention"]["out"]["kernel"])
    tree["out_kernel"][:] = 1
    np.testing.assert_array_equal(found["attention"]["out"]["kernel"], before)


class Counted:
    """An array that is read when it is needed; counts how many of its kind are held."""

    held, most, reads = 0, 0, 0

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self._array, self.shape, self.dtype = array, array.shape, array.dtype

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray[Any, Any]:
        found = np.array(self._array)
        Counted.reads += 1
        Counted.held += 1
        Counted.most = max(Counted.most, Counted.held)
        weakref.finalize(found, Counted.drop)
        return found

    @classmethod
    def drop(cls) -> None:
        cls.held -= 1


def test_arrays_of_one_rule_at_a_time_are_held() -> None:
    graph, given = model(), params(model())
    tree = {name: Counted(array) for name, array in by_hand(given).items()}
    equal(bx.map_params(graph, tree, RULES), given)
    assert (Counted.held, Counted.most, Counted.reads) == (0, 2, len(tree))


def test_the_way_back_asks_for_no_more_than_there_is() -> None:
    wide = bx.Rule("head.kernel", "x", *[bx.layouts.Crop(2**30)] * 900)
    back = bx.unmap_params(model(), params(model()), [wide, *RULES])
    with pytest.raises(bx.WeightsError, match="found too little"):
        back["x"]


TREES: dict[str, Any] = {
    "nested": {"a": {"b": [np.zeros(2), {"c": np.ones(3)}]}, "d": None},
    "flat": {"a.b.0": np.zeros(2), "a.b.1.c": np.ones(3)},
    "haiku": {"a/b": {"0": np.zeros(2), "1/c": np.ones(3)}},
}


@pytest.mark.parametrize("kind", TREES)
def test_trees_are_named_and_nested_again(kind: str) -> None:
    from blox.mapping.trees import named

    tree = named(TREES[kind])
    assert [*tree.arrays] == ["a.b.0", "a.b.1.c"]
    again = tree.nest({name: array + 1 for name, array in tree.arrays.items()})
    jax.tree.map(
        lambda a, b: np.testing.assert_array_equal(a + 1, b), TREES[kind], again
    )


def test_trees_that_are_none() -> None:
    endless: dict[str, Any] = {}
    endless["a"] = endless
    for tree, text in [
        ({"a": "text"}, "expected an array, found 'str'"),
        ({"a.b": np.zeros(1), "a": {"b": np.zeros(1)}}, "found two"),
        (endless, "expected at most 200 levels, found more"),
    ]:
        with pytest.raises(bx.ModelError, match=text):
            bx.map_params(model(), tree, RULES)


def with_layout(**fields: Any) -> dict[str, Any]:
    return {"ours": "a", "theirs": "b", "layouts": [fields]}


WRONG: dict[str, Any] = {
    "pattern": {"ours": "a.{i}{j}", "theirs": "b"},
    "twice": {"ours": "**.a.**", "theirs": "b"},
    "empty": {"ours": "a..b", "theirs": "b"},
    "no layout": with_layout(name="__import__"),
    "a base": with_layout(name="Layout"),
    "fields": with_layout(name="Kernel", x=1),
    "lacking": with_layout(name="Pad"),
    "size": with_layout(name="Split", parts=1e9),
    "huge": with_layout(name="Split", parts=99999),
    "shape": with_layout(name="Constant", shape=[{}]),
    "axes": with_layout(name="Transpose", axes=[1, 1]),
    "names": with_layout(name="Rearrange", pattern="a -> b"),
    "when": {"ours": "a.{i}", "theirs": "b.{i}", "when": {"j": [1]}},
    "when text": {"ours": "a.{i}", "theirs": "b.{i}", "when": {"i": "12"}},
    "holes": {"ours": ["a.{i}", "b"], "theirs": "b.{i}"},
    "rule": {"our": "a"},
    "list": "a",
    "ignored": {"ignored": "{i"},
    "number": {"ours": 3, "theirs": "b"},
}


@pytest.mark.parametrize("case", WRONG)
def test_rules_that_are_none_are_refused(case: str) -> None:
    with pytest.raises(bx.SpecError) as caught:
        from_json(json.dumps([{"ignored": "a"}, WRONG[case]]))
    (found,) = caught.value.diagnostics
    assert (found.code, found.path[:3]) == ("mapping-rule", "[1]")
    assert "expected" in found.message


def test_a_tree_that_has_its_parts_twice_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blox.mapping.trees._MAX_PARTS", 1000)
    twice: dict[str, Any] = {}
    for _ in range(60):
        twice = {"a": twice, "b": twice}
    with pytest.raises(bx.ModelError, match="expected at most 1000 parts, found more"):
        bx.map_params(model(), twice, RULES)


def test_values_have_the_shape_that_they_promise() -> None:
    graph = model()
    tree = dict(bx.unmap_params(graph, params(graph), RULES))
    tree["fc1_biases"] = jax.ShapeDtypeStruct(tree["fc1_biases"].shape, np.float32)
    expected = r"fc1_biases: expected values of shape \[3, 6\], found \[\]"
    with pytest.raises(bx.WeightsError, match=expected):
        bx.map_params(graph, tree, RULES)
