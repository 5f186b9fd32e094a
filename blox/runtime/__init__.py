"""Graph + Params -> pure JAX functions."""
