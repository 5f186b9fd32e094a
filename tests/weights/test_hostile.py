"""Files that nobody's `save` wrote: each is refused in a line, and costs nothing."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest
from weights.hostile_files import (
    ENTRY,
    GOOD_LOG,
    ONE,
    OTHER,
    Build,
    entry,
    fifo,
    fifo_shard,
    file_bytes,
    header,
    index,
    link,
    log,
    named,
    raw,
    shard_named,
    sub_folder,
    text_entry,
    two,
)

from blox.schema.diagnostics import WeightsError
from blox.weights import load_flat, locate, read_headers, save_flat

F32 = '"dtype":"F32",'
OFFSETS = '"data_offsets":[0,8]'
HEADER, INDEX, FILE = "weights-header", "weights-index", "weights-file"

CASES: list[tuple[str, Build, str, str]] = [
    ("empty file", raw(b""), HEADER, "at least 8 bytes"),
    ("seven bytes", raw(b"\0" * 7), HEADER, "at least 8 bytes"),
    ("no header", raw(b"\0" * 8), HEADER, "begins with '{'"),
    ("length beyond file", raw(b"\x40" + b"\0" * 7 + b"{}"), HEADER, "inside the file"),
    ("length 2**64-1", raw(b"\xff" * 8 + b"{}"), HEADER, "at most 50000000"),
    ("length 2**63", raw(b"\0" * 7 + b"\x80{}"), HEADER, "at most 50000000"),
    ("leading space", header(b" {}", b""), HEADER, "begins with '{'"),
    ("trailing newline", header(b"{}\0", b""), HEADER, "expected JSON"),
    ("not JSON", header(b"{a: 1}"), HEADER, "expected JSON"),
    ("not UTF-8", header(b'{"\xff": 1}'), HEADER, "expected UTF-8"),
    ("an array", raw(file_bytes(b"[1]")), HEADER, "begins with '{'"),
    ("depth 20,000", header(b'{"a":' + b"[" * 20_000), HEADER, "deep nesting"),
    (
        "duplicate name",
        header(b'{"a":' + json.dumps(ENTRY).encode() + b',"a":{}}'),
        HEADER,
        "found 'a' twice",
    ),
    (
        "duplicate field",
        text_entry(f'{F32}"dtype":"I8","shape":[2],{OFFSETS}'),
        HEADER,
        "found 'dtype' twice",
    ),
    ("entry is a list", header({"a": [1]}), HEADER, "exactly dtype, shape"),
    ("entry is null", header({"a": None}), HEADER, "exactly dtype, shape"),
    ("unknown field", entry(url="x"), HEADER, "exactly dtype, shape"),
    ("field missing", header({"a": {"dtype": "F32"}}), HEADER, "exactly dtype, shape"),
    ("NaN", text_entry(f'{F32}"shape":[NaN],{OFFSETS}'), HEADER, "found NaN"),
    ("Infinity", text_entry(f'{F32}"shape":[Infinity],{OFFSETS}'), HEADER, "Infinity"),
    ("1e999", text_entry(f'{F32}"shape":[1e999],{OFFSETS}'), HEADER, "found '1e999'"),
    ("float", text_entry(f'{F32}"shape":[2.0],{OFFSETS}'), HEADER, "found '2.0'"),
    (
        "400 digits",
        text_entry(f'{F32}"shape":[{"9" * 400}],{OFFSETS}'),
        HEADER,
        "64-bit integers",
    ),
    (
        "5,000 digits",
        text_entry(f'{F32}"shape":[{"9" * 5000}],{OFFSETS}'),
        HEADER,
        "64-bit integers",
    ),
    ("boolean size", entry(shape=[True, 2]), HEADER, "a shape of sizes"),
    ("string size", entry(shape=["2"]), HEADER, "a shape of sizes"),
    ("negative size", entry(shape=[-2]), HEADER, "a shape of sizes"),
    ("nested size", entry(shape=[[2]]), HEADER, "a shape of sizes"),
    ("shape is a number", entry(shape=2), HEADER, "a shape of sizes"),
    ("rank 65", entry(shape=[1] * 64 + [2]), HEADER, "a shape of sizes"),
    ("shape overflows", entry(shape=[2**31, 2**31, 4]), HEADER, "below 2**63 bytes"),
    ("overflow behind 0", entry(shape=[0, 2**62, 2**62]), HEADER, "below 2**63 bytes"),
    ("unknown dtype", entry(dtype="F31"), HEADER, "a known dtype, found 'F31'"),
    ("dtype of another case", entry(dtype="f32"), HEADER, "a known dtype"),
    ("sub-byte dtype", entry(dtype="F4"), HEADER, "a known dtype"),
    ("dtype is a list", entry(dtype=["F32"]), HEADER, "a known dtype"),
    ("dtype is a number", entry(dtype=1), HEADER, "a known dtype"),
    ("bytes and shape differ", entry(shape=[3]), HEADER, "expected 12 bytes"),
    ("bytes and dtype differ", entry(dtype="F64"), HEADER, "expected 16 bytes"),
    ("negative offset", entry(data_offsets=[-8, 0]), HEADER, "data_offsets"),
    ("reversed offsets", entry(data_offsets=[8, 0]), HEADER, "data_offsets"),
    ("boolean offset", entry(data_offsets=[False, 8]), HEADER, "data_offsets"),
    ("string offset", entry(data_offsets=["0", 8]), HEADER, "data_offsets"),
    ("three offsets", entry(data_offsets=[0, 8, 8]), HEADER, "data_offsets"),
    ("offsets null", entry(data_offsets=None), HEADER, "data_offsets"),
    ("beyond the file", header({"a": ENTRY}, b""), HEADER, "data to end"),
    (
        "far beyond the file",
        entry(shape=[2**40], data_offsets=[0, 2**42]),
        HEADER,
        "data to end",
    ),
    ("trailing bytes", header({"a": ENTRY}, b"\0" * 9), HEADER, "data to end"),
    ("overlap", two([0, 8], [4, 12], 12), HEADER, "an overlap at tensor 'b'"),
    ("same bytes twice", two([0, 8], [0, 8], 8), HEADER, "an overlap"),
    ("hole", two([0, 8], [16, 24], 24), HEADER, "a hole at tensor 'b'"),
    ("hole at the start", two([8, 16], [16, 24], 24), HEADER, "a hole at tensor 'a'"),
    ("metadata list", header({"__metadata__": ["x"]}, b""), HEADER, "an object"),
    ("metadata number", header({"__metadata__": {"x": 1}}, b""), HEADER, "strings"),
    ("metadata nested", header({"__metadata__": {"x": {}}}, b""), HEADER, "strings"),
    ("metadata key", header({"__metadata__": {"\x1b": ""}}, b""), HEADER, "printable"),
    (
        "metadata surrogate",
        header(b'{"__metadata__":{"a":"\\ud800"}}', b""),
        HEADER,
        "Unicode text",
    ),
    ("empty name", named(""), HEADER, "printable names"),
    ("newline in a name", named("a\nb"), HEADER, "printable names"),
    ("terminal escape", named("\x1b[31mred"), HEADER, "printable names"),
    ("NUL in a name", named("a\0b"), HEADER, "printable names"),
    ("right-to-left name", named("a\u202eb"), HEADER, "printable names"),
    ("surrogate name", header(b'{"\\udc80":{}}'), HEADER, "printable names"),
    ("name of 3,000", named("a" * 3000), HEADER, "printable names"),
    ("FIFO", fifo, FILE, "found a FIFO"),
    ("folder as a file", sub_folder, FILE, "found a folder"),
    ("device by name", lambda _: Path("/dev/zero.safetensors"), FILE, "can't be read"),
    (
        "link to a device",
        link("params.safetensors", "/dev/zero"),
        "weights-link",
        "out",
    ),
    (
        "link out",
        link("params.safetensors", "../outside.safetensors"),
        "weights-link",
        "a link out of it",
    ),
    ("link loop", link("params.safetensors", "params.safetensors"), FILE, "read"),
    ("nothing", lambda folder: folder, FILE, "found neither"),
    ("unknown suffix", lambda folder: folder / "a.bin", FILE, "another name"),
    ("index not JSON", index(b"{"), HEADER, "expected JSON"),
    ("index is a list", index(b"[]"), HEADER, "expected a JSON object"),
    ("index without map", index({"metadata": {}}), INDEX, "weight_map"),
    ("index map is a list", index({"weight_map": ["a"]}), INDEX, "weight_map"),
    ("index of lists", index({"weight_map": {"a": ["b"]}}), INDEX, "plain name"),
    (
        "index duplicate",
        index(b'{"weight_map":{"a":"s.safetensors","a":"t.safetensors"}}'),
        HEADER,
        "found 'a' twice",
    ),
    ("index NaN", index(b'{"metadata":{"x":NaN},"weight_map":{}}'), HEADER, "NaN"),
    ("index 1e999", index(b'{"metadata":{"x":1e999}}'), HEADER, "1e999"),
    ("index depth", index(b'{"metadata":' + b"[" * 20_000), HEADER, "deep nesting"),
    ("index name", index({"weight_map": {"a\n": "s"}}), INDEX, "printable names"),
    ("shard is a number", index({"weight_map": {"a": 1}}), INDEX, "plain name"),
    ("shard ..", shard_named("../outside.safetensors"), INDEX, "plain name"),
    ("shard in a folder", shard_named("sub/s.safetensors"), INDEX, "plain name"),
    ("shard absolute", shard_named("/etc/s.safetensors"), INDEX, "plain name"),
    ("shard of a drive", shard_named("C:s.safetensors"), INDEX, "plain name"),
    ("shard stream", shard_named("s:t.safetensors"), INDEX, "plain name"),
    ("shard backslash", shard_named("..\\s.safetensors"), INDEX, "plain name"),
    ("shard NUL", shard_named("s\0.safetensors"), INDEX, "plain name"),
    ("shard newline", shard_named("s\n.safetensors"), INDEX, "plain name"),
    ("shard .bin", shard_named("pytorch_model.bin"), INDEX, "plain name"),
    ("shard empty", shard_named(""), INDEX, "plain name"),
    ("shard long", shard_named("s" * 300 + ".safetensors"), INDEX, "plain name"),
    ("shard missing", shard_named("s.safetensors"), INDEX, "found no such file"),
    ("shard FIFO", fifo_shard, FILE, "found a FIFO"),
    (
        "shard link out",
        link("s.safetensors", "../outside.safetensors"),
        "weights-link",
        "a link out of it",
    ),
    (
        "tensor not in its shard",
        index(
            {"metadata": {"total_size": 8}, "weight_map": {"a": "s.safetensors"}},
            s=OTHER,
        ),
        INDEX,
        "expected tensor 'a' in 's.safetensors', found none there",
    ),
    (
        "total_size wrong",
        index(
            {"metadata": {"total_size": 9}, "weight_map": {"a": "s.safetensors"}}, s=ONE
        ),
        INDEX,
        "a total_size of 8, found 9",
    ),
    (
        "total_size boolean",
        index({"metadata": {"total_size": True}, "weight_map": {}}),
        INDEX,
        "a total_size of 0, found True",
    ),
    ("log not JSON", log(b"{"), HEADER, "expected JSON"),
    ("log unknown field", log(GOOD_LOG | {"run": "x"}), "weights-log", "log of a save"),
    ("log version", log(GOOD_LOG | {"blox": "commit/2"}), "weights-log", "log of"),
    ("log token", log(GOOD_LOG | {"token": "../" * 6}), "weights-log", "log of a save"),
    ("log path", log(GOOD_LOG | {"write": ["../a"]}), "weights-log", "log of a save"),
    (
        "log removal",
        log(GOOD_LOG | {"remove": ["a/b"]}),
        "weights-log",
        "log of a save",
    ),
    (
        "log own",
        log(GOOD_LOG | {"remove": [".blox-x"]}),
        "weights-log",
        "log of a save",
    ),
    ("log types", log(GOOD_LOG | {"write": [1]}), "weights-log", "log of a save"),
]


def snapshot(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize(
    ("build", "code", "fragment"),
    [pytest.param(*case[1:], id=case[0]) for case in CASES],
)
def test_refused(build: Build, code: str, fragment: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    path = build(folder)
    before = snapshot(tmp_path)
    tracemalloc.start()
    try:
        with pytest.raises(WeightsError) as caught:
            read_headers(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000
    assert snapshot(tmp_path) == before
    first = caught.value.diagnostics[0]
    assert first.code == code
    assert fragment in first.message
    for finding in caught.value.diagnostics:
        line = str(finding)
        assert line.isprintable(), "one line, no control codes"
        assert line.isascii()
        assert len(line) < 300


def test_sparse_file_of_a_huge_header(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with path.open("wb") as file:
        file.write((10**9).to_bytes(8, "little") + b"{")
        file.truncate(2 * 10**9)
    with pytest.raises(WeightsError, match="at most 50000000"):
        read_headers(path)


def test_device_is_not_opened() -> None:
    with pytest.raises(WeightsError, match="found a device"):
        locate(Path("/dev"), "null")


def test_all_differences_of_index_and_shards_in_one_report(tmp_path: Path) -> None:
    weight_map = {"a": "s.safetensors", "b": "s.safetensors", "c": "u.safetensors"}
    build = index(
        {"metadata": {"total_size": 1}, "weight_map": weight_map},
        s=file_bytes({"a": ENTRY, "x": ENTRY | {"data_offsets": [8, 16]}}, b"\0" * 16),
    )
    with pytest.raises(WeightsError) as caught:
        read_headers(build(tmp_path))
    messages = [finding.message for finding in caught.value.diagnostics]
    assert len(messages) == 3
    assert "found no such file" in messages[0]
    assert "expected tensor 'b' in 's.safetensors'" in messages[1]
    assert "found 'x' in 's.safetensors'" in messages[2]


def test_shards_of_different_models(tmp_path: Path) -> None:
    one = file_bytes({"__metadata__": {"graph": "1"}, "a": ENTRY})
    two = file_bytes({"__metadata__": {"graph": "2"}, "b": ENTRY})
    weight_map = {"a": "s.safetensors", "b": "t.safetensors"}
    content = {"metadata": {"total_size": 16}, "weight_map": weight_map}
    with pytest.raises(WeightsError, match="shards are of different models"):
        read_headers(index(content, s=one, t=two)(tmp_path))


def test_links_that_the_hub_cache_makes(tmp_path: Path) -> None:
    repository = tmp_path / "models--owner--name"
    (repository / "blobs").mkdir(parents=True)
    (repository / "blobs" / "abc").write_bytes(ONE)
    snapshot = repository / "snapshots" / "main"
    snapshot.mkdir(parents=True)
    (snapshot / "params.safetensors").symlink_to("../../blobs/abc")
    assert set(read_headers(snapshot).tensors) == {"a"}

    other = tmp_path / "models--other--name" / "blobs"
    other.mkdir(parents=True)
    (other / "abc").write_bytes(ONE)
    (snapshot / "params.safetensors").unlink()
    (snapshot / "params.safetensors").symlink_to(other / "abc")
    with pytest.raises(WeightsError, match="a link out of it"):
        read_headers(snapshot)


def test_links_inside_the_folder(tmp_path: Path) -> None:
    (tmp_path / "real.safetensors").write_bytes(ONE)
    (tmp_path / "params.safetensors").symlink_to("real.safetensors")
    assert set(read_headers(tmp_path).tensors) == {"a"}


def test_bool_of_another_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    entry = {"dtype": "BOOL", "shape": [2], "data_offsets": [0, 2]}
    path.write_bytes(file_bytes({"mask": entry}, b"\x01\x02"))
    for mmap in (True, False):
        with pytest.raises(WeightsError, match="mask: expected bools of 0 and 1"):
            load_flat(read_headers(path), mmap=mmap)


def test_file_changed_after_its_header_was_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(ONE)
    headers = read_headers(path)
    path.write_bytes(file_bytes({"a": ENTRY | {"shape": [1, 2]}}))
    for mmap in (True, False):
        with pytest.raises(WeightsError, match="found a changed one"):
            load_flat(headers, mmap=mmap)


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_bytes(b"precious")
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("params.safetensors", "graph.json"):
        (folder / name).symlink_to(target)
    save_flat(folder, {}, metadata={}, extra_files={"graph.json": b"{}"})
    assert target.read_bytes() == b"precious"
    assert not (folder / "params.safetensors").is_symlink()
    assert (folder / "graph.json").read_bytes() == b"{}"
