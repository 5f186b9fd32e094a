"""Models for the eyes of people."""
