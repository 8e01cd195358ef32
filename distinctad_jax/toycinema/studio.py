"""Writes made-up movies as the files that a studio would hand over, and stills as the web would."""

from __future__ import annotations

import copy
import csv
import functools
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from distinctad_jax.errors import BadEnvironment
from distinctad_jax.files import whole, write_json, write_text
from distinctad_jax.movie.movie import Line
from distinctad_jax.movie.span import clock
from distinctad_jax.toycinema import camera, film, sound, stage
from distinctad_jax.toycinema.dialogue import title
from distinctad_jax.toycinema.dials import Dials
from distinctad_jax.toycinema.language import describe
from distinctad_jax.toycinema.script import Lexicon, Screenplay, write
from distinctad_jax.toycinema.sprites import Sprites
from distinctad_jax.toycinema.stills import portrait, still
from distinctad_jax.toycinema.world import CHARACTERS

COLUMNS = (
    "text,start,end,movie,scaled_start,scaled_end,cmd_filename,imdbid,movie_title,cmd_clip_idx".split(",")  # noqa: SIM905
)
SCRIPTS, SHOTS, SOUNDS, STILLS = range(4)  # each kind of draw has a stream of its own
SIDE = 16  # stills in a row, and rows, of a contact sheet: one file instead of many small ones, and good to look at
SHORTEST = 2.0  # seconds to which a clip is widened for the video
PORTRAIT = 64

DEFAULT_DIALS = Dials()

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class CinemaConfig:
    """How much toy cinema to make, and how.

    `train`, `val`, `test` count movies, `stills` pictures; `scenes` and `clips` are the fewest and the most per movie
    and per scene. `dials` make the movies easy or hard. `workers` processes share the work and change nothing in the
    files.

    Units:  width, height, still_size in pixels.
    Errors: ValueError, with what was found and needed.
    """

    seed: int = 0
    train: int = 40
    val: int = 5
    test: int = 10
    stills: int = 6000
    scenes: tuple[int, int] = (4, 6)
    clips: tuple[int, int] = (6, 14)
    width: int = 128
    height: int = 96
    frames_per_second: int = 8
    still_size: int = 64
    workers: int = 2
    dials: Dials = DEFAULT_DIALS

    def __post_init__(self) -> None:
        object.__setattr__(self, "scenes", tuple(self.scenes))
        object.__setattr__(self, "clips", tuple(self.clips))
        if self.seed < 0 or min(self.train, self.val, self.test, self.stills) < 0:
            raise ValueError(f"Toy cinema needs a seed and numbers of movies and stills >= 0, got {self}.")
        for name, (fewest, most) in {"scenes": self.scenes, "clips": self.clips}.items():
            if not 1 <= fewest <= most:
                raise ValueError(f"{name} needs 1 <= fewest <= most, got {fewest} and {most}.")
        places = len(Lexicon.of(self.dials.turned().vocabulary).places)
        if self.scenes[1] > places:
            raise ValueError(
                f"A movie has at most {places} scenes, for there are {places} places; got {self.scenes[1]}."
            )
        if self.height < 48 or self.height % 2 or self.width % 2 or self.width < self.height:
            raise ValueError(f"A movie needs even sides, width >= height >= 48, got {self.width} x {self.height}.")
        if not 4 <= self.frames_per_second <= 60 or self.still_size < 32 or self.workers < 1:
            raise ValueError(
                "Toy cinema needs 4 to 60 frames a second, stills of at least 32 pixels and a worker, got "
                f"{self.frames_per_second}, {self.still_size}, {self.workers}."
            )

    @property
    def movies(self) -> int:
        return self.train + self.val + self.test


def movie_key(index: int) -> str:
    return f"tc{index + 1:04d}"


def sheet_name(number: int) -> str:
    return f"sheet-{number:04d}.jpg"


def draw(config: CinemaConfig, kind: int, index: int) -> np.random.Generator:
    """The generator of one movie or still: its numbers do not depend on what else is made."""
    return np.random.default_rng(np.random.SeedSequence(config.seed, spawn_key=(kind, index)))


