"""Models as files: a Graph and its Params together, checked against each other.

`spec` reads the Graph, `hub` fetches, `fitting` holds weight headers against a Graph
(stacked or per layer), `loading` and `saving` move Params, `examples` is the numeric
contract, `shapes` traces entries with symbolic sizes, `validating` and `verifying`
report.
JAX and NumPy are imported only where arrays are handled or shapes are traced.
"""
