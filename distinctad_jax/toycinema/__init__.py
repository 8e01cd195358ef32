"""Toy cinema: made-up movies as real files, and stills with captions; the same for the same seed."""

from distinctad_jax.toycinema.dials import Dials
from distinctad_jax.toycinema.studio import CinemaConfig, render

__all__ = ["CinemaConfig", "Dials", "render"]
