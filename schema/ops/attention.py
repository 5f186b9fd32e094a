"""Attention: masks, scores and weighted values. True in a mmeans "may attend"."""
