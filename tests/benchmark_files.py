"""Files of `benchmarks/` as modules: the tests hold what they measure."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

from imports import ROOT


def benchmark(name: str) -> Any:
    """The module `benchmarks/NAME.py`, made once; `name` may have folders."""
    key = f"benchmarks/{name}"
    if key not in sys.modules:
        spec = importlib.util.spec_from_file_location(key, ROOT / f"{key}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[key] = module
        spec.loader.exec_module(module)
    return sys.modules[key]
