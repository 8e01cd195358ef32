"""The bars of `distinctad describe` on real pictures: every cue in a gap, none over dialogue, none too fast.

Run:    python benchmarks/describe.py --model=runs/demo --folder=described > described.json
Gives:  one JSON object on standard output, a line for each film on standard error, and exit code 1 if one is missed.
        Films are those of `--data` (videos with subtitles where there are any, and a recorded speech), as
        they are, and once more with the speech laid over their silenced pictures at times that we choose, so that
        dialogue and gaps are known exactly. What is left out has to say why.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from distinctad_jax import api
from distinctad_jax.data.library import SUFFIXES
from distinctad_jax.movie.movie import Track
from distinctad_jax.movie.practice import Practice
from distinctad_jax.movie.span import Span, gaps
from distinctad_jax.tracks import read_dialogue, read_track

ROOT = Path(__file__).parents[1]
RATE = 48_000
SAYS = "And so, my fellow Americans."
EVERY, LASTS = 9.0, 3.0  # s; where the speech is laid, and for how long


def speech(path: Path, seconds: float) -> np.ndarray:
    """The first seconds of a recording, one channel, -1..1."""
    with av.open(str(path)) as box:
        turner = AudioResampler(format="flt", layout="mono", rate=RATE)
        parts = [part.to_ndarray().reshape(-1) for frame in box.decode(audio=0) for part in turner.resample(frame)]
    return np.concatenate(parts)[: round(seconds * RATE)].astype(np.float32)


def laid_over(film: Path, voice: np.ndarray, target: Path) -> list[Span]:
    """Writes the pictures of a film, copied, with nothing but speech as sound; returns when there is speech."""
    with av.open(str(film)) as source, av.open(str(target), "w") as box:
        pictures = source.streams.video[0]
        copy = box.add_stream_from_template(pictures)
        sound = box.add_stream("aac", rate=RATE, layout="mono")
        lasts = (source.duration or 0) / av.time_base
        spoken = [Span(at, at + LASTS) for at in np.arange(2.0, lasts - LASTS, EVERY)]
        wave = np.zeros(round(lasts * RATE), np.float32)
        for span in spoken:
            first = round(span.start * RATE)
            wave[first : first + len(voice)] = voice[: len(wave) - first]
        for packet in source.demux(pictures):
            if packet.dts is not None:
                packet.stream = copy
                box.mux(packet)
        for first in range(0, len(wave), 1024):
            piece = AudioFrame.from_ndarray(wave[None, first : first + 1024], format="fltp", layout="mono")
            piece.sample_rate, piece.pts, piece.time_base = RATE, first, Fraction(1, RATE)
            box.mux(sound.encode(piece))
        box.mux(sound.encode(None))
    return spoken


def write_subtitles(path: Path, spoken: list[Span]) -> None:
    """A cue for each stretch of speech."""

    def stamp(time: float) -> str:
        whole, thousandths = divmod(round(time * 1000), 1000)
        return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{thousandths:03d}"

    cues = [f"{stamp(one.start)} --> {stamp(one.end)}\n{SAYS}\n" for one in spoken]
    path.write_text("\n".join(["WEBVTT\n", *cues]), encoding="utf-8")


def judged(track: Track, spoken: list[Span], practice: Practice) -> dict[str, Any]:
    """Counts of what breaks a bar, against gaps that are worked out anew from the dialogue."""
    duration = track.film.duration if track.film and track.film.duration else 0.0
    free = gaps(spoken, duration, shortest=practice.minimum_gap, lead_in=practice.lead_in, lead_out=practice.lead_out)
    cues = [one for one in track.descriptions if one.kind == "inline"]
    near = 1e-3
    inside = [
        any(gap.start - near <= one.span.start and one.span.end <= gap.end + near for gap in free) for one in cues
    ]
    pairs = list(itertools.pairwise(sorted(one.span for one in cues)))
    return {
        "cues": len(cues),
        "dropped": len(track.dropped),
        "outside_gaps": inside.count(False),
        "over_dialogue": sum(any(one.span.overlaps(line) for line in spoken) for one in cues),
        "over_another": sum(a.overlaps(b) for a, b in pairs),
        "too_fast": sum(len(one.text) / one.span.seconds > practice.fastest / 10 + 0.05 for one in cues),
        "dropped_without_reason": sum(not one.reason for one in track.dropped),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Every cue in a gap, none over dialogue, none too fast.")
    parser.add_argument("--model", type=Path, required=True, help="in which stage 2 was trained")
    parser.add_argument("--folder", type=Path, required=True, help="where tracks and built films go")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--density", default="high")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    films = [path for path in sorted((given.data / "videos").iterdir()) if path.suffix in SUFFIXES]
    voice = speech(next((given.data / "audio").glob("*.flac")), LASTS)
    found, practice = {}, Practice()
    for film in films:
        built = given.folder / f"{film.stem}.spoken.mkv"
        papers = built.with_suffix(".dialogue.vtt")
        write_subtitles(papers, laid_over(film, voice, built))
        own = next(iter(sorted(film.parent.glob(f"{film.stem}.*.vtt"))), None)
        for path, subtitles in ((film, own), (built, papers)):
            api.describe(
                path,
                subtitles=subtitles,
                model=given.model,
                output_dir=given.folder,
                overwrite=True,
                density=given.density,
            )
            spoken = [line.span for line in read_dialogue(subtitles, problems=[])] if subtitles else []
            track = read_track(given.folder / f"{path.stem}.json", problems=[])
            found[path.name] = judged(track, spoken, practice)
            print(path.name, found[path.name], file=sys.stderr, flush=True)
    bad = ("outside_gaps", "over_dialogue", "over_another", "too_fast", "dropped_without_reason")
    total = {name: sum(one[name] for one in found.values()) for name in ("cues", "dropped", *bad)}
    json.dump({"films": found, "all": total}, sys.stdout, indent=2)
    print()
    sys.exit(any(total[name] for name in bad))


if __name__ == "__main__":
    main()
