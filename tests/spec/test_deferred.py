"""Op classes are made when they are used, and are then as any other class."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from typing import Any

import pytest
from sample_specs import GPT

from blox.schema import Graph, Op
from blox.schema.pause import uncollected
from blox.schema.registry import op_class

MADE = """
import json, sys
from blox.schema import Graph, Op
def below(cls): return {cls} | {b for c in cls.__subclasses__() for b in below(c)}
first = {c.__name__ for c in below(Op)}
graph = Graph.parse(json.loads(sys.argv[1]))
graph.program()
print(json.dumps(sorted({c.__name__ for c in below(Op)} - first)))
"""
PICKLED = """
import pickle, sys
op = pickle.loads(bytes.fromhex(sys.argv[1]))
from blox.schema.ops.linear import Linear
assert type(op) is Linear and isinstance(op, Linear), type(op)
assert op.in_features == 8 and op.frozen == ["bias"]
assert pickle.loads(pickle.dumps(op)) == op
"""
STATEMENTS = """
import copy
from blox.schema import Op
from blox.schema.ops.activations import Activation, Elu, Relu
from blox.schema.ops.norm import LayerNorm
assert not isinstance(3, Elu)
relu = Relu(x="x")
assert isinstance(relu, Relu) and isinstance(relu, Activation) and isinstance(relu, Op)
assert not isinstance(relu, Elu)
assert issubclass(Relu, Op) and issubclass(Elu, Activation) and not issubclass(Elu, Relu)
assert list(Elu.model_fields) == ["op", "x", "alpha"] and Elu.__doc__.startswith("`x`")
class Mine(LayerNorm):
    def problems(self):
        yield from super().problems()
        yield "mine"
assert list(Mine(x="x", eps=-1.0).problems())[1:] == ["mine"]
match relu:
    case Elu():
        raise AssertionError
    case Relu(x=x):
        assert x == "x"
from blox.schema.ops.activations import Relu as Again
assert Again is type(relu) and copy.deepcopy(relu) == relu
"""


THREADS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from blox.schema.registry import op_class, op_names
sys.setswitchinterval(1e-6)
with ThreadPoolExecutor(8) as pool:
    for name in list(op_names())[:30]:
        assert len(set(pool.map(op_class, [name] * 8))) == 1, name
"""


def run(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_process_makes_the_classes_that_it_meets() -> None:
    made = set(json.loads(run(MADE, json.dumps(GPT))))
    graph = Graph.parse(GPT)
    met = {type(n) for f in graph.functions.values() for n in f.nodes.values()}
    assert made <= {base.__name__ for cls in met for base in cls.__mro__}
    assert len(made) < 30


def test_a_statement_stands_for_its_class() -> None:
    run(STATEMENTS)


def test_unpickled_before_the_class_is_made() -> None:
    import pickle

    cls: Any = op_class("linear")
    op = cls(x="x", in_features=8, frozen=["bias"])
    run(PICKLED, pickle.dumps(op).hex())


def test_threads_make_one_class() -> None:
    run(THREADS)


def test_third_parties_get_plain_classes() -> None:
    class Own(Op):
        op: Any = "own"

    assert Own().op == "own"
    assert Own in Op.__subclasses__()


@pytest.mark.parametrize("on", [True, False])
def test_garbage_is_looked_for_afterwards(on: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if on else gc.disable)()
        with uncollected(), uncollected():
            assert not gc.isenabled()
        assert gc.isenabled() is on
    finally:
        (gc.enable if before else gc.disable)()
