"""What each library calls its layers and keeps its arrays in."""
