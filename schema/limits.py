"""What a file may ask for. Counted, memoised, before anything is expanded."""

MAX_CALL_DEPTH = 64
"""Functions that call functions, along any chain."""
MAX_INSTANCES = 2_000
"""Functions, each per distinct values of its attributes."""
MAX_STEPS = 20_000
"""Nodes of all these together."""
MAX_TRACED = 200_000
"""Nodes that a trace visits: calls and unrolled copies count each time."""
MAX_RAN = 10**12
"""Nodes that a run visits: every step of every loop counts."""
MAX_ARRAYS = 100_000
"""Arrays of one model: each is drawn, saved and loaded by itself."""
MAX_LEAVES = 1_000_000
"""Arrays, counted again at each level of calls that they lie under."""
MAX_DEPTH = 128
"""Names in the path of an array, those of all calls above it counted."""
MAX_ELEMENTS = 2**40
"""Elements of one array."""
