"""The format alone: what importing it brings in, and what a file makes it load."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from sample_specs import TINY

HEAVY = {"jax", "jaxlib", "numpy", "torch", "safetensors", "jinja2", "typer", "rich"}


def modules(code: str, *arguments: str) -> set[str]:
    """The modules that Python has after running `code`."""
    run = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(run.stdout.split())


def test_neither_jax_nor_numpy(tmp_path: Path) -> None:
    file = tmp_path / "graph.json"
    file.write_text(json.dumps(TINY))
    code = (
        "import sys, pathlib, blox.schema as s\n"
        "g = s.from_bytes(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "g.program(); s.to_json(g); g.digest"
    )
    found = modules(code, str(file))
    assert "blox.schema.resolve.resolver" in found
    assert HEAVY & {name.partition(".")[0] for name in found} == set()
    # Only the families of ops that the file uses.
    ops = {n for n in found if n.startswith("blox.schema.ops.")}
    assert ops == {"blox.schema.ops.index", "blox.schema.ops.activations"}


def test_json_needs_no_msgpack() -> None:
    assert "msgpack" not in modules("import blox.schema")
