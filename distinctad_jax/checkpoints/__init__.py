"""Parameters on disk and trees in memory: our own runs, and the weights that others published."""
