"""The rules of all primitives, a module for each kind."""

from . import elementwise, indexing, marks, products, reductions, shapes

__all__ = ["elementwise", "indexing", "marks", "products", "reductions", "shapes"]
