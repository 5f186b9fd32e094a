"""Weight files: safetensors keyed by graph path, without knowing the Graph.

`header` reads one file's header strictly, `reading` a model's, `comparing` holds them
against what is expected, `loading` makes JAX arrays, `layout` and `writing` make files,
`commit` puts several into place at once, `integrity` checks their bytes.
JAX and NumPy are imported only where arrays are handled.
"""

from .comparing import LeafSpec, compare
from .files import read_small
from .header import TensorInfo
from .integrity import verify
from .loading import load_flat
from .log import finish, locate
from .reading import Headers, read_headers
from .writing import dump_flat, save_flat

__all__ = [
    "Headers",
    "LeafSpec",
    "TensorInfo",
    "compare",
    "dump_flat",
    "finish",
    "load_flat",
    "locate",
    "read_headers",
    "read_small",
    "save_flat",
    "verify",
]
