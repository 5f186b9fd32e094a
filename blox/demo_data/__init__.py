"""The model of `blox demo`, and digits that it was not trained on.

`examples/train_digits.py --output blox/demo_data` writes the files beside this one. The
digits are those of scikit-learn: Optical Recognition of Handwritten Digits, UCI Machine
Learning Repository, https://doi.org/10.24432/C50P49, licence CC BY 4.0.
"""

from __future__ import annotations

from importlib.resources import files

MODEL = ("graph.json", "params.safetensors", "examples.safetensors")
"""The files of the model's folder."""
HELD_OUT = "held_out.npz"
"""`images` (360, 8, 8), from 0 white to 16 black, and `labels` (360,), both uint8."""


def read(name: str) -> bytes:
    """The bytes of one of the files."""
    return (files("blox.demo_data") / name).read_bytes()
