"""`bx.carry_over` and `bx.plan` between two Graphs: what has the same path."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from surgery.inner import outputs_of
from surgery.nets import X, net
from trees import same_structure

import blox as bx


@pytest.mark.parametrize(("a", "b"), [(True, False), (False, True)])
def test_a_model_of_another_layout_gets_all_arrays(a: bool, b: bool) -> None:
    old, new = net(a), net(b)
    params = bx.init(old, jax.random.key(0))
    found = bx.carry_over(old, params, new)
    assert same_structure(found, bx.init(new, jax.random.key(0)))
    assert jnp.allclose(
        outputs_of(new, found, X)["out"], outputs_of(old, params, X)["out"], atol=1e-6
    )
    with pytest.raises(bx.SpecError, match="expected 3 copies, as there are arrays of"):
        bx.carry_over(old, params, net(b, count=4), key=jax.random.key(0))


def test_what_another_model_has_otherwise_is_new() -> None:
    old = net()
    params = bx.init(old, jax.random.key(0))
    new = bx.edit(old).head(lambda f, x: f.linear("out", x, 7)).graph
    found = bx.carry_over(old, params, new, key=jax.random.key(3))
    assert found["h"]["up"]["kernel"] is params["h"]["up"]["kernel"]
    whole = bx.init(new, jax.random.key(3))
    assert jnp.array_equal(found["out"]["kernel"], whole["out"]["kernel"])
    assert str(bx.plan(old, new)) == (
        "as is    2 arrays\n"
        "new      out.kernel  float[4, 7]\n"
        "new      out.bias    float[7]\n"
        "dropped  out.kernel  float[4, 2]\n"
        "dropped  out.bias    float[2]"
    )
    assert str(bx.plan(old, net(scan=False)).changed[0]) == (
        "Carried(new='h.0.up.kernel', old=('h.up.kernel',), how='copy 0')"
    )
