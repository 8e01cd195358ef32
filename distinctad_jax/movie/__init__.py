"""The nouns: spans, movies, clips, descriptions, tracks and windows, as plain values without arrays."""
