"""The version of blox, which files and the command line state."""

__version__ = "0.1.0"
