"""`blox init`, `fmt`, `import`, `export`, `verify`: what they write and keep."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from edits import edit

import blox as bx
from blox.cli.writing import write_atomically
from blox.schema import from_bytes, to_json, to_msgpack
from blox.weights import lock

LINEAR = {"op": "linear", "x": "x", "in_features": 4, "out_features": 2}


def equal(a: Any, b: Any) -> bool:
    same = jax.tree.map(lambda x, y: x.dtype == y.dtype and bool((x == y).all()), a, b)
    return all(jax.tree.leaves(same))


@pytest.mark.parametrize("name", ["model", "model.safetensors"])
def test_init_makes_what_bx_init_makes(
    blox: Callable[..., Any],
    write_spec: Callable[..., Any],
    tmp_path: Path,
    name: str,
) -> None:
    spec, dst = write_spec({"out": LINEAR}, "out"), tmp_path / name
    run = blox("init", spec, dst, "--seed", 7, "--dtype", "bfloat16")
    assert (run.code, run.err) == (0, "")
    assert run.out == f"{dst}: written; next: blox show {dst}\n"
    graph, params = bx.load(dst)
    assert equal(params, bx.init(graph, jax.random.key(7), dtype="bfloat16"))


def test_init_keeps_weights_unless_forced(
    blox: Callable[..., Any], digits: Path
) -> None:
    weights = digits / "params.safetensors"
    before = weights.read_bytes()
    run = blox("init", digits / "graph.json", digits)
    assert run.code == 1
    assert "found params.safetensors" in run.err
    assert "--force" in run.err
    assert weights.read_bytes() == before


def test_init_keeps_a_model_of_an_interrupted_save(
    blox: Callable[..., Any], digits: Path
) -> None:
    (digits / "params.safetensors").rename(digits / ".blox-0123456789abcdef.x")
    (digits / ".blox-commit.json").write_text("{}")
    before = sorted(os.listdir(digits))
    run = blox("init", digits / "graph.json", digits)
    assert run.code == 1
    assert "found .blox-commit.json" in run.err
    assert sorted(os.listdir(digits)) == before


def test_nothing_is_written_to_the_hub(
    blox: Callable[..., Any],
    digits: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor to a folder here that is named so."""
    monkeypatch.chdir(tmp_path)
    before = os.listdir()
    for dst in ("hf://owner/name", "hf://owner/name.safetensors"):
        run = blox("init", digits / "graph.json", dst)
        assert run.code == 1
        assert f"{dst}: expected a folder or a file here, found a name of" in run.err
        assert os.listdir() == before


def test_init_keeps_another_graph(
    blox: Callable[..., Any], digits: Path, write_spec: Callable[..., Any]
) -> None:
    (digits / "params.safetensors").unlink()
    before = (digits / "graph.json").read_bytes()
    run = blox("init", write_spec({"out": LINEAR}, "out"), digits)
    assert run.code == 1
    assert "holds another Graph" in run.err
    assert (digits / "graph.json").read_bytes() == before


