"""What families are written of: activations, rotary positions, decoders, heads."""
