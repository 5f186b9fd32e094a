"""A Program to syntax trees: functions, their heads, nodes and tables."""
