"""Models of JAX as Graphs."""
