"""A Graph as classes of a library: Equinox or Flax NNX."""
