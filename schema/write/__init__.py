"""A Graph to its one text, its digest, and an order in which references look back."""
