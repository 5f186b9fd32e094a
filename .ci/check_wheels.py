"""Usage: check_wheels.py WHEEL... - the same plain files in each, all under `blox`."""

from __future__ import annotations

import stat
import sys
import zipfile


def contents(path: str) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as wheel:
        for info in wheel.infolist():
            if stat.S_ISLNK(info.external_attr >> 16):
                sys.exit(
                    f"{path}: expected plain files, found the link {info.filename}"
                )
        return {name: wheel.read(name) for name in wheel.namelist()}


first, *others = [(path, contents(path)) for path in sys.argv[1:]]

top_level = {name.split("/")[0] for name in first[1] if ".dist-info/" not in name}
if top_level != {"blox"}:
    sys.exit(f"{first[0]}: expected only blox at top level, found {sorted(top_level)}")

for path, files in others:
    different = {
        name
        for name in first[1].keys() | files.keys()
        if first[1].get(name) != files.get(name)
    }
    if different:
        sys.exit(f"{path}: differs from {first[0]} in {sorted(different)}")

print(f"{1 + len(others)} equal wheels of {len(first[1])} files")
