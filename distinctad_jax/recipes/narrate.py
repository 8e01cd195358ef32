"""A movie in, a description track out: gaps, clips, features, windows, sentences, cues."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

import numpy as np

from distinctad_jax.data.cast import read_cast
from distinctad_jax.data.video import probe, read_frames
from distinctad_jax.errors import BadInput
from distinctad_jax.files import read_json, write_json
from distinctad_jax.movie.movie import Line, Track
from distinctad_jax.movie.span import Span, gaps
from distinctad_jax.movie.window import PADDING, evaluation_windows
from distinctad_jax.narration.decoding import DecodingConfig
from distinctad_jax.narration.placement import PlacementConfig, cut, place, words_that_fit
from distinctad_jax.narration.wording import Candidate
from distinctad_jax.recipes.extract import frame_encoder, tower_provenance
from distinctad_jax.recipes.models import check_features, open_aligner, open_narrator
from distinctad_jax.recipes.speaking import Speaker
from distinctad_jax.recipes.workshop import Need, Recipe, Run
from distinctad_jax.text.prompt import prompt_ids, spoken_names
from distinctad_jax.text.tokenizers import Tokenizer
from distinctad_jax.tracks import read_dialogue, write_track

FORMATS = ("vtt", "srt", "jsonl")


@dataclasses.dataclass(frozen=True)
class NarrateConfig:
    """video: a film, or nothing for the first test movie of the toy cinema; movie: its key in the cast file.

    Units: seconds. shortest_gap, lead_in and lead_out say which silences can be used; longest_clip is the longest
      stretch that one description tells.
    budgets: no description has more words than its clip leaves time for. neighbours: how many descriptions before its
      own one must differ from, where `decoding` asks for that. forbidden, forced: words that no description may say,
      and names that each has to say.
    """

    decoding: DecodingConfig
    placement: PlacementConfig
    video: str = ""
    subtitles: str = ""
    cast: str = ""
    movie: str = ""
    policy: Literal["block", "centered", "causal"] = "block"
    shortest_gap: float = 2.0
    lead_in: float = 0.3
    lead_out: float = 0.3
    longest_clip: float = 6.0
    windows: int = 4
    budgets: bool = True
    neighbours: int = 8
    forbidden: tuple[str, ...] = ()
    forced: tuple[str, ...] = ()

    def __post_init__(self):
        if min(self.shortest_gap, self.longest_clip) <= 0 or min(self.lead_in, self.lead_out) < 0:
            raise ValueError(f"needs shortest_gap, longest_clip > 0 and leads >= 0, got {self}")
        if min(self.windows, self.neighbours) < 1:
            raise ValueError(f"windows and neighbours are at least 1, got {self.windows} and {self.neighbours}")
        if self.decoding.name_first and not self.forced:
            raise ValueError("name_first needs a forced name")
        if not self.video and (self.subtitles or self.cast):
            raise ValueError("subtitles and cast belong to a video, and none is given")


@dataclasses.dataclass(frozen=True)
class Film:
    """What is narrated."""

    video: Path
    dialogue: tuple[Line, ...]
    names: tuple[str, ...]


def _film(settings: NarrateConfig, run: Run) -> Film:
    if settings.video:
        cast = read_cast(Path(settings.cast)) if settings.cast else {}
        key = settings.movie or Path(settings.video).stem
        if cast and key not in cast:
            raise BadInput(
                f"no movie {key!r}", where=settings.cast, mend="name one of its movies in config.narrate.movie"
            )
        dialogue = read_dialogue(Path(settings.subtitles)) if settings.subtitles else ()
        return Film(Path(settings.video), dialogue, spoken_names(person.character for person in cast.get(key, ())))
    folder = run.needs["render"].folder
    key = read_json(folder / "splits.json")["test"][0]
    cast = read_cast(folder / "cast.json")[key]
    return Film(
        folder / "movies" / f"{key}.mp4",
        read_dialogue(folder / "subtitles" / f"{key}.srt"),
        spoken_names(person.character for person in cast),
    )


def run(settings: NarrateConfig, run: Run) -> dict[str, Any]:
    """Writes the track as WebVTT, SRT and JSONL, and what was left out to `dropped.json`."""
    film = _film(settings, run)
    facts = probe(film.video)
    silences = gaps(
        [line.span for line in film.dialogue],
        facts.duration,
        shortest=settings.shortest_gap,
        lead_in=settings.lead_in,
        lead_out=settings.lead_out,
    )
    slots = cut(silences, settings.longest_clip)
    run.voice.say(f"  {film.video}: {facts.duration:.1f} s, {len(silences)} gaps, {len(slots)} clips to describe")
    problems: list[str] = []
    told = _describe(settings, run, film, slots, problems) if slots else []
    for problem in problems:
        run.voice.say(f"  warning: {problem}")
    descriptions, dropped = place(told, settings.placement)
    track = Track(film.video.stem, tuple(descriptions), "en", f"distinctad_jax, narrator {run.needs['stage2'].key}")
    for suffix in FORMATS:
        write_track(run.folder / f"{film.video.stem}.{suffix}", track)
    write_json(
        run.folder / "dropped.json",
        [
            {"start": each.gap.start, "end": each.gap.end, "text": each.text, "reason": each.reason}
            for each in dropped
        ],
    )
    run.voice.say(f"  {len(descriptions)} descriptions in {run.folder}, {len(dropped)} left out")
    return {
        "video": film.video.name,
        "duration": facts.duration,
        "gaps": len(silences),
        "clips": len(slots),
        "cues": len(descriptions),
        "dropped": len(dropped),
    }


def _describe(
    settings: NarrateConfig, run: Run, film: Film, slots: list[Span], problems: list[str]
) -> list[tuple[Span, list[Candidate]]]:
    """What the narrator could say of each slot whose frames can be decoded, the best first."""
    aligner, _ = open_aligner(run.needs["stage1"].folder)
    narrator, tokenizer = open_narrator(run.needs["stage2"].folder)
    seen_by = tower_provenance("stage1", run.needs["stage1"].folder, aligner)
    check_features(run.needs["stage2"].folder, seen_by, run.needs["stage1"].folder)
    trained = run.needs["stage2"].results["settings"]
    frames, encode, features = trained["frames"], frame_encoder(aligner), {}
    size = aligner.config.vision.image_size
    with run.voice.bar("seeing clips") as bar:
        for slot, pictures, _ in read_frames(film.video, slots, frames, size, problems=problems):
            # float16 as in the records that the narrator was trained on
            features[slot] = np.asarray(encode(pictures[None])[0]).astype(np.float16).astype(np.float32)
            bar(len(features), len(slots), "")
    seen = sorted(features)
    speak = Speaker(
        narrator,
        tokenizer,
        settings.decoding,
        prompt_length=trained["prompt_length"],
        where="config.narrate",
        seed=run.seed,
        memory=settings.neighbours,
        forbidden=settings.forbidden,
        spared=film.names,
        forced=settings.forced,
    )
    windows = evaluation_windows(len(seen), trained["clips"], settings.policy)
    told: list[tuple[Span, list[Candidate]]] = []
    with run.voice.bar("describing clips") as bar:
        for first in range(0, len(windows), settings.windows):
            some = windows[first : first + settings.windows]
            rows = np.full((settings.windows, trained["clips"]), PADDING)
            asked = np.zeros(rows.shape, bool)
            for place_, window in enumerate(some):
                rows[place_] = [PADDING if member == PADDING else seen[member] for member in window.members]
                asked[place_] = window.targets
            batch = _batch(rows, features, film.names, trained, tokenizer)
            spans = [slots[row] if one else None for row, one in zip(rows.flat, asked.flat, strict=True)]
            found, _ = speak(
                batch,
                [span and film.video for span in spans],
                [span and _budget(settings, span) for span in spans],
            )
            told += [(span, said) for span, said in zip(spans, found, strict=True) if span]
            bar(len(told), len(seen), "")
    return sorted(told, key=lambda each: each[0])


def _budget(settings: NarrateConfig, slot: Span) -> int | None:
    return words_that_fit(slot.seconds, settings.placement) if settings.budgets else None


def _batch(
    rows: np.ndarray,
    features: dict[int, np.ndarray],
    names: tuple[str, ...],
    trained: dict[str, Any],
    tokenizer: Tokenizer,
) -> dict[str, np.ndarray]:
    """The narrator's input for windows of slots, -1 where there is none."""
    width, config = next(iter(features.values())).shape[1], trained["names"]
    prompt = prompt_ids(
        tokenizer, () if config["source"] == "none" else names, trained["prompt_length"], config["limit"]
    )
    batch = {
        "features": np.zeros((*rows.shape, trained["frames"], width), np.float32),
        "frames_real": np.zeros((*rows.shape, trained["frames"]), bool),
        "clips_real": rows != PADDING,
        "prompt_ids": np.full((*rows.shape, trained["prompt_length"]), tokenizer.end, np.int32),
        "prompt_real": np.zeros((*rows.shape, trained["prompt_length"]), bool),
    }
    for place_ in np.argwhere(rows != PADDING):
        at = tuple(place_)
        batch["features"][at], batch["frames_real"][at] = features[int(rows[at])], True
        batch["prompt_ids"][at][: len(prompt)], batch["prompt_real"][at][: len(prompt)] = prompt, True
    return batch


def needs(settings: NarrateConfig) -> dict[str, Need]:
    """The narrator, the tower it was trained behind, and a toy movie if no film is given."""
    found = {"stage1": Need("stage1"), "stage2": Need("stage2")}
    return found if settings.video else {**found, "render": Need("render")}


def inputs(settings: NarrateConfig) -> tuple[Path, ...]:
    """The film and its papers."""
    paths = [(name, getattr(settings, name)) for name in ("video", "subtitles", "cast") if getattr(settings, name)]
    for name, path in paths:
        if not Path(path).is_file():
            raise BadInput("no such file", where=path, mend=f"correct config.narrate.{name}")
    return tuple(Path(path) for _, path in paths)


RECIPE = Recipe("narrate", NarrateConfig, run, needs, inputs)
