"""Tracks and dialogue <-> the files that players and people read, one module to a format."""

from distinctad_jax.tracks.formats import FORMATS, read_cues, read_dialogue, read_track, write_track

__all__ = ["FORMATS", "read_cues", "read_dialogue", "read_track", "write_track"]
