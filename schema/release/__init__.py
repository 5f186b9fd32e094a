"""What a release freezes and publishes: the lock of the ops, the JSON Schema."""
