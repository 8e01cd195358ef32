"""A film in, a reviewable draft out: dialogue and gaps, candidates, choice and placement, checks."""
