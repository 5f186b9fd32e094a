"""Nodes that run functions, as source: a module per kind."""
