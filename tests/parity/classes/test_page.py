"""The Python of `docs/classes.md` runs, and gives the numbers of the loaded model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from class_files import TARGETS, assert_close
from docs.pages import ROOT, blocks

import blox as bx
from blox.schema import from_bytes

pytestmark = pytest.mark.parity

DEMO = ROOT / "blox" / "demo_data"


def test_the_page_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = from_bytes((DEMO / "graph.json").read_bytes())
    (tmp_path / "blox-demo").mkdir()
    params = bx.load(DEMO)[1]
    bx.save(tmp_path / "blox-demo" / "model", graph, params)
    for target, name in zip(TARGETS, ("digits_eqx", "digits_nnx"), strict=True):
        (tmp_path / f"{name}.py").write_text(bx.generate(graph, target=target))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    images = np.load(DEMO / "held_out.npz")["images"].astype("float32")[:8]
    expected, _ = jax.jit(bx.build(graph, train=True))(params, images)
    page = (ROOT / "docs" / "classes.md").read_text(encoding="utf-8")
    used = [b for b in blocks(page) if b.kind == "python" and not b.marks]
    assert len(used) == len(TARGETS)
    given = 'np.zeros((4, 8, 8), "float32")'
    assert sum(given in block.text for block in used) == 1
    for block in used:
        names: dict[str, Any] = {"images": images, "held_out": images}
        text = block.text.replace(given, "held_out")
        exec(compile(text, "classes.md", "exec", dont_inherit=True), names)
        assert_close(expected, names["logits"], block.text)
