"""`blox demo`, what it ships, and the script that made it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import blox as bx
from blox.cli.pictures import drawn
from blox.demo_data import HELD_OUT, MODEL, read

ROOT = Path(__file__).resolve().parents[2]


def test_demo_goes_all_the_way_and_its_next_commands_work(
    blox: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = blox("demo")
    assert (run.code, run.err) == (0, "")
    found = re.search(r"(\d+) of 360 digits .* \((\d+\.\d)%\)", run.out)
    assert found
    assert int(found[1]) >= 0.97 * 360
    assert "greatest difference from the loaded model: 0.0\n" in run.out
    files = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.*"))
    assert files == [
        "blox-demo/digits.py",
        "blox-demo/held_out.npz",
        "blox-demo/model/examples.safetensors",
        "blox-demo/model/graph.json",
        "blox-demo/model/params.safetensors",
    ]
    code = Path("blox-demo/digits.py").read_text()
    assert code == bx.generate(bx.load("blox-demo/model")[0])
    assert not re.search(r"^\s*(import|from) blox", code, re.MULTILINE)

    _, _, rest = run.out.partition("Try next:\n")
    commands = [shlex.split(line) for line in rest.splitlines() if line.strip()]
    assert len(commands) >= 4
    for name, *arguments in commands:
        if name == "blox":
            assert blox(*arguments).code == 0, arguments
        else:
            assert Path(arguments[-1]).is_file()


def test_demo_replaces_nothing_that_is_not_its_own(
    blox: Callable[..., Any], tmp_path: Path
) -> None:
    for name in ("digits.py", "held_out.npz", "model/graph.json"):
        folder = tmp_path / name.replace("/", "_")
        mine = folder / name
        mine.parent.mkdir(parents=True)
        mine.write_text("mine")
        run = blox("demo", "--output", folder)
        assert (run.code, run.out) == (1, "")
        assert run.err == (
            f"blox: {mine}: not what the demo writes; move it away, or choose another "
            "folder by --output\n"
        )
        assert mine.read_text() == "mine"
        assert [p for p in folder.rglob("*") if p.is_file()] == [mine]


def test_demo_needs_a_folder(blox: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    assert blox("demo", "-o", file).code == 1
    assert blox("demo", "-o", file / "inner").code == 1
    assert file.read_text() == "mine"


def test_what_is_shipped_is_small() -> None:
    assert sum(len(read(name)) for name in (*MODEL, HELD_OUT)) < 300_000


def test_held_out_digits_are_the_last_of_scikit_learn() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    import io

    digits = datasets.load_digits()
    with np.load(io.BytesIO(read(HELD_OUT))) as held_out:
        np.testing.assert_array_equal(held_out["images"], digits.images[-360:])
        np.testing.assert_array_equal(held_out["labels"], digits.target[-360:])


def test_the_shipped_spec_is_that_of_the_training_script() -> None:
    pytest.importorskip("optax")
    pytest.importorskip("sklearn")
    import runpy

    from blox.schema import to_json

    script = runpy.run_path(str(ROOT / "examples" / "train_digits.py"))
    assert to_json(script["digits"]()).encode() == read("graph.json")


def test_pictures_fall_back_to_what_a_terminal_has() -> None:
    images = [[[0, 4], [8, 16]], [[16, 16], [0, 0]]]
    assert drawn(images, ["1", "2"], "utf-8") == "    ░░  ████\n  ▒▒██\n   1     2"
    assert drawn(images, ["1", "2"], "ascii") == "    ..  ####\n  ::##\n   1     2"
    assert drawn(images, ["1", "2"], None) == drawn(images, ["1", "2"], "ascii")
