"""The installed packages are those of the tree, under `blox` alone."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest

import blox

ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads(
    (ROOT / "pyproject.toml").read_text(encoding="utf-8")
)
SETUPTOOLS = PROJECT["tool"]["setuptools"]
ROOMS = {
    "blox": ROOT / "blox",
    **{name: ROOT / folder for name, folder in SETUPTOOLS["package-dir"].items()},
}


def folders_of_the_tree() -> dict[str, Path]:
    """Dotted name -> folder, for every folder in the three rooms that holds a file.

    Links are not followed: `blox/schema` is `schema`, which is a room of its own.
    """
    found = {}
    for room, top in ROOMS.items():
        for folder, _, files in os.walk(top):
            relative = Path(folder).relative_to(top)
            if "__pycache__" not in relative.parts and files:
                found[".".join((room, *relative.parts))] = Path(folder)
    return found


def packages_of_the_tree() -> dict[str, Path]:
    return {n: f for n, f in folders_of_the_tree().items() if any(f.glob("*.py"))}


def test_every_package_of_the_tree_is_listed_and_no_other() -> None:
    assert SETUPTOOLS["packages"] == sorted(packages_of_the_tree())


def test_every_package_has_an_init() -> None:
    packages = packages_of_the_tree()
    assert not [n for n, f in packages.items() if not (f / "__init__.py").is_file()]


def test_every_data_file_is_packaged() -> None:
    packages = packages_of_the_tree()
    packaged = {
        file
        for name, patterns in SETUPTOOLS["package-data"].items()
        for pattern in patterns
        if name in packages
        for file in packages[name].glob(pattern)
    }
    in_tree = {
        file
        for folder in folders_of_the_tree().values()
        for file in folder.iterdir()
        if file.is_file()
        and file.suffix not in {".py", ".pyc"}
        # Where git can't make links it leaves files that hold their target.
        and file not in {ROOT / "blox" / "schema", ROOT / "blox" / "codegen"}
    }
    assert in_tree - packaged == set()


@pytest.mark.parametrize("name", ["schema", "codegen"])
def test_links_lead_to_the_rooms(name: str) -> None:
    link = ROOT / "blox" / name
    if link.is_symlink():
        assert link.readlink() == Path("..") / name  # relative: it moves with the tree
    else:
        assert link.read_text(encoding="utf-8") == f"../{name}"


def test_the_version_is_that_of_the_project() -> None:
    assert blox.__version__ == PROJECT["project"]["version"]
