"""Which descriptions of a movie stand near which."""

from __future__ import annotations

from collections.abc import Sequence


def stretches(groups: Sequence[object]) -> list[range]:
    """The rows of each group (movie), as ranges.

    Errors: ValueError if the rows of a group are not next to each other.
    """
    found: list[range] = []
    for row, group in enumerate(groups):
        if found and groups[row - 1] == group:
            found[-1] = range(found[-1].start, row + 1)
        else:
            found.append(range(row, row + 1))
    if len({groups[rows.start] for rows in found}) < len(found):
        raise ValueError("The rows of a movie must follow each other; sort them by movie, start and end.")
    return found


def around(row: int, size: int, movie: range) -> range:
    """The `size` rows of the movie with `row` in their middle, moved inwards at its ends; all of a shorter movie."""
    start = min(max(row - size // 2, movie.start), max(movie.stop - size, movie.start))
    return range(start, min(start + size, movie.stop))