def screenplay(config: CinemaConfig, index: int) -> Screenplay:
    """The script of a movie by its number."""
    rng = draw(config, SCRIPTS, index)
    return write(rng, config.scenes, config.clips, config.frames_per_second, config.dials.turned())


def _sets(config: CinemaConfig, play: Screenplay, rng: np.random.Generator) -> Iterator[stage.Set]:
    """What each scene is drawn in."""
    size, gap = (config.width, config.height), config.dials.turned().gap
    sprites = Sprites(config.height / 96, config.width / config.height)
    grain = camera.Grain(rng, size)
    bar = round(gap * play.letterbox * config.height / 96)
    for scene in play.scenes:
        grade = camera.regraded(camera.grade(scene.light, scene.look), gap)
        yield stage.Set(sprites, scene, grade, grain, size, bar)


def shots(config: CinemaConfig, play: Screenplay, index: int) -> Iterator[np.ndarray]:
    """The frames of a movie, clip by clip and dialogue by dialogue: u8[frames height width 3] each."""
    rng, rate = draw(config, SHOTS, index), config.frames_per_second
    for number, (here, scene) in enumerate(zip(_sets(config, play, rng), play.scenes, strict=True)):
        if number == 0:
            yield stage.talk_frames(here, scene.beats[0], round(play.opening.seconds * rate), rng)
        for beat in scene.beats:
            yield stage.clip_frames(here, beat, round(beat.span.seconds * rate), rng)
            yield stage.talk_frames(here, beat, round(beat.after.seconds * rate), rng)


