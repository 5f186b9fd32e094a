"""Shapes and dtypes of every node, before there is an array."""
