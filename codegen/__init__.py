"""Graph to Python source: one standalone, readable file per model."""

from .module import generate

__all__ = ["generate"]
