"""`hf://owner/name[@revision]`: models of the Hugging Face Hub, by its own cache."""

from __future__ import annotations

import os
import re
from pathlib import Path

from blox.schema import SpecError, WeightsError
from blox.schema.diagnostics import quote
from blox.weights.files import local_path, refuse, shown

SCHEME = "hf://"
SPEC = ["graph.json", "graph.msgpack"]
WEIGHTS = [
    "params.safetensors",
    "params-*-of-*.safetensors",
    "params.safetensors.index.json",
    "examples.safetensors",
]
ORIGIN = "source/origin.json"
"""Where an imported model's arrays lie in its source."""
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?"
_URL = rf"hf://(?P<repo>{_PART}/{_PART})(?:@(?P<revision>[A-Za-z0-9][A-Za-z0-9._/-]*))?"


def is_hub(path: str | os.PathLike[str]) -> bool:
    """True for text that names a repository of the Hub, not a file here."""
    return isinstance(path, str) and path.startswith(SCHEME)


def local(path: str | os.PathLike[str]) -> Path:
    """Where the Graph of the model at `path` lies: for one of the Hub it is fetched.

    Weights are not: they may be large, and the Graph not valid.
    """
    if not is_hub(path):
        try:
            return local_path(path)
        except WeightsError as error:
            (d,) = error.diagnostics
            raise SpecError.one("file-model", d.path, d.message) from None
    return _fetch(str(path), SPEC)


def target(path: str | os.PathLike[str]) -> Path:
    """Where a model is saved: never a repository of the Hub.

    Raises:
        WeightsError: a name of the Hub, or a path that no file can have.
    """
    if is_hub(path):
        wanted = "expected a folder or a file here, found a name of the Hub"
        hint = "save to a folder, then: hf upload owner/name folder"
        refuse("weights-target", shown(str(path)), wanted, hint)
    return local_path(path)


def with_weights(path: str | os.PathLike[str], spec: Path) -> Path:
    """Where the whole model lies whose Graph is in the folder `spec` (see `local`)."""
    if not is_hub(path):
        return spec
    # The snapshot's name is its commit: the weights are of the same one.
    return _fetch(str(path), [*SPEC, *WEIGHTS], revision=spec.name)


def with_origin(path: str | os.PathLike[str], spec: Path) -> Path:
    """Where the Graph in the folder `spec` (see `local`) lies with its origin, if any."""
    if not is_hub(path):
        return spec
    return _fetch(str(path), [*SPEC, ORIGIN], revision=spec.name)


def _fetch(url: str, patterns: list[str], revision: str | None = None) -> Path:
    match = re.fullmatch(_URL, url)
    if match is None or ".." in url:
        raise SpecError.one(
            "hub-name", "", f"expected hf://owner/name[@revision], found {quote(url)}"
        )
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise SpecError.one(
            "hub-missing",
            url,
            "expected the package huggingface_hub, found that it is not installed",
            "pip install 'blox-format[hub]'",
        ) from None
    try:
        folder = snapshot_download(
            match["repo"],
            revision=revision or match["revision"],
            allow_patterns=patterns,
        )
    except Exception as error:
        # Of many kinds, those of its HTTP client among them, and of many lines.
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        text = quote(lines[0] if lines else "no reason given", 160)
        raise SpecError.one(
            "hub",
            url,
            f"expected to fetch the model, found {type(error).__name__}: {text}",
            "see that the name is right, that you are online, and for a private one "
            "logged in (hf auth login)",
        ) from error
    return Path(folder)
