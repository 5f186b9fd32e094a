"""Is the bare wheel installed as it should be? Run by its environment's Python, -P."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path


def expect(truth: bool, message: str) -> None:
    if not truth:
        sys.exit(f"check_install: {message}")


site = Path(sysconfig.get_path("purelib")).resolve()
for package in ("blox.schema", "blox.codegen", "blox"):
    origin = importlib.import_module(package).__file__ or ""
    expect(
        Path(origin).resolve().is_relative_to(site),
        f"expected {package} in the environment, found {origin}",
    )
heavy = {"jax", "jaxlib", "numpy"} & set(sys.modules)
expect(not heavy, f"expected light imports, but they bring in {sorted(heavy)}")

for name in ("schema", "codegen", "tests", "examples", "docs"):
    expect(importlib.util.find_spec(name) is None, f"{name} is at top level")

files = [Path(str(f.locate())) for f in metadata.files("blox-format") or ()]
expect(bool(files), "the distribution lists no files")
expect(not [f for f in files if f.is_symlink()], "expected files, found links")
expect((site / "blox" / "py.typed").is_file(), "blox/py.typed is missing")

# Without the extra `cli` the command says what is missing, in one line.
if importlib.util.find_spec("typer") is None:
    command = Path(sysconfig.get_path("scripts")) / "blox"
    run = subprocess.run([command, "demo"], capture_output=True, text=True)
    said = (run.stdout + run.stderr).strip()
    expect(run.returncode != 0, "expected `blox` to fail without the extra `cli`")
    expect(
        "blox-format[cli]" in said and "\n" not in said,
        f"expected one line that names blox-format[cli], found: {said}",
    )

print(f"{len(files)} files installed, all under blox")
