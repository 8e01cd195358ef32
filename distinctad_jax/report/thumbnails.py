"""Small pictures of a film for each entry of a track, as many and as large as a page has room for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import simplejpeg
from jaxtyping import UInt8
from PIL import Image

from distinctad_jax.data.video import moments, read_shown
from distinctad_jax.movie.description import Description
from distinctad_jax.movie.movie import Track
from distinctad_jax.report.review import Thumbnail

WIDTHS = (160, 128, 96)
QUALITIES = (70, 55, 40, 25)
_WANTED = 4  # pictures of an entry
_BYTES = 3500  # of a picture that shows enough; with less room, there are fewer pictures


def thumbnails(
    track: Track,
    film: Path,
    room: int,
    *,
    problems: list[str] | None = None,
    report: Callable[[int, int, str], None] = lambda done, count, note: None,
) -> dict[str, list[Thumbnail]]:
    """One to four pictures of each entry by its id, all together below `room` bytes in base64.

    They are those that the description was made from, if it says so, else from evenly spaced moments of it.

    Errors: BadInput as `data.video.read_shown`.
    """
    entries = track.numbered().entries
    each = room * 3 // 4 // max(len(entries), 1)
    count = min(max(each // _BYTES, 1), _WANTED)
    wanted = [(one.id, time) for one in entries for time in _moments(one, count)]
    share = each // count
    found: dict[str, list[Thumbnail]] = {}
    for done, (position, picture, time) in enumerate(
        read_shown(film, [time for _, time in wanted], problems=problems), start=1
    ):
        made = _small(picture, time, share)
        if made is not None:
            found.setdefault(wanted[position][0], []).append(made)
        report(done, len(wanted), "")
    return found


def _moments(one: Description, count: int) -> list[float]:
    seen = one.provenance.frames
    if not seen:
        return moments(one.provenance.clip or one.span, count)
    return [seen[round(place)] for place in np.linspace(0, len(seen) - 1, min(count, len(seen)))]


def _small(
    picture: UInt8[np.ndarray, "height width 3"], time: float | int | np.floating, share: int
) -> Thumbnail | None:
    """The picture in at most `share` bytes; None if there is no such."""
    full = Image.fromarray(picture)
    for width in WIDTHS:
        height = max(round(full.height * width / full.width), 1)
        small = np.asarray(full.resize((width, min(height, 2 * width)), Image.Resampling.BOX))
        for quality in QUALITIES:
            data = simplejpeg.encode_jpeg(np.ascontiguousarray(small), quality=quality, colorsubsampling="420")
            if len(data) <= share:
                return Thumbnail(data, float(time), width, min(height, 2 * width))
    return None
