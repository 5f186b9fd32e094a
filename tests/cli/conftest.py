"""Runs of the command in this process, and models to run it on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from blox.cli.app import app
from blox.demo_data import MODEL, read


@dataclass(frozen=True, slots=True)
class Run:
    """The exit code and the output of one run."""

    code: int
    out: str
    err: str


@pytest.fixture
def blox() -> Callable[..., Run]:
    """`blox("show", "model")`; an exception that the command lets through is raised."""

    def run(*arguments: object) -> Run:
        result = CliRunner().invoke(app, [str(a) for a in arguments], prog_name="blox")
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Run(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """The folder of the demo's model."""
    folder = tmp_path / "digits"
    folder.mkdir()
    for name in MODEL:
        (folder / name).write_bytes(read(name))
    return folder


@pytest.fixture
def write_spec(tmp_path: Path) -> Callable[..., Path]:
    """Writes a spec of one function; more fields of the Graph by keyword."""

    def write(nodes: dict[str, Any], output: str, **more: Any) -> Path:
        spec = {
            "format": "blox/1",
            "name": "model",
            "functions": {
                "main": {
                    "inputs": {"x": {"shape": ["batch", 4], "dtype": "float"}},
                    "nodes": nodes,
                    "outputs": {"y": output},
                }
            },
            **more,
        }
        path = tmp_path / "spec.json"
        path.write_text(json.dumps(spec))
        return path

    return write


LINEAR = {"op": "linear", "x": "x", "in_features": 4, "out_features": 2}
"""A node that a sound spec may have."""