def clips_drawn(config: CinemaConfig, play: Screenplay, index: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each clip of a movie drawn twice, from the same moves and grain: acted throughout, and the set alone."""
    rng, rate = draw(config, SHOTS, index), config.frames_per_second
    for number, (here, scene) in enumerate(zip(_sets(config, play, rng), play.scenes, strict=True)):
        if number == 0:
            stage.talk_frames(here, scene.beats[0], round(play.opening.seconds * rate), rng)
        for beat in scene.beats:
            count, same = round(beat.span.seconds * rate), copy.deepcopy(rng)
            away = stage.clip_frames(here, replace(beat, seen=(0.0, 0.0)), count, same)
            yield stage.clip_frames(here, replace(beat, seen=(0.0, 1.0)), count, rng), away
            stage.talk_frames(here, beat, round(beat.after.seconds * rate), rng)


def srt(lines: tuple[Line, ...]) -> str:
    """Dialogue as SubRip text."""
    blocks = []
    for number, line in enumerate(lines, start=1):
        start, end = (clock(at).replace(".", ",") for at in (line.span.start, line.span.end))
        blocks.append(f"{number}\n{start} --> {end}\n{line.text}\n")
    return "\n".join(blocks)


def rows(play: Screenplay, index: int) -> list[list[str]]:
    """The annotation rows of a movie, in the columns of the CMD-AD table."""
    beats = [(number, beat) for number, scene in enumerate(play.scenes) for beat in scene.beats]
    made = []
    for (number, beat), text in zip(beats, describe(play), strict=True):
        start, end = beat.span.start, beat.span.end
        widen = max(0.0, SHORTEST - (end - start)) / 2
        times = [f"{value:.3f}" for value in (start, end, max(0.0, start - widen), end + widen)]
        key = movie_key(index)
        made.append([text, *times[:2], key, *times[2:], key, f"tt{9_000_001 + index:07d}", title(index), str(number)])
    return made


def make_movie(config: CinemaConfig, folder: Path, index: int) -> str:
    """Writes one movie and its subtitles; returns its key."""
    play, key = screenplay(config, index), movie_key(index)
    spoken = [line.span for line in play.dialogue]
    wave = sound.soundtrack(draw(config, SOUNDS, index), play.duration, spoken)
    size = (config.width, config.height)
    film.save(folder / "movies" / f"{key}.mp4", shots(config, play, index), wave, size, config.frames_per_second)
    write_text(folder / "subtitles" / f"{key}.srt", srt(play.dialogue))
    return key


@functools.cache
def _sprites_of_stills(size: int) -> Sprites:
    """What all sheets that a process draws are put together from; drawing it takes as long as a whole sheet."""
    return Sprites(size / 96, 1.0)


def make_sheet(config: CinemaConfig, folder: Path, number: int) -> list[tuple[str, int, int, str]]:
    """Writes one contact sheet of stills; returns (file, row, column, caption) of each."""
    sprites, size = _sprites_of_stills(config.still_size), config.still_size
    first, made = number * SIDE**2, []
    count = min(SIDE**2, config.stills - first)
    sheet = Image.new("RGB", (SIDE * size, -(-count // SIDE) * size), "white")
    for place in range(count):
        picture, text = still(draw(config, STILLS, first + place), sprites, size)
        row, column = divmod(place, SIDE)
        sheet.paste(picture, (column * size, row * size))
        made.append((sheet_name(number), row, column, text))
    with whole(folder / "stills" / sheet_name(number)) as partial:
        sheet.save(partial, quality=92, subsampling=0)
    return made


def _table(header: list[str], body: Iterable[Sequence[object]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(body)
    return buffer.getvalue()


def _write_papers(config: CinemaConfig, folder: Path) -> None:
    """Annotations, splits, cast and portraits: all that comes from the scripts alone."""
    plays = [screenplay(config, index) for index in range(config.movies)]
    cast = {}
    for index, play in enumerate(plays):
        cast[movie_key(index)] = [
            {
                "id": f"nm{7_000_001 + person:07d}",
                "name": CHARACTERS[person].actor,
                "role": CHARACTERS[person].name,
                "portrait": f"portraits/nm{7_000_001 + person:07d}.png",
            }
            for person in play.cast
        ]
    sprites = Sprites(PORTRAIT / 42, 1.0)
    for person in sorted({person for play in plays for person in play.cast}):
        with whole(folder / "portraits" / f"nm{7_000_001 + person:07d}.png") as partial:
            portrait(sprites, person, PORTRAIT).save(partial)
    write_json(folder / "cast.json", cast)
    keys = [movie_key(index) for index in range(config.movies)]
    ends = (config.train, config.train + config.val)
    write_json(
        folder / "splits.json", {"train": keys[: ends[0]], "val": keys[ends[0] : ends[1]], "test": keys[ends[1] :]}
    )
    body = [row for index, play in enumerate(plays) for row in rows(play, index)]
    write_text(folder / "annotations.csv", _table(list(COLUMNS), body))


def render(config: CinemaConfig, folder: Path, progress: Progress) -> None:
    """Writes everything into `folder`; `progress` hears ("movies" or "stills", done, of how many) as work gets done.

    Files: movies/KEY.mp4, subtitles/KEY.srt, cast.json, portraits/ID.png, stills/sheet-*.jpg with
      stills/captions.csv, splits.json, and at the very end annotations.csv.
    Errors: BadEnvironment if the folder cannot be written, or if a worker is killed.
    """
    captions: dict[int, list[tuple[str, int, int, str]]] = {}
    with ProcessPoolExecutor(config.workers, mp_context=get_context("spawn")) as pool:
        movies = [pool.submit(make_movie, config, folder, index) for index in range(config.movies)]
        sheets = {
            pool.submit(make_sheet, config, folder, number): number for number in range(-(-config.stills // SIDE**2))
        }
        try:
            for number, movie in enumerate(as_completed(movies), start=1):
                movie.result()
                progress("movies", number, config.movies)
            for sheet in as_completed(sheets):
                captions[sheets[sheet]] = sheet.result()
                progress("stills", sum(map(len, captions.values())), config.stills)
        except BrokenProcessPool:
            raise BadEnvironment(
                "a process that draws was killed, likely for want of memory", mend="set workers to 1"
            ) from None
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    body = [row for number in sorted(captions) for row in captions[number]]
    write_text(folder / "stills" / "captions.csv", _table(["file", "row", "column", "text"], body))
    _write_papers(config, folder)
