"""A movie -> its clips as records: pictures as JPEG out of its video or its clips' own files, or stored features.

What cannot be decoded is reported clip by clip, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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
_Seen = tuple[list[bytes], np.ndarray]  # JPEG files and their times


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
        for clip, (jpegs, times) in source:
            yield record(movie, clip, times, frames=jpegs)

    def _jpegs(self, pictures: np.ndarray) -> list[bytes]:
        return [
            simplejpeg.encode_jpeg(np.ascontiguousarray(picture), self.quality, colorsubsampling="444")
            for picture in pictures
        ]

    def _from_video(self, movie: Movie, bad: list[BadClip]) -> Iterator[tuple[Clip, _Seen]]:
        """One pass over the film; a clip waits only for those that begin before it."""
        assert movie.video is not None
        clips, ready, following = movie.clips, {}, 0
        problems: list[str] = []
        try:
            spans = [clip.span for clip in clips]
            for place, frames, times in read_frames(
                movie.video, spans, self.frames, self.size, rule=self.rule, problems=problems
            ):
                ready[place] = self._jpegs(frames), times
                while following in ready:
                    yield clips[following], ready.pop(following)
                    following += 1
        except BadInput as problem:
            problems.append(problem.what)
        why = "; ".join(problem.removeprefix(f"{movie.video}: ") for problem in problems) or "no picture there"
        for place in range(following, len(clips)):
            if place in ready:
                yield clips[place], ready[place]
            else:
                bad.append(_left_out(movie.key, clips[place], movie.video, why))

    def _from_own_files(self, movie: Movie, bad: list[BadClip]) -> Iterator[tuple[Clip, _Seen]]:
        for clip in movie.clips:
            path = clip.footage.path if clip.footage else Path(movie.key)
            try:
                if clip.footage is None:
                    raise BadInput("no video", where=path)
                if clip.footage.numbers:
                    yield clip, self._numbered(clip)
                    continue
                problems: list[str] = []
                local = Span(0.0, clip.span.seconds)
                read = read_frames(path, [local], self.frames, self.size, rule=self.rule, problems=problems)
                for _, frames, times in read:
                    yield clip, (self._jpegs(frames), times + np.float32(clip.span.start))
                    break
                else:
                    bad.append(_left_out(movie.key, clip, path, "; ".join(problems) or "no picture there"))
            except BadInput as problem:
                bad.append(_left_out(movie.key, clip, path, problem.what))

    def _numbered(self, clip: Clip) -> _Seen:
        assert clip.footage is not None
        numbers = clip.footage.numbers
        parts = moments(Span(0.0, float(len(numbers))), self.frames, "starts" if self.rule == "starts" else "centres")
        chosen = [numbers[int(part)] for part in parts]
        pictures = read_numbered(clip.footage.path, chosen, self.size)
        # The table says which pictures show the clip, not when: the first is taken to stand at its start.
        times = np.array([clip.span.start + (number - numbers[0]) / RATE for number in chosen], np.float32)
        return self._jpegs(pictures), times


@dataclass(frozen=True)
class FeatureClips:
    """Makes records of stored features: at most `frames` of the rows that show a clip, by a rule."""

    store: Path
    frames: int
    fps: float
    width: int
    rule: str = "centres"

    def __call__(self, movie: Movie, bad: list[BadClip]) -> Iterator[ClipRecord]:
        """The clips of a movie in time order; those that begin after the features end are added to `bad`."""
        with opened_store(self.store) as store:
            yield from self._of(store, movie, bad)

    def _of(self, store: FeatureStore, movie: Movie, bad: list[BadClip]) -> Iterator[ClipRecord]:
        try:
            length, width = store.shape(movie.key)
            if width != self.width:
                raise BadInput(f"features of width {width}, needed {self.width}", where=store.path)
        except BadInput as problem:
            bad.extend(_left_out(movie.key, clip, self.store, problem.what) for clip in movie.clips)
            return
        for clip in movie.clips:
            wanted = moments(clip.span, self.frames, self.rule)
            rows = chosen_frames(clip.span, self.frames, wanted, self.fps, length)
            if not rows:
                why = f"the features end at {length / self.fps:.1f} s"
                bad.append(_left_out(movie.key, clip, self.store, why))
                continue
            times = np.array(rows, np.float32) / self.fps
            yield record(movie, clip, times, features=clip_vectors(store, movie.key, rows))


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


def _left_out(movie: str, clip: Clip, path: Path, why: str) -> BadClip:
    return BadClip(movie, str(path), clip.span.start, clip.span.end, why)
