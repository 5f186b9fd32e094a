"""Small specs that ask for much: reported or accepted, in bounded time and memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from hostile_specs import SPECS, X, chain
from sample_specs import function, spec

import blox as bx
from blox.schema import Graph, Report
from blox.shapes.check import Checker

HERE = Path(__file__).parent
CHILD = f"""
import json, resource, signal, sys
sys.path.insert(0, {str(HERE.parent)!r})
import blox as bx
import jax.numpy as jnp
from hostile_specs import SPECS

jnp.zeros(2)
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
now = [""]

def late(*_):
    print(json.dumps("too slow: " + now[0]), flush=True)
    sys.exit(1)

signal.signal(signal.SIGPROF, late)
for name in json.loads(sys.argv[1]):
    now[0], data = name, SPECS[name]
    # Time of the processor, so that a busy machine changes nothing.
    signal.setitimer(signal.ITIMER_PROF, 5 + 5e-5 * len(json.dumps(data)))
    report = bx.validate(bx.Graph.parse(data))
    lines = [str(d) for d in report.diagnostics]
    print(json.dumps([name, [d.code for d in report.diagnostics], lines]))
signal.setitimer(signal.ITIMER_PROF, 0)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert peak - base < 2**20, f"{{peak}} KiB"
"""


LONG = {
    "adaptive pools",
    "copies growing",
    "doubled and doubled",
    "many faults",
    "many shapes",
    "options",
    "sums of sums",
}
"""Each of these takes more of a processor than thirty others."""
CODES = {
    "pad reflect 1000000": {"attribute"},
    "cummax": {"attribute"},
    "diff": {"attribute", "shape-undecided"},
    "matrix_power": {"attribute", "shape-undecided"},
    "multigammaln": {"attribute", "shape-undecided"},
    "conv circular padding": {"attribute", "shape-undecided"},
    "copies alike": set(),
    "copies counted": set(),
    "copies growing": {"shape-skipped"},
    "many ranks": {"too-large"},
    "polydiv": {"attribute"},
    "roots": {"attribute"},
}


def test_those_that_take_little_end_and_speak_in_lines() -> None:
    assert SPECS.keys() > LONG
    assert_ended([name for name in SPECS if name not in LONG])


@pytest.mark.slow
def test_all_end_and_speak_in_lines() -> None:
    assert_ended(list(SPECS))


def assert_ended(names: list[str]) -> None:
    """In bounded time and memory, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps(names)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"{found[-1:]} {done.stderr[-2000:]}"
    assert [name for name, _, _ in found] == names
    for name, codes, lines in found:
        assert max(map(len, lines), default=0) <= 700, name
        assert all(line.isprintable() for line in lines), name
        assert len(codes) <= 102
    by_name = {name: set(codes) for name, codes, _ in found}
    assert by_name["equal"] in ({"shape-undecided"}, set())
    known = CODES.keys() & by_name.keys()
    assert {name: by_name[name] for name in known} == {n: CODES[n] for n in known}


@pytest.mark.parametrize("mode", ["reflect", "symmetric", "wrap"])
def test_a_loaded_model_refuses_what_would_loop(mode: str) -> None:
    """The same limit at a call, where a size may be the caller's."""
    node = {"op": "pad", "pad_width": [["$batch * 100", 0], [0, 0]], "mode": mode}
    graph = Graph.parse(chain(node, inputs=X))
    with pytest.raises(
        bx.ModelError, match=r"main\.n0\.pad_width: expected at most 16"
    ):
        jax.eval_shape(bx.build(graph), {}, jnp.zeros((2, 8)))
    node["pad_width"] = [["$batch * 3", 0], [0, 0]]
    outputs, _ = bx.build(Graph.parse(chain(node, inputs=X)))({}, jnp.zeros((2, 8)))
    assert outputs.shape == (8, 8)


def test_copies_and_calls_that_are_alike_cost_nothing() -> None:
    relu = {"op": "relu", "x": "x"}
    step = {"op": "repeat", "function": "f", "count": 9_000, "scan": False}
    inner = {"op": "call", "function": "g", "inputs": {"x": "x"}}
    data = spec(
        {"a": step | {"carry": {"x": "x"}}, "b": step | {"carry": {"x": "a"}}},
        functions={
            "f": function({"c": inner}, {"x": "c"}),
            "g": function({"r": relu}, {"x": "r"}),
        },
    )
    checker = Checker(Graph.parse(data).program(), Report())
    checker.check()
    assert checker.engine.ops.inference.traced == 2  # symbolic, a sample in bfloat16
