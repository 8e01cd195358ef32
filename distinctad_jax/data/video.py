"""A movie file and spans in; upright uint8 pictures out, in one pass over the file."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from av.filter.graph import Graph
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from jaxtyping import Float32, UInt8

from distinctad_jax.data.film import Film, largest_picture, opened
from distinctad_jax.errors import BadInput
from distinctad_jax.movie.span import Span, clock

# Without the last three, swscale is one to two grey levels off, and always to the same side.
_EXACT = (
    Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
)
RULES = ("centres", "starts", "endpoints", "autoad", "uniad")
_GRID = 5  # pictures a second of the features that AutoAD and Uni-AD choose from
_THINNEST = 20.0  # a thinner picture, scaled until its short side fits, would need more memory than a film
_SAME = 1e-6  # s; times that differ by less are one time written in two time bases

_Shown = tuple[np.ndarray | None, float]  # a picture, unless it is damaged, and its time


@dataclass(frozen=True)
class VideoFacts:
    """What a film says of itself, checked by decoding one picture.

    Units: width and height in square, upright pixels; frames_per_second is the average that the file states, 0 if it
      states none; duration in seconds from the first picture to the end of the last.
    """

    width: int
    height: int
    frames_per_second: float
    duration: float
    has_audio: bool


@dataclass(frozen=True)
class _Geometry:
    """How a coded picture becomes the picture that is handed out: scale, turn, cut."""

    scaled: tuple[int, int]  # width, height before turning
    quarter_turns: int  # anticlockwise
    top: int
    left: int
    height: int
    width: int


def read_frames(
    path: Path,
    spans: Sequence[Span],
    frames: int,
    size: int | None = None,
    *,
    rule: str = "centres",
    problems: list[str] | None = None,
    lost: dict[int, int] | None = None,
    held: bool = True,
) -> Iterator[tuple[int, UInt8[np.ndarray, "frames height width 3"], Float32[np.ndarray, " frames"]]]:
    """Yields `(position in spans, pictures, their times)` for each span, as soon as its last picture is known.

    One forward pass serves all spans; they may be unsorted, overlap, or last longer than the film. A picture is the
    one on screen at its moment, of an interlaced one the upper field; past the end of the film that is the last one.
    Unless it is `held` for them too, spans that begin when the film is over are left out.
    Where a film is damaged the picture before the damage is held, within a span, and spans of which nothing could be
    decoded are left out. What was damaged or left out is said in sentences added to `problems`; without that list it
    is an error once the rest is yielded. `lost` hears, as soon as it is known, how many moments of a span could not
    be decoded.

    Shapes: RGB uint8; with `size`, the geometry of CLIP's preprocessing: the short side scaled to `size` by an
      antialiased bicubic filter, then the middle `size` x `size`. Without, the film's own shape with square pixels.
    Units:  seconds from the first shown picture; for the rules see `moments`.
    Errors: BadInput, naming file and mend, if it is missing, no regular file, no film, without a video stream,
      without one picture that can be decoded, too thin for `size`, or damaged and no `problems` given; ValueError if
      frames < 1, size < 1 or the rule is another.
    """
    if frames < 1:
        raise ValueError(f"A span needs at least 1 frame, got {frames}.")
    wanted = [moment for span in spans for moment in moments(span, frames, rule)]
    found: dict[int, list[_Shown]] = {}
    lost = {} if lost is None else lost
    with opened(path) as film:
        for slot, picture, time in _on_screen(film, wanted, size, damaged=False):
            position = slot // frames
            pictures = found.setdefault(position, [])
            pictures.append((picture, time))
            if picture is None or (not held and film.over(spans[position].start)):
                lost[position] = lost.get(position, 0) + 1
            if len(pictures) == frames and lost.get(position) == frames:
                del found[position]
            elif len(pictures) == frames:
                yield _stacked(position, found.pop(position), frames)
        for position, pictures in sorted(found.items()):  # the film broke off inside these
            lost[position] = lost.get(position, 0) + frames - len(pictures)
            if lost[position] < frames:
                yield _stacked(position, pictures, frames)
        if late := [] if held else [span for span in spans if film.over(span.start)]:
            film.damage.notes.append(f"{len(late)} spans begin after the film's end at {clock(film.end)}")
        film.damage.tell(path, problems)


def read_shown(
    path: Path, times: Sequence[float], size: int | None = None, *, problems: list[str] | None = None
) -> Iterator[tuple[int, UInt8[np.ndarray, "height width 3"], float]]:
    """Yields `(position in times, picture on screen, its own time)` in order of time; for thumbnails.

    Pictures are shared between moments that show the same one: copy before writing into one. Of a film that is
    damaged midway, moments that were not reached are left out. Shapes, units, errors and `problems` as `read_frames`.
    """
    with opened(path) as film:
        for position, picture, time in _on_screen(film, times, size, damaged=True):
            assert picture is not None  # damaged ones are drawn as well
            yield position, picture, time
        film.damage.tell(path, problems)


def probe(path: Path) -> VideoFacts:
    """What a film says of itself, after decoding its first picture; errors as in `read_frames`."""
    with opened(path) as film:
        _, first = next(film.pictures(lambda: 0.0))
        geometry = _geometry(film, first, None)
        rate = film.stream.average_rate or film.stream.base_rate
        return VideoFacts(
            width=geometry.width,
            height=geometry.height,
            frames_per_second=float(rate) if rate else 0.0,
            duration=film.duration(),
            has_audio=film.has_audio,
        )


def moments(span: Span, frames: int, rule: str = "centres") -> list[float]:
    """The moments of `span` to look at, in seconds.

    `centres`: the middles of `frames` equal parts. `starts`: their starts. `endpoints`: equally far apart, from the
    first moment to the last. `autoad`: AutoAD-II's, starts of parts on a grid of 5 pictures a second, from
    floor(5 start) to ceil(5 end). `uniad`: Uni-AD's at evaluation, times rounded to whole seconds first, then equally
    far apart on that grid; a span that rounds to nothing shows its first picture throughout.

    Errors: ValueError for another rule.
    """
    if rule not in RULES:
        raise ValueError(f"The rules are {', '.join(RULES)}; got {rule!r}.")
    if rule == "autoad":
        first, stop = math.floor(_GRID * span.start), math.ceil(_GRID * span.end)
        return [(first + part * (stop - first) // frames) / _GRID for part in range(frames)]
    if rule == "uniad":
        first, last = _GRID * round(span.start), max(_GRID * round(span.end) - 1, _GRID * round(span.start))
        return [math.floor(first + part * (last - first) / max(frames - 1, 1)) / _GRID for part in range(frames)]
    if rule == "endpoints":
        return [span.start + part * span.seconds / max(frames - 1, 1) for part in range(frames)]
    shift = 0.5 if rule == "centres" else 0.0
    return [span.start + (part + shift) * span.seconds / frames for part in range(frames)]


def _stacked(
    position: int, pictures: list[_Shown], frames: int
) -> tuple[int, UInt8[np.ndarray, "frames height width 3"], Float32[np.ndarray, " frames"]]:
    """One array, in which a picture that is not there is the last one before it, or else the first one."""
    held = next((picture, time) for picture, time in pictures if picture is not None)
    chosen = []
    for picture, time in pictures:
        held = held if picture is None else (picture, time)
        chosen.append(held)
    chosen += [held] * (frames - len(chosen))
    return position, np.stack([picture for picture, _ in chosen]), np.asarray([t for _, t in chosen], np.float32)


class _Drawer:
    """Turns coded pictures into arrays of one shape; a picture that is asked for twice in a row is drawn once."""

    def __init__(self, film: Film, size: int | None):
        self.film, self.size = film, size
        self.scale = VideoReformatter()  # one for all pictures: to set it up costs as much as to scale several
        self.fields: tuple[Any, Graph] | None = None
        self.geometry: _Geometry | None = None
        self.drawn: tuple[float, np.ndarray] | None = None

    def __call__(self, time: float, frame: VideoFrame) -> np.ndarray:
        self.geometry = self.geometry or _geometry(self.film, frame, self.size)
        if self.drawn is None or self.drawn[0] != time:
            shown = self._field(frame) if frame.interlaced_frame else frame
            self.drawn = time, _draw(self.scale, shown, self.geometry)
        return self.drawn[1]

    def _field(self, frame: VideoFrame) -> VideoFrame:
        """Every other line: the rest of an interlaced picture shows another moment."""
        kind = frame.width, frame.height, frame.format.name, frame.time_base
        if self.fields is None or self.fields[0] != kind:
            graph = Graph()
            shape: dict[str, Any] = {"width": frame.width, "height": frame.height, "format": frame.format}
            source = graph.add_buffer(**shape, time_base=frame.time_base)
            graph.link_nodes(source, graph.add("field", "top"), graph.add("buffersink")).configure()
            self.fields = kind, graph
        self.fields[1].vpush(frame)
        return self.fields[1].vpull()


def _on_screen(
    film: Film, times: Sequence[float], size: int | None, *, damaged: bool
) -> Iterator[tuple[int, UInt8[np.ndarray, "height width 3"] | None, float]]:
    """The picture on screen at each moment, in order of time; None, or what there is, where it is damaged."""
    if size is not None and size < 1:
        raise ValueError(f"A picture needs size >= 1, got {size}.")
    wanted = deque(sorted(range(len(times)), key=lambda position: times[position]))
    if not wanted:
        return
    draw, lost = _Drawer(film, size), 0
    last: tuple[float, VideoFrame] | None = None
    whole = True  # the picture `last`
    for time, frame in film.pictures(lambda: times[wanted[0]], [times[position] for position in wanted]):
        while last is not None and wanted and time > times[wanted[0]] + _SAME:
            seen = whole and not (film.gap and times[wanted[0]] > last[0] + 2 * film.lasts(last[1]))
            lost += not seen
            yield wanted.popleft(), draw(*last) if seen or damaged else None, last[0]
        if not wanted:
            break
        last, whole = (time, frame), film.whole
    if wanted and last is not None:
        end = film.held_until(*last)
        while wanted and times[wanted[0]] < end:
            lost += not whole
            yield wanted.popleft(), draw(*last) if whole or damaged else None, last[0]
        film.damage.note()
    elif lost:
        film.damage.note()
    if lost + len(wanted):
        film.damage.notes.append(
            f"{lost + len(wanted)} of {len(times)} moments lie in the part that cannot be decoded"
        )


def _geometry(film: Film, frame: VideoFrame, size: int | None) -> _Geometry:
    ratio = film.stream.sample_aspect_ratio
    aspect = float(ratio) if ratio and 0.1 < ratio < 10 else 1.0  # width of a pixel over its height
    if abs(aspect - 1) < 0.01:  # an encoder's rounding, not a choice: not worth a blurred column
        aspect = 1.0
    width, height = frame.width * max(aspect, 1.0), frame.height / min(aspect, 1.0)
    factor = 1.0 if size is None else size / min(width, height)
    if max(width, height) > _THINNEST * min(width, height) or width * height * factor**2 > largest_picture():
        raise BadInput(
            f"pictures of {frame.width}x{frame.height} cannot be scaled and cut",
            where=film.path,
            mend="crop it with ffmpeg",
        )
    # As torchvision's Resize and CenterCrop do: the long side is cut off to a whole number, the margin is rounded.
    scaled = (max(int(width * factor + _SAME), 1), max(int(height * factor + _SAME), 1))
    turns = round(frame.rotation / 90) % 4
    wide, tall = scaled if turns % 2 == 0 else scaled[::-1]
    if size is None:
        return _Geometry(scaled, turns, 0, 0, tall, wide)
    return _Geometry(scaled, turns, round((tall - size) / 2), round((wide - size) / 2), size, size)


def _draw(scale: VideoReformatter, frame: VideoFrame, geometry: _Geometry) -> np.ndarray:
    width, height = geometry.scaled
    scaled = scale.reformat(frame, format="rgb24", width=width, height=height, interpolation=_EXACT, threads=1)
    upright = np.rot90(scaled.to_ndarray(), geometry.quarter_turns)
    top, left = geometry.top, geometry.left
    return np.ascontiguousarray(upright[top : top + geometry.height, left : left + geometry.width])
