"""A track as sound: speaking, fitting, loudness, ducking, and the film with all of it inside. NumPy and PyAV only."""
