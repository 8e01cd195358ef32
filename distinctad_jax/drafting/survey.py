"""What is known of a film before anything is said of it: dialogue, gaps and shots."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distinctad_jax.data.shots import ShotConfig, Watched, read_shots, shots, watch
from distinctad_jax.data.video import VideoFacts, probe
from distinctad_jax.drafting.dialogue import Heard, Sources, listen
from distinctad_jax.errors import BadInput
from distinctad_jax.files import fingerprint, written_name
from distinctad_jax.movie.movie import FilmFile
from distinctad_jax.movie.practice import Practice
from distinctad_jax.movie.span import Span, clock, gaps

AUTO = "auto"
"""Shots by our own detector, which looks at every picture once."""
NONE = "none"
"""No shots: the film is taken as one, and its pictures are not counted."""
_SLACK = 0.5  # s; sound often goes on for so long after the last picture


@dataclass(frozen=True)
class Survey:
    """A film and its silences.

    silences: the gaps that can be used, in order, within the part of the film that was asked for.
    shots: without gaps between them, from 0 to the end of the film; one if shots were not looked for.
    watched: what the pass over all pictures told, None if there was none.
    """

    video: Path
    facts: VideoFacts
    heard: Heard
    silences: tuple[Span, ...]
    shots: tuple[Span, ...]
    watched: Watched | None
    problems: tuple[str, ...]

    @property
    def usable(self) -> float:
        """Seconds of all silences."""
        return sum((span.seconds for span in self.silences), 0.0)

    def film(self) -> FilmFile:
        """What a track keeps of the film."""
        return FilmFile(
            written_name(self.video.name),
            self.facts.duration,
            self.facts.width,
            self.facts.height,
            self.facts.frames_per_second,
            fingerprint(self.video),
        )


def survey(
    video: Path,
    sources: Sources,
    practice: Practice,
    *,
    cuts: str | Path = AUTO,
    part: Span | None = None,
    progress: Callable[[float, float], None] = lambda done, whole: None,
) -> Survey:
    """Looks at a film, listens to its dialogue, and finds the gaps.

    Args:
      cuts: `AUTO`, `NONE`, or a list of shots.
      part: the stretch of the film that is to be described; all of it if None.
      progress: told the seconds looked at, and of how many.
    Errors: BadInput if the film or one of its papers cannot be read, or `part` lies outside the film.
    """
    facts = probe(video)
    if facts.duration <= 0:
        raise BadInput("lasts no time", where=video, mend="give a film of more than one picture")
    if part is not None and part.start >= facts.duration:
        mend = f"give a --start before {clock(facts.duration)}"
        raise BadInput(f"ends before the part from {clock(part.start)}", where=video, mend=mend)
    heard = listen(video, facts, sources)
    problems = list(heard.problems)
    watched, found = None, ()
    if cuts == AUTO:
        watched = watch(video, ShotConfig(), progress=lambda seconds: progress(seconds, facts.duration))
        found = watched.cuts
        problems += watched.problems
    elif cuts != NONE:
        found = read_shots(Path(cuts))
        late = sum(cut >= facts.duration for cut in found)
        if late:
            problems.append(f"{cuts}: {late} of {len(found)} shots begin after the film's end: is it of another cut?")
    end = _end(facts, watched)
    silences = gaps(
        heard.speech,
        end,
        shortest=practice.minimum_gap,
        lead_in=practice.lead_in,
        lead_out=practice.lead_out,
    )
    return Survey(
        video=video,
        facts=facts,
        heard=heard,
        silences=tuple(within(silences, part, practice.minimum_gap)),
        shots=tuple(shots(tuple(found), max(facts.duration, end))),
        watched=watched,
        problems=tuple(problems),
    )


def _end(facts: VideoFacts, watched: Watched | None) -> float:
    """Where the pictures end: nothing is described of what cannot be decoded."""
    if watched is None or not watched.problems:
        return facts.duration
    return min(facts.duration, watched.last + _SLACK) or facts.duration


def within(silences: Sequence[Span], part: Span | None, shortest: float) -> list[Span]:
    """The silences cut to a part of the film, without those that become too short."""
    if part is None:
        return list(silences)
    cut = [(max(one.start, part.start), min(one.end, part.end)) for one in silences]
    return [Span(start, end) for start, end in cut if end - start >= shortest]


def seen_in(found: Sequence[Span], stretch: Span) -> tuple[Span, ...]:
    """The shots that a stretch of the film lies in; `found` in order, as in `Survey.shots`."""
    first = max(bisect.bisect_right(found, stretch.start, key=lambda shot: shot.start) - 1, 0)
    last = bisect.bisect_left(found, stretch.end, key=lambda shot: shot.start)
    return tuple(found[first:last])


def facts(seen: Survey) -> dict[str, Any]:
    """What `--json` says of a film; `first` and `last` are those of its cues, or without cues of its pictures."""
    cues, watched = seen.heard.lines, seen.watched
    found: dict[str, Any] = {
        "file": seen.video.name,
        "duration": round(seen.facts.duration, 3),
        "width": seen.facts.width,
        "height": seen.facts.height,
        "cues": len(cues),
        "spoken": sum(line.spoken for line in cues),
        "speech": seen.heard.source,
        "shots": len(seen.shots),
        "gaps": len(seen.silences),
        "usable_seconds": round(seen.usable, 3),
        "gaps_at": [[round(gap.start, 3), round(gap.end, 3)] for gap in seen.silences],
        "warnings": len(seen.problems),
    }
    if watched is not None:
        found |= {"frames": watched.frames, "first": watched.first, "last": watched.last}
    if cues:
        found |= {"first": cues[0].span.start, "last": max(line.span.end for line in cues)}
    if seen.heard.offset is not None:
        found["subtitle_offset"] = round(seen.heard.offset.seconds, 2)
    return found


def paper_facts(
    sources: Sources, practice: Practice, duration: float | None, part: Span | None = None
) -> tuple[dict[str, Any], Heard]:
    """The gaps of a film that is not here, by its subtitles and given segments, within a part of it or everywhere; it
    ends with the last cue unless `duration` is given.

    Errors: BadInput as the readers of these, or if there is no cue and no duration either.
    """
    heard = listen(None, None, sources)
    last = max((line.span.end for line in heard.lines), default=0.0)
    end = duration or last
    if not end:
        raise BadInput("no cue to tell how long the film is", where=sources.subtitles, mend="give --duration")
    silences = gaps(
        heard.speech, end, shortest=practice.minimum_gap, lead_in=practice.lead_in, lead_out=practice.lead_out
    )
    silences = within(silences, part, practice.minimum_gap)
    found: dict[str, Any] = {
        "file": sources.subtitles.name if sources.subtitles else "",
        "duration": round(end, 3),
        "cues": len(heard.lines),
        "spoken": sum(line.spoken for line in heard.lines),
        "gaps": len(silences),
        "gaps_at": [[round(gap.start, 3), round(gap.end, 3)] for gap in silences],
        "warnings": len(heard.problems),
    }
    if heard.lines:
        found |= {"first": heard.lines[0].span.start, "last": last}
    return found, heard
