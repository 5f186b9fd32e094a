"""Nodes that run functions: calls, loops and branches."""
