"""Arrays from files: not copied, safe to donate, right after the file is gone."""

from __future__ import annotations

import ctypes
import gc
import mmap
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from blox.schema.diagnostics import WeightsError
from blox.schema.dtypes import NEEDS_X64
from blox.weights import Headers, dump_flat, load_flat, read_headers, save_flat
from blox.weights.dtypes import ITEMSIZE

Array = np.ndarray[Any, Any]


def saved(path: Path, **tensors: Any) -> Headers:
    save_flat(path, tensors, metadata={})
    return read_headers(path)


def mapped(array: jax.Array, path: Path) -> bool:
    """True if the array's memory is pages of the file, by the system's own list."""
    address = array.unsafe_buffer_pointer()
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.split()[-1] == str(path):
            first, last = (int(end, 16) for end in line.split()[0].split("-"))
            if first <= address < last:
                return True
    return False


needs_maps = pytest.mark.skipif(
    not Path("/proc/self/maps").exists(), reason="reads the system's list of maps"
)


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("name", sorted(set(ITEMSIZE) - NEEDS_X64))
def test_every_dtype(name: str, mmap: bool, tmp_path: Path) -> None:
    dtype = np.dtype(getattr(ml_dtypes, name, None) or name)
    values = np.arange(120).reshape(6, 20) % (2 if name == "bool" else 100)
    tensors = {
        "matrix": values.astype(dtype),
        "scalar": values[0, 1].astype(dtype),
        "empty": np.zeros((3, 0), dtype),
    }
    headers = saved(tmp_path, **tensors)
    loaded = load_flat(headers, mmap=mmap)
    assert loaded.keys() == tensors.keys()
    for key, array in loaded.items():
        assert isinstance(array, jax.Array)
        assert array.dtype == dtype
        assert not array.weak_type
        np.testing.assert_array_equal(np.asarray(array), tensors[key])


