"""JSON or msgpack to a Graph: every fault with its path."""
