"""`bx.GraphBuilder`: a Graph written in Python, with names given and sizes inferred."""

from . import recipes as recipes
