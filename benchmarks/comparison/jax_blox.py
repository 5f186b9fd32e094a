"""jax-blox by a name that is free, as its package is called `blox` too.

It lies in a folder of its own, `jax-blox` beside the environment's `bin`, or `JAX_BLOX`:

    FOLDER="$(python -c 'import sys; print(sys.prefix)')/jax-blox"
    python -m pip install --no-deps --target "$FOLDER" jax-blox==0.1.6 chex==0.1.92 toolz==1.2.0
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

FOLDER = Path(os.environ.get("JAX_BLOX") or Path(sys.prefix) / "jax-blox")


def _replace() -> None:
    """Puts the package in the place of this module; its own imports are relative."""
    folder = FOLDER / "blox"
    if not folder.is_dir():
        install = (__doc__ or "").split("\n\n", 2)[-1]
        raise ImportError(f"{folder}: expected jax-blox, found nothing; run\n{install}")
    sys.path.append(str(FOLDER))  # what it needs, behind all that is installed
    spec = importlib.util.spec_from_file_location(
        __name__, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[__name__] = module
    spec.loader.exec_module(module)


_replace()
