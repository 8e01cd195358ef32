"""The review page of a track: one HTML file in which a person reads, plays, edits and hands on what was drafted.

All text of the track is in the page as JSON and is put on it as text by the page's own script; a content security
policy lets nothing else run and nothing be fetched but the film beside the page.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from distinctad_jax import __version__
from distinctad_jax.metrics.distinctiveness import STOP_WORDS
from distinctad_jax.movie.movie import Track
from distinctad_jax.movie.practice import Practice
from distinctad_jax.tracks import master, webvtt

LARGEST = 9_500_000
"""Bytes of a page with pictures, but for an embedded film; pictures are made as small as that asks for."""


@dataclass(frozen=True)
class Thumbnail:
    """A picture of the film: JPEG bytes, its time in seconds, and its size in pixels."""

    jpeg: bytes
    time: float
    width: int
    height: int


def render_review(
    track: Track,
    *,
    practice: Practice | None = None,
    frames: Mapping[str, Sequence[Thumbnail]] | None = None,
    video: str = "",
    stem: str = "",
) -> str:
    """The page as HTML.

    Args:
      practice: what fit and pace are judged by.
      frames: pictures by the id that `Track.numbered` gives an entry.
      video: address of the film relative to the page, or a `data:` address that holds it; none shows no player.
      stem: what downloads are called, without suffix; the movie's name if it is empty.
    """
    track, practice = track.numbered(), practice or Practice()
    environment = Environment(
        loader=PackageLoader("distinctad_jax", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    folder = resources.files("distinctad_jax.report")
    script, style = (folder.joinpath(f"review.{kind}").read_text("utf-8") for kind in ("js", "css"))
    page = environment.get_template("review.html.j2").render(
        title=track.movie,
        language=track.language if track.language.replace("-", "").isalnum() else "en",
        policy=_policy(script, style, video),
        style=Markup(style),
        script=Markup(script),
        data=Markup(_embedded(_data(track, practice, frames or {}, stem or track.movie))),
        video=video,
        depth=round(practice.duck_unmeasured),
        captions=bool(track.dialogue),
        metrics=_told(track.metrics),
        provenance=_provenance(track),
    )
    return page.rstrip() + "\n"


def text_size(track: Track) -> int:
    """Bytes of a page without pictures."""
    return len(render_review(track).encode())


def _data(track: Track, practice: Practice, frames: Mapping[str, Sequence[Thumbnail]], stem: str) -> dict[str, Any]:
    text = master.text_of(track)
    return {
        "master": json.loads(text),
        "key": hashlib.sha256(text.encode()).hexdigest()[:16],
        "stem": "".join(letter if letter.isalnum() or letter in "-_. " else "_" for letter in stem)[:80] or "track",
        "duration": track.film.duration if track.film else None,
        "dialogue": [{"start": one.span.start, "end": one.span.end, "text": one.text} for one in track.dialogue],
        "vtt_head": webvtt.text_of(replace(track, descriptions=())),
        "stop_words": sorted(STOP_WORDS),
        "practice": {
            "pause": practice.pause,
            "shortest": practice.shortest,
            "characters_per_second": _pace(track, practice),
            "lead_in": practice.lead_in,
            "lead_out": practice.lead_out,
        },
        "frames": {
            name: [
                {
                    "jpeg": base64.b64encode(one.jpeg).decode("ascii"),
                    "time": round(one.time, 3),
                    "width": one.width,
                    "height": one.height,
                }
                for one in some
            ]
            for name, some in frames.items()
        },
    }


def _pace(track: Track, practice: Practice) -> float:
    """Characters a second of the voice that spoke the track, as far as it is known; else as practice has it."""
    spoken = [(len(one.text), one.speech.seconds) for one in track.descriptions if one.speech and one.speech.measured]
    seconds = sum(length for _, length in spoken)
    return sum(count for count, _ in spoken) / seconds if seconds > 0 else practice.characters_per_second


def _embedded(value: dict[str, Any]) -> str:
    """JSON that cannot end the element it stands in, nor begin a comment there."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _policy(script: str, style: str, video: str) -> str:
    def hashed(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"

    film = "data:" if video.startswith("data:") else "'self' file:"  # a page that is a file has no 'self'
    media = f" media-src {film};" if video else ""
    return f"default-src 'none'; img-src data:;{media} style-src {hashed(style)}; script-src {hashed(script)}"


def _told(values: Mapping[str, Any]) -> dict[str, str]:
    return {
        str(name).replace("_", " "): f"{value:.3g}" if isinstance(value, float) else _line(value)
        for name, value in values.items()
    }


def _line(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and not any(isinstance(one, Mapping | list) for one in value.values()):
        return "; ".join(f"{str(name).replace('_', ' ')} {_line(one)}" for name, one in value.items()) or "none"
    return json.dumps(value, ensure_ascii=False)


def _provenance(track: Track) -> dict[str, str]:
    found = {"Film": track.film.name if track.film else "", "Language": track.language, "Made by": track.made_by}
    found |= {f"Model: {role}": name for role, name in track.models.items()}
    found |= {f"Option: {name}": _line(value) for name, value in track.options.items()}
    return {name: value for name, value in (found | {"Page by": f"distinctad_jax {__version__}"}).items() if value}
