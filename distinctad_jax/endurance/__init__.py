"""A run that lasts: signals, the lock on a workdir, a watchdog, workers that outlive nobody. Knows no array."""
