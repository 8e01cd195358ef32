"""Losses: arrays in, one number out. Pure functions, float32 inside, zero where there is nothing to learn from."""
