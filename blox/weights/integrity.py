"""Checksums of weight files. Loading does not compute them: `verify` does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from io import FileIO

from blox.schema.diagnostics import Diagnostic, quote

from .files import shown
from .progress import track
from .reading import Headers

_CHUNK = 4 << 20


def verify(headers: Headers, *, progress: bool | None = None) -> list[Diagnostic]:
    """Read every byte and compare it with the sha256 that `save_flat` recorded.

    A shard's covers the whole file and stands in the index; a single file's covers the
    data after the header and stands in its own metadata. Against accidents, not against
    an attacker, who can write both.

    Returns:
        One finding per file that differs; a warning per file without a checksum.

    Raises:
        WeightsError: a file that can't be read or changed since.
    """
    findings: list[Diagnostic] = []
    with track("verifying", headers.nbytes, progress) as done:
        for path in headers.files:
            if path not in headers.checksums:
                message = "expected a checksum, found none"
                found = Diagnostic(
                    "weights-checksum", shown(path), message, severity="warning"
                )
                findings.append(found)
                continue
            expected = headers.checksums[path]
            with headers.sources[path].open() as file:
                digest = _digest(file, expected.start, done)
            if digest != expected.sha256:
                wanted = quote(expected.sha256, 80)
                message = f"expected sha256 {wanted}, found {digest}"
                hint = "the file is damaged: fetch it again"
                findings.append(
                    Diagnostic("weights-checksum", shown(path), message, hint)
                )
    return findings


def _digest(file: FileIO, start: int, done: Callable[[int], None]) -> str:
    digest = hashlib.sha256()
    file.seek(start)
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        done(len(chunk))
    return digest.hexdigest()
