"""DistinctAD in JAX: audio descriptions of movies that say what is new in each clip."""

__version__ = "0.1.0"
