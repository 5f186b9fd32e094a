"""A training that is killed at random moments ends as one that was left alone.

`BLOX_KILLS=20 pytest -m slow tests/io/test_killed_training.py` kills more often, and the
trainings of `examples/` too.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import blox as bx

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("BLOX_KILLS", "2"))
SMALL = [str(ROOT / "tests" / "killed_training.py")]
EXAMPLES = [
    [str(ROOT / "examples" / "train_cnn.py"), "--epochs", "6"],
    [str(ROOT / "examples" / "train_transformer.py"), "--steps", "150"],
    [str(ROOT / "examples" / "finetune_lora.py")],
]
COMMANDS = [SMALL, *(EXAMPLES if "BLOX_KILLS" in os.environ else ())]


def started(command: list[str], folder: Path) -> subprocess.Popen[bytes]:
    # Compiled as users compile, and alike in all processes.
    environment = {n: v for n, v in os.environ.items() if n != "XLA_FLAGS"}
    return subprocess.Popen(
        [sys.executable, *command, "--output", str(folder)],
        env=environment,
        stdout=subprocess.DEVNULL,
    )


def result(folder: Path) -> tuple[list[float], bytes]:
    """The losses of all steps in the last checkpoint, and the weights of the model."""
    steps = [f for f in (folder / "checkpoints").iterdir() if f.name.isdigit()]
    last = max(steps, key=lambda f: int(f.name))
    record: dict[str, Any] = json.loads((last / "record" / "metadata").read_text())
    return record["losses"], (folder / "model" / "params.safetensors").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: Path(c[0]).stem)
def test_it_resumes_to_equal_bits(command: list[str], tmp_path: Path) -> None:
    begun = time.perf_counter()
    assert started(command, tmp_path / "alone").wait() == 0
    full = time.perf_counter() - begun
    losses, weights = result(tmp_path / "alone")
    assert losses
    assert bx.load_graph(tmp_path / "alone" / "checkpoints" / "graph.json")

    draw = random.Random(0)
    killed = trainings = 0
    while killed < KILLS:
        folder, trainings = tmp_path / f"killed_{trainings}", trainings + 1
        while True:
            process = started(command, folder)
            try:
                # Not before JAX is there, which takes a third of a short training.
                process.wait(full * draw.uniform(0.3, 1.0) if killed < KILLS else None)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
            if process.wait() == 0:
                break
            assert process.returncode == -signal.SIGKILL
            killed += 1
        assert result(folder) == (losses, weights)
    print(f"{killed} kills in {trainings} trainings, {len(losses)} losses equal")