@needs_maps
def test_aligned_tensors_are_not_copied(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    aligned = np.arange(64, dtype=np.float32).reshape(4, 16)
    headers = saved(
        path, a=aligned, b=np.ones((2, 16), ml_dtypes.bfloat16), c=aligned[0]
    )
    assert all(mapped(array, path) for array in load_flat(headers).values())
    copies = load_flat(headers, mmap=False)
    assert not any(mapped(array, path) for array in copies.values())


def test_64_bit_tensors_need_x64(tmp_path: Path) -> None:
    tensors = {name: np.ones(3, name) for name in sorted(NEEDS_X64 & {*ITEMSIZE})}
    headers = saved(tmp_path, ok=np.ones(3, np.float32), **tensors)
    with pytest.raises(WeightsError, match="jax_enable_x64") as caught:
        load_flat(headers)
    assert [d.path for d in caught.value.diagnostics] == ["float64", "int64", "uint64"]
    assert set(load_flat(headers, ["ok"])) == {"ok"}
    with jax.enable_x64(True):
        for name, array in load_flat(headers, tensors).items():
            assert array.dtype == name


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("shard", [None, 300])
def test_names_choose_and_order(mmap: bool, shard: int | None, tmp_path: Path) -> None:
    tensors = {f"h.{i}": np.full(50, i, np.float32) for i in range(6)}
    save_flat(tmp_path, tensors, metadata={}, max_shard_size=shard)
    headers = read_headers(tmp_path)
    loaded = load_flat(headers, ["h.4", "h.1", "h.4", "h.0"], mmap=mmap)
    assert list(loaded) == ["h.4", "h.1", "h.0"]
    for name, array in loaded.items():
        np.testing.assert_array_equal(array, tensors[name])
    assert load_flat(headers, [], mmap=mmap) == {}
    with pytest.raises(WeightsError) as caught:
        load_flat(headers, ["h.1", "h.9", "x"], mmap=mmap)
    assert [d.path for d in caught.value.diagnostics] == ["h.9", "x"]


def test_no_tensors(tmp_path: Path) -> None:
    assert load_flat(saved(tmp_path)) == {}


@needs_maps
@pytest.mark.parametrize("access", ["ACCESS_COPY", "ACCESS_READ"])
def test_donation_never_writes_to_the_file(
    access: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By read-only pages (where copy-on-write is refused) a write would be a crash."""
    monkeypatch.setattr(mmap, "ACCESS_COPY", getattr(mmap, access))
    path = tmp_path / "a.safetensors"
    value = np.arange(4096, dtype=np.float32)
    save_flat(path, {"a": value, "b": value}, metadata={})
    before = path.read_bytes()

    @jax.jit
    def plain(a: jax.Array) -> jax.Array:
        return a * 2

    def update(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
        return a + 1, jax.lax.dynamic_update_slice(b, jnp.zeros(8), (0,))

    donating = jax.jit(update, donate_argnums=(0, 1))
    loaded = load_flat(read_headers(path))
    assert mapped(loaded["a"], path)
    assert mapped(loaded["b"], path)
    a, b = donating(loaded["a"], loaded["b"])
    for _ in range(3):
        a, b = donating(a, b)
    np.testing.assert_array_equal(a, value + 4)
    np.testing.assert_array_equal(b, np.r_[np.zeros(8), value[8:]])
    assert path.read_bytes() == before
    # Another load of the same pages sees none of it.
    np.testing.assert_array_equal(plain(load_flat(read_headers(path))["a"]), value * 2)


@needs_maps
def test_writing_through_dlpack_stays_private(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    headers = saved(path, a=np.zeros(64, np.float32))
    before = path.read_bytes()
    array = load_flat(headers)["a"]
    assert mapped(array, path)
    view = np.asarray(array)
    assert not view.flags.writeable
    ctypes.memset(view.ctypes.data, 1, 8)  # as a library that ignores the flag
    assert path.read_bytes() == before
    assert float(load_flat(read_headers(path))["a"][0]) == 0


def test_unlinked_and_replaced_files_stay_loaded(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    value = np.arange(1 << 16, dtype=np.float32)
    first = load_flat(saved(path, a=value))
    # A save of what is mapped from the very file.
    save_flat(path, {"a": first["a"]}, metadata={})
    second = load_flat(saved(path, a=-value))
    path.unlink()
    gc.collect()
    np.testing.assert_array_equal(first["a"], value)
    np.testing.assert_array_equal(second["a"], -value)
    again = tmp_path / "b.safetensors"
    np.testing.assert_array_equal(load_flat(saved(again, a=first["a"]))["a"], value)


@needs_maps
def test_the_map_goes_with_the_last_array(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    loaded = load_flat(saved(path, a=np.zeros(64), b=np.zeros(64, np.float32)), ["b"])
    slim = loaded["b"]
    del loaded
    gc.collect()
    assert str(path) in Path("/proc/self/maps").read_text()
    np.testing.assert_array_equal(slim, np.zeros(64, np.float32))
    del slim
    gc.collect()
    assert str(path) not in Path("/proc/self/maps").read_text()


def test_transformations_of_loaded_arrays(tmp_path: Path) -> None:
    value = np.linspace(-1, 1, 256, dtype=np.float32).reshape(16, 16)
    kernel = load_flat(saved(tmp_path, kernel=value))["kernel"]

    def loss(kernel: jax.Array) -> jax.Array:
        return jnp.tanh(kernel @ kernel).sum()

    expected = jax.grad(loss)(jnp.array(value))
    np.testing.assert_array_equal(jax.grad(loss)(kernel), expected)
    np.testing.assert_array_equal(jax.vmap(jnp.sum)(kernel), jax.vmap(jnp.sum)(value))
    moved = jax.device_put(kernel, jax.devices()[-1])
    np.testing.assert_array_equal(moved, value)


@pytest.mark.parametrize("mmap", [True, False])
def test_progress_is_silent_without_a_terminal(
    mmap: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("blox.weights.progress.LONG_WORK_BYTES", 1)
    save_flat(tmp_path, {"a": np.zeros(9, np.int8)}, metadata={}, progress=True)
    load_flat(read_headers(tmp_path), mmap=mmap, progress=True)
    assert capsys.readouterr() == ("", "")


def test_progress_on_a_terminal(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("blox.weights.progress.LONG_WORK_BYTES", 1)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    save_flat(tmp_path, {"a": np.zeros(9, np.int8)}, metadata={}, progress=True)
    assert "saving" in capsys.readouterr().err


def test_bytes_of_extra_files_load_too(tmp_path: Path) -> None:
    data = dump_flat({"in": np.ones(3, np.float32)}, metadata={"tolerance": "1e-6"})
    save_flat(tmp_path, {}, metadata={}, extra_files={"examples.safetensors": data})
    headers = read_headers(tmp_path / "examples.safetensors")
    assert headers.metadata == {"tolerance": "1e-6"}
    np.testing.assert_array_equal(load_flat(headers)["in"], np.ones(3))
