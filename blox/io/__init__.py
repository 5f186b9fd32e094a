"""Models as files: a Graph and its Params together, checked against each other.

`spec` reads the Graph, `hub` fetches, `fitting` holds weight headers against a Graph,
`copies` knows stacked and per-layer arrays, `loading` and `saving` move Params,
`examples` and `contract` hold a model to its numbers, `shapes` traces entries with
symbolic `sizes`, `validating` and `verifying` report.
JAX and NumPy are imported only where arrays are handled or shapes are traced.
"""
