"""The layers that `docs/importing.md` lists are those that the importers know."""

from __future__ import annotations

import re
from typing import Any

import pytest
from docs.pages import ROOT

from blox.importers.jax.frontends import eqx_layers, hk_layers, linen_layers, nnx_layers

pytestmark = pytest.mark.parity
MODULES = {
    "Equinox": eqx_layers,
    "NNX": nnx_layers,
    "Linen": linen_layers,
    "Haiku": hk_layers,
}


@pytest.mark.parametrize("library", MODULES)
def test_layers_of_the_page_are_ops(library: str) -> None:
    page = (ROOT / "docs" / "importing.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| {library} \| (`[A-Z].*) \|$", page, re.MULTILINE)
    module: Any = MODULES[library]
    keys = [key[0] if isinstance(key, tuple) else key for key in module.layers()]
    assert {*re.findall(r"`(\w+)`", row)} <= {key.__name__ for key in keys}
