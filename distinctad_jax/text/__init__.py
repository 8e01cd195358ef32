"""Words <-> ids, the words that only one description of a window uses, and what the narrator is told first.

Plain strings and NumPy; nothing of ours is imported but `errors` and `files`.
"""
