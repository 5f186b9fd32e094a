"""The same models in blox, raw JAX, Equinox and Flax NNX: `benchmarks/peers.py` times them."""
