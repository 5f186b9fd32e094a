"""What a family of checkpoints is, and what is read of a folder to know which."""
