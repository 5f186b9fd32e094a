"""What has very many faults, or is very large, is refused as quickly."""

from __future__ import annotations

import json

import pytest
from sample_specs import RELU, TINY, Data, function, spec
from spec.hostile_nodes import call
from work import counted

from blox.schema import SpecError, from_bytes

MANY: list[tuple[str, Data, int]] = [
    ("unknown ops", spec({f"n{i}": {"op": f"rel{i}"} for i in range(2_500)}), 101),
    ("unknown fields", spec({f"n{i}": {**RELU, "y": 1} for i in range(2_000)}), 101),
    ("bad names", spec({f"n {i}": RELU for i in range(2_000)}), 101),
    ("unknown references",
     spec({f"n{i}": {"op": "relu", "x": f"m{i}"} for i in range(2_000)}), 101),
    ("unknown functions", spec({f"n{i}": call(f"f{i}") for i in range(1_250)}), 101),
    ("entries", {**TINY, "entries": [f"e{i}" for i in range(12_500)]}, 101),
    ("one entry often", {**TINY, "entries": ["main"] * 12_500}, 101),
    ("functions that call unknown ones", spec({"a": RELU}, functions={
        f"f{i}": function({"a": call(f"g{i}")}, "a") for i in range(1_000)}), 101),
    ("outputs of a call", spec({"a": call("f"), "b": {"op": "relu", "x": "a"}},
        functions={"f": function({"n": RELU}, {f"o{i}": "n" for i in range(6_250)})}),
     1),
    ("arguments", spec({"a": {"op": "call", "function": "f",
        "inputs": {f"i{i}": "x" for i in range(6_250)}}},
        functions={"f": function({"n": RELU}, "n")}), 101),
    ("conflicts", spec({f"n{i}": {"op": "param", "shape": [i + 1], "params": "p"}
        for i in range(1_250)}, "n0"), 101),
    ("bad attributes of variants", spec({f"c{i}": call("f", attributes={"k": -i})
        for i in range(2_500)}, functions={"f": function({
        "n": {"op": "one_hot", "x": "x", "num_classes": "$k"}}, "n",
        attributes=["k"])}), 101),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "count"), [row[1:] for row in MANY], ids=[row[0] for row in MANY]
)
def test_many_faults_are_counted_and_not_listed(data: Data, count: int) -> None:
    raw = json.dumps(data).encode()
    with counted() as work, pytest.raises(SpecError) as caught:
        from_bytes(raw).program()
    assert work.calls < 10 * len(raw)
    lines = str(caught.value).split("\n")
    assert len(lines) == count
    assert sum(len(line) for line in lines) < 50_000
    if count > 1:
        assert lines[-1].startswith("and ")
        assert lines[-1].endswith(" more")
