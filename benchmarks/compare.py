"""blox beside Equinox, Flax NNX and jax-blox, point by point, from what they do.

    python benchmarks/compare.py            run the probes, write docs/comparison.md
    python benchmarks/compare.py --times    measure too, which takes minutes
    python benchmarks/compare.py --page     only write docs/comparison.md anew
    python benchmarks/compare.py --library equinox    print what it does, as JSON

needs the extra `parity`, and jax-blox in a folder of its own
(`benchmarks/comparison/jax_blox.py` says how). What is observed stands in
`benchmarks/comparison/observed.json`, what is measured in `times.json` beside it.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "comparison"), str(HERE), str(HERE.parent)]
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import page
from definitions import lines_of_code
from points import LIBRARIES, POINTS

DEVICES = "--xla_force_host_platform_device_count=2"


def observed(library: str) -> dict[str, Any]:
    """What the probes of one library find, in this process."""
    os.environ["XLA_FLAGS"] = DEVICES
    import jax

    jax.config.update("jax_disable_most_optimizations", True)
    probes = importlib.import_module(f"with_{library}")
    found = page.from_source(library, lines_of_code)
    found["jax"] = jax.__version__
    if library != "blox":
        found["version"] = importlib.metadata.version(probes.PACKAGE)
    for fact in (fact for point in POINTS for fact in point.facts):
        if fact not in found:
            found[fact] = getattr(probes, fact)()
    return {**found, "logits": probes.logits()}


def in_a_process(library: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--library", library]
    run = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return dict(json.loads(run.stdout))


def write(file: Path, found: Any) -> None:
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--library", choices=LIBRARIES, help="print what it does")
    parser.add_argument("--times", action="store_true", help="measure too")
    parser.add_argument("--page", action="store_true", help="only write the page anew")
    options = parser.parse_args()
    if options.library:
        print(json.dumps(observed(options.library), indent=1))
        return
    if not options.page:
        write(page.OBSERVED, {library: in_a_process(library) for library in LIBRARIES})
    if options.times:
        write(page.TIMES, importlib.import_module("timing").measured())
    page.PAGE.write_text(page.text(), encoding="utf-8")


if __name__ == "__main__":
    main()
