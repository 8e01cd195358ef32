"""Draft the description track of a film: gaps, several texts for each clip, choice and placement, checks.

FILM is a film or a folder of films. The tracks go to the folder of each film, or to -o. A model is a folder in which
stage 2 was trained (configs/demo.py or configs/stage2.py); nothing is ever fetched. What was drafted outlives a kill:
the same command goes on. --dry-run says what would be described, and needs no model.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from distinctad_jax import __version__
from distinctad_jax.commands.batch import each, ended, films, paper, tell
from distinctad_jax.commands.gaps import summary as gap_summary
from distinctad_jax.commands.language import language_of, language_option
from distinctad_jax.commands.practice import PLACING, SPEAKING, practice_of, practice_options
from distinctad_jax.commands.report import page
from distinctad_jax.commands.sources import cuts_of, film_options, part_of, reads_films, source_options, sources_of
from distinctad_jax.commands.targets import folder_of, formats_of, target_options, wanted
from distinctad_jax.commands.taste import taste_of, taste_options
from distinctad_jax.commands.voice import Voice
from distinctad_jax.drafting.describe import LONGEST_CLIP, Wishes, clips, describe, summary, work_folder
from distinctad_jax.drafting.drafts import Drafter, Store
from distinctad_jax.drafting.model_folder import find
from distinctad_jax.drafting.names import POLICIES, read_people
from distinctad_jax.drafting.survey import Survey, facts, survey
from distinctad_jax.errors import BadInput, BadUsage, Stopped
from distinctad_jax.files import fingerprint
from distinctad_jax.movie.movie import Person, Track
from distinctad_jax.tracks import FORMATS, read_track, write_track

PAGE = "html"
WRITTEN = (*(one.name for one in FORMATS.values() if one.written), PAGE)
DEVICES = ("cpu", "gpu", "tpu")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The films and their papers, the model, and what the draft is to be like."""
    parser.add_argument("films", type=Path, nargs="+", metavar="FILM")
    parser.add_argument("--cast", type=Path, metavar="FILE", help="JSON: a list of characters, or lists by film")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="in which stage 2 was trained")
    parser.add_argument("--device", choices=DEVICES, help="default: the best that JAX finds")
    parser.add_argument("--names", choices=POLICIES, default="after-intro", help="when the cast is called by name")
    language_option(parser)
    parser.add_argument("--candidates", type=int, default=5, metavar="N", help="texts asked for each clip")
    parser.add_argument("--beams", type=int, default=5, metavar="N", help="of the search for them")
    parser.add_argument("--max-tokens", type=int, default=40, metavar="N", help="of a text")
    parser.add_argument("--longest-clip", type=float, default=LONGEST_CLIP, metavar="S", help="told by one text")
    parser.add_argument("--dry-run", action="store_true", help="say what would be described, and write nothing")
    film_options(parser)
    source_options(parser)
    taste_options(parser)
    practice_options(parser, (*PLACING, *SPEAKING))
    target_options(parser, WRITTEN, ("json", "vtt", "srt"))


@reads_films
def run(given: argparse.Namespace, voice: Voice) -> dict[str, Any]:
    """Describes each film; returns what was found."""
    wishes, formats = _wishes(given), formats_of(given, WRITTEN)

    @cache
    def drafter() -> Drafter:
        return _drafter(given, voice)

    return ended(*each(films(given.films), lambda film: _one(film, given, wishes, formats, drafter, voice), voice))


def _wishes(given: argparse.Namespace) -> Wishes:
    language = language_of(given) or "en"
    try:
        return Wishes(practice_of(given), taste_of(given), given.names, language, given.longest_clip)
    except ValueError as error:
        raise BadUsage(str(error), where="--longest-clip", mend="give a longer one") from None


def _drafter(given: argparse.Namespace, voice: Voice) -> Drafter:
    shelf = find(given.model)
    from distinctad_jax.recipes import drafter  # imports JAX: slow, so after all else is known to be right

    if given.device is not None:
        import jax

        jax.config.update("jax_platforms", {"gpu": "cuda"}.get(given.device, given.device))
    try:
        config = drafter.DraftingConfig(given.candidates, given.beams, given.max_tokens)
    except ValueError as error:
        raise BadUsage(str(error), where="--candidates", mend="lower it, or raise --beams") from None
    voice.say(f"model: {shelf.narrator}")
    return drafter.NarratorDrafter(shelf, config)


