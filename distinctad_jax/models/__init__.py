"""Arrays in, arrays out: the towers, the language model, and what joins them. Nothing here knows of movies or files."""
