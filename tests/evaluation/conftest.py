"""Fixtures with reference values."""

from published import awkward_captions, published, published_tv

__all__ = ["awkward_captions", "published", "published_tv"]
