"""Help, usage errors, and what is imported for them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from edits import edit

import blox as bx
from blox.cli.app import COMMANDS

BLOX = [sys.executable, "-c", "from blox.cli import main; main()"]
ROOT = Path(__file__).resolve().parents[2]
LEAVES = [
    *((n, "hf") if n in ("import", "export") else (n,) for n in COMMANDS),
    ("import", "jax"),
]


def test_the_commands_are_those_that_the_readme_promises() -> None:
    names = (
        "demo validate show codegen init import export edit generate-text verify fmt"
    )
    assert " ".join(COMMANDS) == names


def test_help_names_every_command_with_a_line(blox: Callable[..., Any]) -> None:
    run = blox("--help")
    assert run.code == 0
    for name in COMMANDS:
        assert re.search(rf"^  {name} +[A-Z]\w+", run.out, re.MULTILINE), name
    assert "Exit codes: 0 fine, 1 findings" in run.out


def test_a_command_with_a_typo_is_answered_with_the_one_that_is_near(
    blox: Callable[..., Any],
) -> None:
    run = blox("shwo")
    assert run.code == 2
    assert "Did you mean 'show'?" in run.err


@pytest.mark.parametrize("command", LEAVES)
def test_help_of_a_command_has_examples_that_are_calls_of_it(
    blox: Callable[..., Any], command: tuple[str, ...]
) -> None:
    run = blox(*command, "--help")
    assert run.code == 0
    _, _, examples = run.out.partition("Examples:\n")
    lines = [line.strip() for line in examples.splitlines()]
    assert lines
    assert lines[0].startswith(" ".join(["blox", *command]))
    own = [line for line in lines if line.startswith(" ".join(["blox", *command]))]
    for option in re.findall(r"--\w+", " ".join(own)):
        assert option in run.out.partition("Examples:")[0], option


@pytest.mark.parametrize("command", LEAVES)
def test_the_docs_have_every_command_with_its_options(
    blox: Callable[..., Any], command: tuple[str, ...]
) -> None:
    docs = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    options = blox(*command, "--help").out.partition("Options:\n")[2]
    section = docs.partition(f"## blox {command[0]}\n")[2].partition("\n## ")[0]
    assert f"$ blox {' '.join(command)}" in section
    for option in re.findall(r"^  (?:-\w, )?(--\w+)", options, re.MULTILINE):
        assert option == "--help" or option in section, option


def test_version(blox: Callable[..., Any]) -> None:
    assert blox("--version").out == f"blox {bx.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("bogus",),
        ("validate",),
        ("validate", "--bogus", "x"),
        ("validate", "absent"),
        ("show", "absent"),
        ("show", "x", "--depth", "many"),
        ("fmt", "absent"),
        ("codegen", "absent"),
        ("codegen", "absent", "--check"),
        ("init", "absent", "model"),
        ("init", "absent", "model", "--dtype", "int8"),
        ("import", "hf", "absent", "model"),
        ("import", "onnx", "a", "b"),
        ("import", "jax", "absent:make", "model", "--input", "x=float[3]"),
        ("import", "jax", "absent:make", "model"),
        ("export", "hf", "absent", "model"),
        ("verify", "absent"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_so_on_stderr(
    blox: Callable[..., Any], arguments: tuple[str, ...]
) -> None:
    run = blox(*arguments)
    assert run.code == 2
    assert run.out == ""
    assert run.err
    assert "Traceback" not in run.err


def test_a_path_that_is_not_there_is_one_line(blox: Callable[..., Any]) -> None:
    assert blox("show", "absent").err == (
        "blox: absent: expected a file or folder, found none\n"
    )


JAX = ["jax", "jaxlib", "numpy"]


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (["--help"], JAX),
        (["validate", "--structure"], JAX),
        (["fmt", "--check"], JAX),
        (["codegen"], []),  # the shapes of arrays decide what a file needs of its ops
    ],
)
def test_heavy_packages_stay_out(
    digits: Path, arguments: list[str], heavy: list[str]
) -> None:
    heavy = [*heavy, "rich", "safetensors.numpy"]
    path = [] if arguments == ["--help"] else [str(digits)]
    code = (
        "import sys, atexit; from blox.cli import main; "
        f"atexit.register(lambda: print(*(set({heavy}) & set(sys.modules)), "
        "file=sys.stderr)); main()"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, *arguments, *path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0
    assert run.stderr.split() == []


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_one_line_names_it(missing: str) -> None:
    code = (
        "import importlib.util as u, sys; find = u.find_spec; "
        f"u.find_spec = lambda n, *a: None if n == {missing!r} else find(n, *a); "
        "from blox.cli import main; main()"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, "demo"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.count("\n") == 1
    assert "blox-format[cli]" in run.stderr


def test_the_command_in_a_process_of_its_own(digits: Path) -> None:
    spec = digits / "graph.json"
    fine = subprocess.run(
        [*BLOX, "validate", "--structure", spec],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (fine.returncode, fine.stdout) == (0, f"{spec}: fine\n")
    edit(spec, '"x": "max_pool_1"', '"x": "max_pol_1"')
    wrong = subprocess.run(
        [*BLOX, "validate", "--structure", spec],
        capture_output=True,
        text=True,
        check=False,
    )
    assert wrong.returncode == 1
    assert wrong.stderr == ""
    assert "error reference-unknown main.wide.x: " in wrong.stdout
    assert "did you mean 'max_pool_1'?" in wrong.stdout


def test_a_closed_pipe_is_no_traceback(digits: Path) -> None:
    import shlex

    command = shlex.join([*BLOX, "codegen", str(digits)])
    run = subprocess.run(
        ["sh", "-c", f"{command} | true"], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in run.stderr
