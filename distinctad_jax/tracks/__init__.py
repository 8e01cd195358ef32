"""Tracks and dialogue <-> files that players read: WebVTT, SRT and JSON lines."""

from distinctad_jax.tracks.formats import read_dialogue, read_track, write_track

__all__ = ["read_dialogue", "read_track", "write_track"]
