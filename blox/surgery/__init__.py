"""Surgery: a Graph that is changed, and what that makes of its weights."""
