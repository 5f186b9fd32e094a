"""Graph to Python source."""
