"""`blox generate-text`: from a checkpoint's folder to text, with its own tokenizer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import blox as bx

TINY = Path(__file__).parents[1] / "hf" / "tiny_llama"


Blox = Callable[..., Any]


@pytest.fixture
def folder(blox: Blox, tmp_path: Path) -> Path:
    """A model of a checkpoint whose tokenizer has a word for each id."""
    done = blox("import", "hf", TINY, tmp_path / "model")
    assert (done.code, done.err) == (0, "")
    return tmp_path / "model"


def test_the_text_is_that_of_transformers(blox: Blox, folder: Path) -> None:
    expected = json.loads((TINY / "expected.json").read_text())
    wanted = " ".join(f"w{i}" for i in expected["expected"][0]["rows"][0][:6])
    done = blox("generate-text", folder, "w5 w6 w7 w8", "-n", "6")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"w5 w6 w7 w8 {wanted}\n"
    again = blox("generate-text", folder, "w5 w6 w7 w8", "-n", "6", "--stop", " w16")
    assert again.out == "w5 w6 w7 w8 w23 w8\n"


def test_draws_follow_the_seed(blox: Blox, folder: Path) -> None:
    def drawn(seed: str) -> str:
        options = ("-n", "8", "--temperature", "1.5", "--seed", seed)
        return str(blox("generate-text", folder, "w5", *options).out)

    assert drawn("1") == drawn("1") != drawn("2")


def test_what_is_refused(blox: Blox, folder: Path, tmp_path: Path) -> None:
    done = blox("generate-text", folder, "w5", "-n", "500")
    assert done.code == 1
    assert "expected at most 47 after 1 ids, as there are 48 places" in done.err
    graph, params = bx.load(folder)
    bx.save(tmp_path / "bare", graph, params)
    done = blox("generate-text", tmp_path / "bare", "w5")
    assert done.code == 2
    assert "expected source/tokenizer.json, found none" in done.err


def test_files_of_the_checkpoint_go_both_ways(
    blox: Blox, folder: Path, tmp_path: Path
) -> None:
    kept = {p.name: p.read_bytes() for p in (folder / "source").iterdir()}
    assert set(kept) == {"config.json", "generation_config.json", "tokenizer.json"}
    done = blox("export", "hf", folder, tmp_path / "out")
    assert done.code == 0, done.err
    for name in ("generation_config.json", "tokenizer.json"):
        assert (tmp_path / "out" / name).read_bytes() == kept[name]
    ours, theirs = (
        json.loads(text)
        for text in (
            (tmp_path / "out" / "config.json").read_bytes(),
            kept["config.json"],
        )
    )
    assert ours == theirs
