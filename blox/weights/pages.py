"""The pages of a file as memory, without a descriptor that stays open.

`mmap.mmap` keeps a descriptor for each map (up to Python 3.13, always), so that a model
of a thousand shards would use up all that a process may have. POSIX's own `mmap` doesn't.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


class _Pages:
    """A private map of a whole file, which NumPy sees as bytes, until it is dropped."""

    def __init__(self, descriptor: int, size: int) -> None:
        call, self._unmap = _calls()
        self._address = 0
        protection = mmap.PROT_READ | mmap.PROT_WRITE
        address = call(0, size, protection, mmap.MAP_PRIVATE, descriptor, 0)
        if address == _FAILED and ctypes.get_errno() == errno.ENOMEM:
            # Strict accounting counts copy-on-write pages of a large file as memory.
            protection = mmap.PROT_READ
            address = call(0, size, protection, mmap.MAP_PRIVATE, descriptor, 0)
        if address == _FAILED:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        self._address, self._size = address, size
        self.__array_interface__ = {
            "data": (address, protection == mmap.PROT_READ),
            "shape": (size,),
            "typestr": "|u1",
            "version": 3,
        }

    def __del__(self) -> None:
        if self._address:
            self._unmap(self._address, self._size)


_FAILED = ctypes.c_void_p(-1).value


@cache
def _calls() -> tuple[Callable[..., Any], Callable[..., Any]]:
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = (
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_long,
    )
    library.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    return library.mmap, library.munmap


def map_file(descriptor: int, size: int) -> np.ndarray[Any, Any]:
    """The first `size` bytes of a file, copied where they are written to.

    Raises:
        OSError: the system doesn't map it.
    """
    import numpy as np

    if os.name == "posix":
        return np.asarray(_Pages(descriptor, size))
    return np.frombuffer(mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY), np.uint8)
