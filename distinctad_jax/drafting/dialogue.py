"""When somebody speaks in a film: from its subtitles, from given segments, or from a detector of speech."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from distinctad_jax.data.captions import read_captions
from distinctad_jax.data.segments import read_segments
from distinctad_jax.data.sound import HOP, RATE, levels, read_sound
from distinctad_jax.data.video import VideoFacts
from distinctad_jax.drafting.offset import Offset, mask, measure
from distinctad_jax.errors import BadInput, BadUsage
from distinctad_jax.movie.movie import Line
from distinctad_jax.movie.span import Span, clock, merge
from distinctad_jax.tracks import read_dialogue
from distinctad_jax.tracks.captions import is_speech

SpeechDetector = Callable[[np.ndarray, int], Iterable[tuple[float, float]]]
"""`(samples f32, samples a second) -> (start, end)` of each stretch of speech, in seconds: any detector fits."""

DETECTORS = "distinctad.speech_detectors"
"""The entry points under which packages offer a `SpeechDetector` by name."""
NOTHING = "nothing: no subtitles and no speech segments"
"""The source of a dialogue that nobody knows."""
NO_TRACK = "none"
"""The name of no subtitle track: who gives it knows of the dialogue, and is not warned."""
_NOTES = "♪♫♬"


@dataclass(frozen=True)
class Sources:
    """Where to learn when somebody speaks; what is given counts together.

    subtitles: a file; None takes the film's own subtitle track, if it has one.
    track: which of the film's own, a number or a language; "none" takes none.
    segments: a file of stretches of speech.
    detector: a function, or the name of an entry point.
    songs: whether sung lines count as dialogue.
    """

    subtitles: Path | None = None
    track: str = ""
    segments: Path | None = None
    detector: SpeechDetector | str | None = None
    songs: bool = False
    encoding: str = "utf-8"
    check_offset: bool = True


@dataclass(frozen=True)
class Heard:
    """What is said in a film.

    lines: all captions in order of time, sounds included (`spoken` is False there).
    speech: when somebody speaks, merged, of all sources.
    source: where it comes from, for people.
    """

    lines: tuple[Line, ...]
    speech: tuple[Span, ...]
    source: str
    offset: Offset | None
    problems: tuple[str, ...]


def listen(video: Path | None, facts: VideoFacts | None, sources: Sources) -> Heard:
    """Everything that is known of the dialogue. Without a film only files are read.

    Errors: BadInput if a file cannot be read or a detector hands back what is no span; BadUsage for a detector or
      track that is not there.
    """
    problems: list[str] = []
    lines, told = _lines(video, sources, problems)
    spoken = [line.span for line in lines if line.spoken]
    found, from_sound = list(spoken), []
    if sources.segments is not None:
        from_sound += read_segments(sources.segments, problems=problems)
        told.append(f"segments {sources.segments.name}")
    if sources.detector is not None and video is not None:
        from_sound += _detected(video, sources.detector)
        told.append("a speech detector")
    offset = None
    if facts is not None and video is not None:
        problems += _beyond(spoken + from_sound, facts.duration, video)
        if sources.check_offset and spoken and (from_sound or facts.has_audio):
            offset = _offset(video, spoken, from_sound, facts.duration)
    if offset is not None and offset.matters:
        late = "later" if offset.seconds > 0 else "earlier"
        problems.append(
            f"{sources.subtitles or video}: the speech is {abs(offset.seconds):.1f} s {late} than the subtitles "
            f"(agreement {offset.agreement:.2f}, {offset.unshifted:.2f} as they are); shift them, or check the film"
        )
    if not told and sources.track != NO_TRACK and facts is not None and facts.has_audio:
        what = "it has sound and nothing says when somebody speaks, so descriptions may lie over dialogue"
        problems.append(
            f"{video}: {what}; give --subtitles or --speech-segments, or --subtitle-track none if nobody does"
        )
    speech = tuple(merge(found + from_sound))
    return Heard(tuple(lines), speech, " and ".join(told) or NOTHING, offset, tuple(problems))


def _lines(video: Path | None, sources: Sources, problems: list[str]) -> tuple[list[Line], list[str]]:
    """The captions, and what they were taken from."""
    if sources.subtitles is not None:
        everything = read_dialogue(sources.subtitles, speech_only=False, encoding=sources.encoding, problems=problems)
        lines = [Line(one.span, one.text, one.speaker, _spoken(one, (one.text,), sources)) for one in everything]
        told = [f"subtitles {sources.subtitles.name}"]
    elif video is not None and sources.track != NO_TRACK:
        captions = read_captions(video, sources.track, problems=problems)
        if captions is None:
            return [], []
        ordered = sorted(captions.cues)
        lines = [
            Line(span, " ".join(text), spoken=_spoken(Line(span, " ".join(text)), text, sources))
            for span, text in ordered
        ]
        language = f" ({captions.language})" if captions.language else ""
        told = [f"embedded subtitle track {captions.number}{language}"]
    else:
        return [], []
    if lines and not any(line.spoken for line in lines):
        problems.append(f"{sources.subtitles or video}: no dialogue: the whole film is one gap")
    return lines, told


def _spoken(line: Line, text: Sequence[str], sources: Sources) -> bool:
    if is_speech(text):
        return True
    sung = any(note in line.text for note in _NOTES) or (line.text.startswith("#") and line.text.endswith("#"))
    return sources.songs and sung and any(character.isalpha() for character in line.text)


def _detected(video: Path, detector: SpeechDetector | str) -> list[Span]:
    function = named_detector(detector) if isinstance(detector, str) else detector
    samples = np.concatenate([np.zeros(0, np.float32), *read_sound(video)])
    spans = []
    for start, end in function(samples, RATE) if len(samples) else ():
        try:
            spans.append(Span(max(float(start), 0.0), float(end)))
        except (TypeError, ValueError):
            raise BadInput(
                f"the speech detector gave {start!r} to {end!r}", where=video, mend="use another detector"
            ) from None
    return spans


def named_detector(name: str) -> SpeechDetector:
    """The detector that an installed package offers. Errors: BadUsage, naming those there are."""
    offered = {point.name: point for point in importlib.metadata.entry_points(group=DETECTORS)}
    if name not in offered:
        there = ", ".join(sorted(offered)) or "none is installed"
        raise BadUsage(
            f"no speech detector {name!r} ({there})",
            where="--speech-detector",
            mend="install one, or give --speech-segments",
        )
    return offered[name].load()


def _beyond(spans: Sequence[Span], duration: float, video: Path) -> list[str]:
    late = [span for span in spans if span.start >= duration]
    if late:
        what = f"{len(late)} of {len(spans)} stretches of speech begin after its end at {clock(duration)}"
        return [f"{video}: {what}: the subtitles are of another cut, or shifted"]
    return []


def _offset(video: Path, spoken: Sequence[Span], heard: Sequence[Span], duration: float) -> Offset | None:
    if heard:
        return measure(spoken, mask(heard, int(duration / HOP), HOP), HOP)
    return measure(spoken, levels(video), HOP)
