"""The op library: one spec class per op, a module per family.

`index.py` tells the family of an op by name, so that only the families that a file uses
are imported; it is generated (`python -m blox.dev.regenerate`).
"""
