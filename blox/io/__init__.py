"""Models as files: a Graph and its Params together, checked against each other.

`spec` reads the Graph, `hub` fetches, `model` reads all but the arrays as one save left
them, `match` holds weight headers against a Graph, `stacking` knows stacked and per-layer
arrays, `assemble` makes them, `load` and `save` move Params, `examples` and `contract`
hold a model to its numbers, `validate` and `verify` report.
JAX and NumPy are imported only where arrays are handled or shapes are traced.
"""
