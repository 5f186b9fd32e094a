"""Weight files: safetensors keyed by graph path, without knowing the Graph.

`names` is the closed set of a model's files, `folder` reads them as one save left them,
`header` reads one file's header strictly, `reading` a model's, `comparing` holds them
against what is expected, `loading` makes arrays, `stored` one by one, `layout` and `writing`
make files, `commit` puts several into place at once, `integrity` checks their bytes.

Names are imported when they are first used: whoever loads needs nothing that saves. JAX
and NumPy are imported only where arrays are handled.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .comparing import LeafSpec as LeafSpec
    from .comparing import compare as compare
    from .files import read_small as read_small
    from .folder import locate as locate
    from .header import TensorInfo as TensorInfo
    from .integrity import verify as verify
    from .loading import load_arrays as load_arrays
    from .loading import load_flat as load_flat
    from .log import finish as finish
    from .reading import Headers as Headers
    from .reading import read_headers as read_headers
    from .stored import StoredTensors as StoredTensors
    from .writing import dump_flat as dump_flat
    from .writing import save_flat as save_flat

_HOME = {
    "Headers": "reading",
    "LeafSpec": "comparing",
    "StoredTensors": "stored",
    "TensorInfo": "header",
    "compare": "comparing",
    "dump_flat": "writing",
    "finish": "log",
    "load_arrays": "loading",
    "load_flat": "loading",
    "locate": "folder",
    "read_headers": "reading",
    "read_small": "files",
    "save_flat": "writing",
    "verify": "integrity",
}
__all__ = [*_HOME]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'blox.weights' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value
