"""The engine: one pure step over a mesh, and the loop that feeds, watches, saves and stops it. Knows no movie."""
