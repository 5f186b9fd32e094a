"""Weight files: safetensors keyed by graph path, without knowing the Graph.

`names` is the closed set of a model's files, `folder` reads them as one save left them,
`header` reads one file's header strictly, `reading` a model's, `comparing` holds them
against what is expected, `loading` makes arrays, `layout` and `writing` make files,
`commit` puts several into place at once, `integrity` checks their bytes.
JAX and NumPy are imported only where arrays are handled.
"""

from .comparing import LeafSpec, compare
from .files import read_small
from .folder import locate
from .header import TensorInfo
from .integrity import verify
from .loading import load_arrays, load_flat
from .log import finish
from .reading import Headers, read_headers
from .writing import dump_flat, save_flat

__all__ = [
    "Headers",
    "LeafSpec",
    "TensorInfo",
    "compare",
    "dump_flat",
    "finish",
    "load_arrays",
    "load_flat",
    "locate",
    "read_headers",
    "read_small",
    "save_flat",
    "verify",
]
