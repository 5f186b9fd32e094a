"""Families of checkpoints: a module each."""