def test_fmt_waits_for_a_save(
    blox: Callable[..., Any], digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would put the older Graph back, beside the newer weights."""
    file = digits / "graph.json"
    graph = from_bytes(file.read_bytes())
    file.write_text(json.dumps(graph.plain()))
    taken: list[Path] = []
    lock_folder = lock.lock_folder

    def saved_before(folder: Path) -> tuple[int, bool]:
        taken.append(folder)
        file.write_text(to_json(graph).replace('"digits"', '"newer"', 1))
        return lock_folder(folder)

    monkeypatch.setattr(lock, "lock_folder", saved_before)
    run = blox("fmt", file)
    assert (run.code, taken) == (0, [digits])
    assert from_bytes(file.read_bytes()).name == "newer"


def test_fmt_refuses_a_graph_of_an_interrupted_save(
    blox: Callable[..., Any], digits: Path
) -> None:
    file = digits / "graph.json"
    graph = from_bytes(file.read_bytes())
    file.write_text(json.dumps(graph.plain()))
    before = file.read_bytes()
    token, data = "0123456789abcdef", to_json(graph)
    (digits / f".blox-{token}.graph.json").write_text(data)
    sizes = {"graph.json": len(data.encode())}
    log = {"blox": "commit/1", "token": token, "write": sizes, "remove": []}
    (digits / ".blox-commit.json").write_text(json.dumps(log))
    run = blox("fmt", digits)
    assert run.code == 1
    assert "expected no unfinished save, found one" in run.err
    assert file.read_bytes() == before


def test_fmt_writes_the_canonical_form_once(
    blox: Callable[..., Any], digits: Path
) -> None:
    spec = digits / "graph.json"
    canonical = spec.read_text()
    loose = json.dumps(json.loads(canonical), indent=8)
    spec.write_text(loose)
    check = blox("fmt", spec, "--check")
    assert (check.code, check.out) == (1, f"{spec}: would change\n")
    assert spec.read_text() == loose
    run = blox("fmt", digits)
    assert (run.code, run.out) == (0, f"{spec}: formatted\n")
    assert spec.read_text() == canonical
    again = blox("fmt", spec)
    assert (again.code, again.out) == (0, "")


def test_fmt_of_msgpack(blox: Callable[..., Any], digits: Path) -> None:
    import msgpack

    graph = from_bytes((digits / "graph.json").read_bytes())
    file = digits / "graph.msgpack"
    loose = msgpack.packb({**graph.plain(), "dims": {}})
    assert loose is not None
    file.write_bytes(loose)
    assert blox("fmt", file).code == 0
    assert file.read_bytes() == to_msgpack(graph)


def test_fmt_leaves_what_is_no_spec_and_goes_on(
    blox: Callable[..., Any], digits: Path, tmp_path: Path
) -> None:
    bad, good = tmp_path / "bad.json", digits / "graph.json"
    bad.write_text('{"format": "blox/1"}')
    canonical = good.read_text()
    good.write_text(canonical + "\n\n")
    run = blox("fmt", bad, good)
    assert run.code == 1
    assert run.err.startswith(f"blox: {bad}: ")
    assert bad.read_text() == '{"format": "blox/1"}'
    assert good.read_text() == canonical


def test_fmt_refuses_other_files(blox: Callable[..., Any], digits: Path) -> None:
    assert blox("fmt", digits / "params.safetensors").code == 2
    assert blox("fmt", digits.parent).code == 2


def test_fmt_restores_an_order_that_a_tool_has_sorted(
    blox: Callable[..., Any], digits: Path
) -> None:
    spec = digits / "graph.json"
    before = from_bytes(spec.read_bytes())
    spec.write_text(json.dumps(json.loads(spec.read_text()), sort_keys=True))
    assert blox("validate", spec, "--structure").code == 1
    assert blox("fmt", spec, "--reorder").code == 0
    assert blox("validate", spec, "--structure").code == 0
    assert from_bytes(spec.read_bytes()).program().leaves().keys() == (
        before.program().leaves().keys()
    )


def test_a_write_keeps_mode_and_leaves_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write_atomically(file, b"one")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~mask
    file.chmod(0o640)
    write_atomically(file, b"two")
    assert file.read_bytes() == b"two"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [file]


def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_atomically(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_write_replaces_a_link_not_its_target(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"theirs")
    link.symlink_to(target)
    write_atomically(link, b"mine")
    assert target.read_bytes() == b"theirs"
    assert not link.is_symlink()


def test_an_error_of_the_system_is_one_line(
    blox: Callable[..., Any], digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise PermissionError(13, "Permission denied", "some\x1bfile")

    monkeypatch.setattr("blox.cli.fmt.write_atomically", fail)
    spec = digits / "graph.json"
    spec.write_text(spec.read_text() + "\n")
    run = blox("fmt", spec)
    assert (run.code, run.err) == (1, "blox: some\\x1bfile: Permission denied\n")


def test_verify_finds_numbers_and_bytes_that_changed(
    blox: Callable[..., Any], digits: Path
) -> None:
    run = blox("verify", digits)
    assert (run.code, run.out) == (0, f"{digits}: fine\n")
    graph, params = bx.load(digits, mmap=False)
    images = np.zeros((1, 8, 8), np.float32)
    logits, _ = bx.build(graph)(params, images)
    wrong = ({"images": images}, {"logits": logits + 1})
    bx.save(digits, graph, params, examples=[wrong])
    run = blox("verify", digits)
    assert run.code == 1
    assert " error " in run.out
    weights = digits / "params.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    run = blox("verify", digits)
    assert run.code == 1
    assert "weights-checksum" in run.out


def test_a_checkpoint_goes_in_and_out_bit_for_bit(
    blox: Callable[..., Any], tmp_path: Path
) -> None:
    source = Path(__file__).parents[1] / "hf" / "tiny_bert"
    run = blox("import", "hf", source, tmp_path / "model")
    assert (run.code, run.err) == (0, "")
    assert "entries main, sentence_embedding\n" in run.out
    assert blox("validate", tmp_path / "model", "--strict").code == 0
    assert blox("export", "hf", tmp_path / "model", tmp_path / "back").code == 0
    from safetensors.numpy import load_file

    before = load_file(source / "model.safetensors")
    after = load_file(tmp_path / "back" / "model.safetensors")
    kept = {n: a for n, a in before.items() if n in after}
    assert len(after) == len(kept) > 0
    assert {n: a.tobytes() for n, a in after.items()} == {
        n: a.tobytes() for n, a in kept.items()
    }
    again = blox("import", "hf", source, tmp_path / "model")
    assert (again.code, again.out) == (1, "")
    assert blox("import", "hf", source, tmp_path / "model", "--force").code == 0


def test_export_refuses_what_is_no_bert_and_keeps_what_is(
    blox: Callable[..., Any], digits: Path, tmp_path: Path
) -> None:
    run = blox("export", "hf", digits, tmp_path / "out")
    assert run.code == 1
    assert run.err.startswith("blox: ")
    assert not (tmp_path / "out").exists()
    old = tmp_path / "old"
    old.mkdir()
    (old / "config.json").write_text("{}")
    run = blox("export", "hf", digits, old)
    assert run.code == 1
    assert "found config.json" in run.err


def test_import_refuses_what_is_no_checkpoint_and_keeps_what_is(
    blox: Callable[..., Any], digits: Path, tmp_path: Path
) -> None:
    run = blox("import", "hf", digits, tmp_path / "out")
    assert run.code == 1
    assert "config.json" in run.err
    assert not (tmp_path / "out").exists()
    run = blox("import", "hf", tmp_path, digits)
    assert run.code == 1
    assert "--force" in run.err


def test_canonical_text_of_the_demo_is_what_is_shipped(digits: Path) -> None:
    text = (digits / "graph.json").read_text()
    assert to_json(from_bytes(text.encode())) == text


@pytest.mark.filterwarnings("default")
def test_a_warning_is_a_line(
    digits: Path, tmp_path: Path, blox: Callable[..., Any]
) -> None:
    spec = digits / "graph.json"
    edit(spec, '"rate": 0.3', '"rate": 0.4')
    ran = blox("export", "hf", digits, tmp_path / "out")
    lines = ran.err.splitlines()
    assert lines[0].startswith("blox: warning: expected weights of the Graph sha256:")
    assert lines[1].startswith("blox: metadata.extra.transformers: expected what ")
    assert (ran.code, len(lines)) == (1, 2)
