"""A movie -> its clips as records: pictures as JPEG out of its video or its clips' own files, or stored features.

What cannot be decoded is reported clip by clip, and the rest goes on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg

from distinctad_jax.data.features import FeatureStore, chosen_frames, clip_vectors, opened_store
from distinctad_jax.data.ledger import ClipRecord
from distinctad_jax.data.shards import BadClip
from distinctad_jax.data.stills import RATE, read_numbered
from distinctad_jax.data.video import moments, read_frames
from distinctad_jax.errors import BadInput
from distinctad_jax.movie.movie import Clip, Movie
from distinctad_jax.movie.span import Span

NEAR = 30.0  # s; dialogue that begins so near a clip goes with it
_Seen = tuple[list[bytes], np.ndarray, int]  # JPEG files, their times, and how many stand for lost ones


@dataclass(frozen=True)
class PixelClips:
    """Makes records of JPEG frames: `frames` a clip by a rule (see `video.moments`), of `size` pixels."""

    frames: int
    size: int
    quality: int
    rule: str = "centres"

    def __call__(self, movie: Movie, bad: list[BadClip]) -> Iterator[ClipRecord]:
        """The clips of a movie in time order; those without one picture are added to `bad`."""
        source = self._from_video(movie, bad) if movie.video else self._from_own_files(movie, bad)
        for clip, (jpegs, times, lost) in source:
            yield record(movie, clip, times, frames=jpegs, lost=lost)

    def _jpegs(self, pictures: np.ndarray) -> list[bytes]:
        return [
            simplejpeg.encode_jpeg(np.ascontiguousarray(picture), self.quality, colorsubsampling="444")
            for picture in pictures
        ]

    def _from_video(self, movie: Movie, bad: list[BadClip]) -> Iterator[tuple[Clip, _Seen]]:
        """One pass over the film; a clip waits only for those that begin before it."""
        assert movie.video is not None
        clips, ready, shown, following = movie.clips, {}, set(), 0
        problems: list[str] = []
        lost: dict[int, int] = {}
        spans = [clip.span for clip in clips]
        said: dict[str, Any] = {"problems": problems, "lost": lost}
        found = read_frames(movie.video, spans, self.frames, self.size, rule=self.rule, held=False, **said)
        with _noted(problems):
            for place, frames, times in found:
                ready[place] = self._jpegs(frames), times, lost.get(place, 0)
                while following in ready or lost.get(following) == self.frames:
                    if following in ready:
                        shown.add(following)
                        yield clips[following], ready.pop(following)
                    following += 1
        for place in sorted(ready):
            shown.add(place)
            yield clips[place], ready[place]
        why = _why(problems, movie.video)
        bad.extend(_left_out(movie, clip, movie.video, why) for place, clip in enumerate(clips) if place not in shown)

    def _from_own_files(self, movie: Movie, bad: list[BadClip]) -> Iterator[tuple[Clip, _Seen]]:
        for clip in movie.clips:
            path = clip.footage.path if clip.footage else Path(movie.key)
            problems: list[str] = []
            lost: dict[int, int] = {}
            seen: _Seen | None = None
            with _noted(problems):
                if clip.footage is None:
                    raise BadInput("no video", where=path)
                if clip.footage.numbers:
                    seen = self._numbered(clip)
                else:
                    local = Span(0.0, clip.span.seconds)
                    for _, frames, times in read_frames(
                        path, [local], self.frames, self.size, rule=self.rule, problems=problems, lost=lost
                    ):
                        seen = self._jpegs(frames), times + np.float32(clip.span.start), lost.get(0, 0)
            if seen is None:
                bad.append(_left_out(movie, clip, path, _why(problems, path)))
            else:
                yield clip, seen

    def _numbered(self, clip: Clip) -> _Seen:
        assert clip.footage is not None
        numbers = clip.footage.numbers
        if self.rule in ("endpoints", "uniad"):
            last, steps = len(numbers) - 1, max(self.frames - 1, 1)
            places = [part * last // steps for part in range(self.frames)]
        else:
            rule = "centres" if self.rule == "centres" else "starts"
            places = [int(part) for part in moments(Span(0.0, float(len(numbers))), self.frames, rule)]
        chosen = [numbers[place] for place in places]
        pictures = read_numbered(clip.footage.path, chosen, self.size)
        # The table says which pictures show the clip, not when: the first is taken to stand at its start.
        times = np.array([clip.span.start + (number - numbers[0]) / RATE for number in chosen], np.float32)
        return self._jpegs(pictures), times, 0


@dataclass(frozen=True)
class FeatureClips:
    """Makes records of stored features: at most `frames` of the rows that show a clip, by a rule."""

    store: Path
    frames: int
    fps: float
    width: int
    rule: str = "centres"

    def __call__(self, movie: Movie, bad: list[BadClip]) -> Iterator[ClipRecord]:
        """The clips of a movie in time order; those that begin after the features end, or whose features cannot be
        read or are no numbers, are added to `bad`."""
        with opened_store(self.store) as store:
            yield from self._of(store, movie, bad)

    def _of(self, store: FeatureStore, movie: Movie, bad: list[BadClip]) -> Iterator[ClipRecord]:
        try:
            length, width = store.shape(movie.key)
            if width != self.width:
                raise BadInput(f"features of width {width}, needed {self.width}", where=store.path)
        except BadInput as problem:
            bad.extend(_left_out(movie, clip, self.store, problem.what) for clip in movie.clips)
            return
        for clip in movie.clips:
            rows = self._rows(clip.span, length)
            if not rows:
                why = f"the features end at {length / self.fps:.1f} s"
                bad.append(_left_out(movie, clip, self.store, why))
                continue
            try:
                vectors = clip_vectors(store, movie.key, rows)
            except BadInput as problem:
                bad.append(_left_out(movie, clip, self.store, f"{movie.key}: {problem.what}"))
                continue
            yield record(movie, clip, np.array(rows, np.float32) / self.fps, features=vectors)

    def _rows(self, span: Span, length: int) -> list[int]:
        end = length / self.fps
        if self.rule == "autoad" and span.start < end < span.end:
            span = Span(span.start, end)  # AutoAD-II first cuts off what has no features, then chooses
        return chosen_frames(span, self.frames, moments(span, self.frames, self.rule), self.fps, length)


def record(movie: Movie, clip: Clip, times: np.ndarray, **seen: object) -> ClipRecord:
    """What training needs of a clip, with its pictures or features."""
    return ClipRecord(
        movie=movie.key,
        index=clip.index,
        start=clip.span.start,
        end=clip.span.end,
        text=clip.text,
        frame_times=times,
        cast=tuple(person.character for person in movie.cast),
        dialogue=tuple(line for line in movie.dialogue if abs(line.span.start - clip.span.start) < NEAR),
        seen=clip.seen,
        **seen,  # pyright: ignore[reportArgumentType]
    )


@contextlib.contextmanager
def _noted(problems: list[str]) -> Iterator[None]:
    """Adds a fault of the input to `problems`, and goes on."""
    try:
        yield
    except BadInput as problem:
        problems.append(problem.what)


def _why(problems: Sequence[str], path: Path) -> str:
    return "; ".join(problem.removeprefix(f"{path}: ") for problem in problems) or "no picture there"


def _left_out(movie: Movie, clip: Clip, path: Path, why: str) -> BadClip:
    return BadClip(movie.key, str(path), clip.span.start, clip.span.end, why)
