"""Families of checkpoints: a module each, that is imported when one is met."""
