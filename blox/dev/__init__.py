"""For those who work on blox: what is generated from the code, and checked in it."""
