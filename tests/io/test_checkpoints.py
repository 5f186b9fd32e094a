"""`bx.Checkpoints`: what is restored, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import killed_training
import numpy as np
import optax
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import blox as bx

GRAPH = killed_training.model()


def leaves(tree: Any) -> list[Any]:
    return [
        np.asarray(jax.random.key_data(a) if a.dtype.name.startswith("key") else a)
        for a in jax.tree.leaves(tree)
    ]


def test_an_interrupted_training_ends_as_one_that_was_not(tmp_path: Path) -> None:
    params, losses = killed_training.train(tmp_path / "alone", 7)
    with pytest.raises(KeyboardInterrupt):
        killed_training.train(tmp_path / "twice", 7, stop=4)
    again, resumed = killed_training.train(tmp_path / "twice", 7)
    assert len(losses) == 7
    assert resumed == losses
    jax.tree.map(np.testing.assert_array_equal, again, params)


def test_all_kinds_of_state_come_back(tmp_path: Path) -> None:
    """Lists with gaps, keys of two kinds, small types, states of optimisers."""
    params = {"h": [{}, {"w": jnp.ones(3, jnp.bfloat16)}], "n": jnp.array(5, jnp.int8)}
    optimizer = optax.MultiSteps(
        optax.chain(
            optax.clip(1.0), optax.masked(optax.adam(1e-3), {"h": True, "n": False})
        ),
        2,
    )
    state = {
        "params": params,
        "moments": optimizer.init(params),
        "keys": (jax.random.key(3), jax.random.split(jax.random.key(1, impl="rbg"))),
    }
    record = {
        "losses": [0.1, 1e-30],
        "draw": np.random.default_rng(7).bit_generator.state,
    }
    with bx.Checkpoints(tmp_path, GRAPH) as checkpoints:
        empty = jax.tree.map(lambda a: a, state)
        assert checkpoints.restore(empty, {"a": 1}) == (0, empty, {"a": 1})
        assert checkpoints.save(3, state, record)
    like = jax.tree.map(lambda a: a if a.dtype.name.startswith("key") else 0 * a, state)
    with bx.Checkpoints(tmp_path, GRAPH) as checkpoints:
        step, found, recorded = checkpoints.restore(like, {})
    assert step == 3
    assert str(jax.tree.structure(found)) == str(jax.tree.structure(state))
    assert [a.dtype for a in jax.tree.leaves(found)] == [
        a.dtype for a in jax.tree.leaves(state)
    ]
    for a, b in zip(leaves(found), leaves(state), strict=True):
        np.testing.assert_array_equal(a, b)
    assert recorded == record


def test_buffers_may_be_donated(tmp_path: Path) -> None:
    state = {"w": jnp.zeros((1000, 1000))}
    step = jax.jit(lambda s: jax.tree.map(lambda a: a + 1, s), donate_argnums=0)
    with bx.Checkpoints(tmp_path, GRAPH) as checkpoints:
        for i in range(3):
            checkpoints.save(i, state, {})
            state = step(state)
        checkpoints.manager.wait_until_finished()
        assert int(checkpoints.restore(state, {})[1]["w"].max()) == 2


def test_the_last_ones_stay_at_every_so_many_steps(tmp_path: Path) -> None:
    with bx.Checkpoints(tmp_path, GRAPH, keep=2, every=3) as checkpoints:
        saved = [s for s in range(1, 13) if checkpoints.save(s, {"w": jnp.ones(2)}, {})]
    assert saved == [1, 3, 6, 9, 12]
    assert sorted(f.name for f in tmp_path.iterdir()) == ["12", "9", "graph.json"]


def test_a_state_lies_on_the_devices_of_the_given_one(
    tmp_path: Path, devices: list[Any]
) -> None:
    mesh = Mesh(np.array(devices), ("data",))
    there = NamedSharding(mesh, PartitionSpec("data"))
    state = {"w": jax.device_put(jnp.arange(16.0), there)}
    with bx.Checkpoints(tmp_path, GRAPH) as checkpoints:
        checkpoints.save(1, {"w": jnp.arange(16.0)}, {})
        checkpoints.manager.wait_until_finished()
        _, found, _ = checkpoints.restore(state, {})
    assert found["w"].sharding == there
    np.testing.assert_array_equal(found["w"], state["w"])


def test_the_spec_lies_beside_them(tmp_path: Path) -> None:
    bx.Checkpoints(tmp_path / "run", GRAPH).close()
    assert bx.load_graph(tmp_path / "run" / "graph.json") == GRAPH


def test_another_graph_is_refused_by_name(tmp_path: Path) -> None:
    bx.Checkpoints(tmp_path, GRAPH).close()
    other = GRAPH.replace_attributes(width=4).replace(name="other")
    with pytest.raises(bx.WeightsError) as caught:
        bx.Checkpoints(tmp_path, other)
    assert str(caught.value) == (
        "graph.json: expected the checkpoints of 'other', found those of the Graph "
        "'small', which differs at name; another Graph is trained in a folder of its own"
    )


def test_a_damaged_spec_is_refused(tmp_path: Path) -> None:
    (tmp_path / "graph.json").write_text(json.dumps({"format": "blox/1"}))
    with pytest.raises(bx.SpecError, match="name"):
        bx.Checkpoints(tmp_path, GRAPH)


def test_a_state_of_another_shape_or_structure_is_refused(tmp_path: Path) -> None:
    with bx.Checkpoints(tmp_path, GRAPH) as checkpoints:
        checkpoints.save(1, {"w": jnp.ones(3)}, {})
        checkpoints.manager.wait_until_finished()
        with pytest.raises(ValueError, match="do not match"):
            checkpoints.restore({"v": jnp.ones(3)}, {})
        with pytest.raises(ValueError, match="not compatible"):
            checkpoints.restore({"w": jnp.ones(4)}, {})


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(bx.WeightsError, match="can't be written"):
        bx.Checkpoints(tmp_path / "file" / "run", GRAPH)


def test_without_orbax(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "orbax.checkpoint", None)
    with pytest.raises(ImportError, match=r"pip install 'blox-format\[train\]'"):
        bx.Checkpoints(tmp_path / "run", GRAPH)
    assert not (tmp_path / "run").exists()
