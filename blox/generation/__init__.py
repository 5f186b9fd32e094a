"""Token by token, with a model that has an entry `step`: pure JAX, a compilation per bucket."""
