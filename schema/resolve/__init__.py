"""A Graph to a Program: names, references, dims and attributes resolved, leaves found."""
