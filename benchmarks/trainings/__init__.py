"""The trainings of `benchmarks/training.py`, a module for each library."""
