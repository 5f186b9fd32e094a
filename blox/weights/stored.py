"""Tensors of weight files that are read when they are asked for, one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .files import refuse, shown
from .header import TensorInfo
from .loading import load_arrays, view_of
from .pages import map_file
from .reading import Headers

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Stored:
    """A tensor of a file: its shape and dtype, and its values once they are needed.

    `numpy.asarray` of it reads a copy, which is dropped when nothing holds it; `mapped`
    is the pages of the file themselves.
    """

    def __init__(self, tensors: StoredTensors, info: TensorInfo) -> None:
        self._tensors = tensors
        self.name = info.name
        self.shape = info.shape
        self.dtype = info.dtype

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        found = self._tensors.read(self.name)
        return found if dtype is None else found.astype(dtype)

    def mapped(self) -> Array:
        """The tensor as the file's own pages, which are read when they are touched."""
        return self._tensors.mapped(self.name)


class StoredTensors(Mapping[str, Stored]):
    """The tensors of a model's weight files by name; none is read for it.

    Args:
        headers: of `read_headers`.
    """

    def __init__(self, headers: Headers) -> None:
        self._headers = headers
        self._maps: dict[Path, Array] = {}

    def __getitem__(self, name: str) -> Stored:
        return Stored(self, self._headers.tensors[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers.tensors)

    def __len__(self) -> int:
        return len(self._headers.tensors)

    def read(self, name: str) -> Array:
        """A tensor in memory of its own.

        Raises:
            WeightsError: the file was changed since its header was read.
        """
        return load_arrays(self._headers, [name], mmap=False, progress=False)[name]

    def mapped(self, name: str) -> Array:
        """A tensor as pages of its file, which is mapped once for all of its tensors.

        Raises:
            WeightsError: as `read`; a file that can't be mapped.
        """
        info = self._headers.tensors[name]
        if info.file not in self._maps:
            inside = (t for t in self._headers.tensors.values() if t.file == info.file)
            size = max(t.stop for t in inside)
            with self._headers.sources[info.file].open() as file:
                try:
                    self._maps[info.file] = map_file(file.fileno(), size)
                except OSError as error:
                    reason = error.strerror or "unknown error"
                    refuse(
                        "weights-file", shown(info.file), f"can't be mapped: {reason}"
                    )
        return view_of(info, self._maps[info.file][info.start : info.stop])
