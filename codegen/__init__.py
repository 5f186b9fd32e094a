"""Graph to Python source: one standalone, readable file per model."""

from .generate import generate

__all__ = ["generate"]