def _one(
    film: Path,
    given: argparse.Namespace,
    wishes: Wishes,
    formats: list[str],
    drafter: Callable[[], Drafter],
    voice: Voice,
) -> dict[str, Any]:
    if not given.dry_run:
        folder = folder_of(given, film)
        endings = [".review.html" if form == PAGE else FORMATS[form].suffixes[0] for form in formats]
        targets = [folder / f"{film.stem}{ending}" for ending in endings]
        papers = (paper(given.subtitles, film, given.films), given.cast, given.speech_segments, Path(given.shots))
        left = wanted(given, targets, voice, (film, *papers))
        if not left:
            voice.say(f"{film.name}: nothing to do")
            return {"file": film.name, "skipped": len(targets)}
        kept = None if given.overwrite else _kept(folder / f"{film.stem}.json", film)
        if kept is not None:
            return _written(kept, left, wishes, voice, film, {})
    seen, cast = _seen(film, given, wishes, voice)
    found = facts(seen) | {"people": len(cast)}
    if given.dry_run:
        voice.say(gap_summary(seen))
        return found | {"clips": len(clips(seen.silences, seen.shots, wishes.longest_clip))}
    narrator = drafter()
    store = Store(work_folder(folder, film), _depends(seen, cast, wishes, narrator))
    problems: list[str] = []
    try:
        with voice.bar("describing") as bar:
            made_by = (
                f"distinctad_jax {__version__}, narrator {narrator.models.get('narrator', '')[:12]}, not reviewed"
            )
            track = describe(seen, cast, narrator, wishes, store, report=bar, made_by=made_by, problems=problems)
    except (KeyboardInterrupt, Stopped):
        store.flush()
        raise
    tell(voice, problems)
    found = _written(track, left, wishes, voice, film, found)
    store.remove()
    return found


def _seen(film: Path, given: argparse.Namespace, wishes: Wishes, voice: Voice) -> tuple[Survey, tuple[Person, ...]]:
    """The film surveyed and its cast read, with every warning said."""
    problems: list[str] = []
    papers = paper(given.cast, film, given.films, (".json",)) if given.cast is not None else None
    cast = read_people(papers, film.stem, problems=problems) if papers is not None else ()
    with voice.bar("looking") as bar:
        seen = survey(
            film,
            sources_of(given, film, given.films),
            wishes.practice,
            cuts=cuts_of(given),
            part=part_of(given),
            progress=lambda done, whole: bar(round(done), round(whole), ""),
        )
    tell(voice, [*problems, *seen.problems])
    return seen, cast


def _depends(seen: Survey, cast: tuple[Person, ...], wishes: Wishes, drafter: Drafter) -> dict[str, Any]:
    """All that the texts depend on, so that those of another film or model are not taken for its own."""
    return {
        "film": fingerprint(seen.video),
        "clips": [[clip.start, clip.end] for clip, _ in clips(seen.silences, seen.shots, wishes.longest_clip)],
        "practice": [wishes.practice.fastest, wishes.practice.longest],
        "cast": [one.character for one in cast],
        "names": wishes.names,
        "dialogue": [[line.span.start, line.text] for line in seen.heard.lines],
        "models": dict(drafter.models),
        "drafter": dict(drafter.options),
    }


def _kept(master: Path, film: Path) -> Track | None:
    """The track that was made of this film before, from which formats that are missing can be written."""
    if master.is_symlink() or not master.is_file():
        return None
    track = read_track(master, problems=[])
    if track.film is None or track.film.fingerprint != fingerprint(film):
        raise BadInput("is of another film", where=master, mend="give --overwrite, or another folder")
    return track


def _written(
    track: Track, left: list[Path], wishes: Wishes, voice: Voice, film: Path, found: dict[str, Any]
) -> dict[str, Any]:
    for target in left:
        if target.suffix == ".html":
            page(track, film, target, wishes.practice, voice)
        else:
            write_track(target, track)
    voice.say(f"{film.name}: {summary(track)}")
    counts = {name: value for name, value in track.metrics.items() if name != "checks"}
    flagged = sum(track.metrics.get("checks", {}).values())
    return found | {"file": film.name, "written": [target.name for target in left], "flagged": flagged, **counts}
