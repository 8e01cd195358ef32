"""A folder of subtitles, one file for each movie."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from distinctad_jax.errors import BadInput
from distinctad_jax.movie.movie import Line
from distinctad_jax.tracks.formats import read_dialogue

SUBTITLES = (".srt", ".vtt")


def read_subtitles(folder: Path | None, movies: Collection[str]) -> dict[str, tuple[Line, ...]]:
    """Dialogue by movie, from `folder/MOVIE.srt` or `.vtt`; a movie without a file has none, as without a folder.

    Errors: BadInput if the folder is not there or a file is no such file.
    """
    if folder is None:
        return {}
    if not folder.is_dir():
        raise BadInput("no such folder", where=folder, mend="correct the path")
    found = {}
    for movie in sorted(movies):
        for path in (folder / f"{movie}{suffix}" for suffix in SUBTITLES):
            if path.is_file():
                found[movie] = read_dialogue(path)
                break
    return found
