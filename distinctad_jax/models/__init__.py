"""Arrays in, arrays out: towers, language model and what joins them. Nothing here knows of movies or files."""
