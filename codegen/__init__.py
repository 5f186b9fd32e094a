"""Graph to Python source: one standalone, readable file per model."""

from .classes.generate import TARGETS, generate_classes
from .generate import generate

__all__ = ["TARGETS", "generate", "generate_classes"]
