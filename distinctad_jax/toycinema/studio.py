"""Writes made-up movies as the files that a studio would hand over, and stills as the web would."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
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
from distinctad_jax.toycinema.language import describe
from distinctad_jax.toycinema.script import Screenplay, write
from distinctad_jax.toycinema.sprites import Sprites
from distinctad_jax.toycinema.stills import portrait, still
from distinctad_jax.toycinema.world import CHARACTERS

COLUMNS = (
    "text,start,end,movie,scaled_start,scaled_end,cmd_filename,imdbid,movie_title,cmd_clip_idx".split(",")  # noqa: SIM905
)
SCRIPTS, SHOTS, SOUNDS, STILLS = range(4)  # each kind of draw has a stream of its own
SHARD = 250  # stills that one process makes at a time
SHORTEST = 2.0  # seconds to which a clip is widened for the video
PORTRAIT = 64

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class CinemaConfig:
    """How much toy cinema to make, and how.

    `train`, `val`, `test` count movies, `stills` pictures; `scenes` and `clips` are the fewest and the most per movie
    and per scene. `workers` processes share the work and change nothing in the files.

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "scenes", tuple(self.scenes))
        object.__setattr__(self, "clips", tuple(self.clips))
        if self.seed < 0 or min(self.train, self.val, self.test, self.stills) < 0:
            raise ValueError(f"Toy cinema needs a seed and numbers of movies and stills >= 0, got {self}.")
        for name, (fewest, most) in {"scenes": self.scenes, "clips": self.clips}.items():
            if not 1 <= fewest <= most:
                raise ValueError(f"{name} needs 1 <= fewest <= most, got {fewest} and {most}.")
        if self.scenes[1] > 12:
            raise ValueError(f"A movie has at most 12 scenes, for there are 12 places; got {self.scenes[1]}.")
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


def still_name(index: int) -> str:
    return f"{index:06d}.jpg"


def draw(config: CinemaConfig, kind: int, index: int) -> np.random.Generator:
    """The generator of one movie or still: its numbers do not depend on what else is made."""
    return np.random.default_rng(np.random.SeedSequence(config.seed, spawn_key=(kind, index)))


def screenplay(config: CinemaConfig, index: int) -> Screenplay:
    """The script of a movie by its number."""
    return write(draw(config, SCRIPTS, index), config.scenes, config.clips, config.frames_per_second)


def shots(config: CinemaConfig, play: Screenplay, index: int) -> Iterator[np.ndarray]:
    """The frames of a movie, clip by clip and dialogue by dialogue: u8[frames height width 3] each."""
    rng = draw(config, SHOTS, index)
    size, rate = (config.width, config.height), config.frames_per_second
    sprites = Sprites(config.height / 96, config.width / config.height)
    grain = camera.Grain(rng, size)
    bar = round(play.letterbox * config.height / 96)
    for number, scene in enumerate(play.scenes):
        here = stage.Set(sprites, scene, camera.grade(scene.light, scene.look), grain, size, bar)
        if number == 0:
            yield stage.talk_frames(here, scene.beats[0], round(play.opening.seconds * rate), rng)
        for beat in scene.beats:
            yield stage.clip_frames(here, beat, round(beat.span.seconds * rate), rng)
            yield stage.talk_frames(here, beat, round(beat.after.seconds * rate), rng)


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


def make_stills(config: CinemaConfig, folder: Path, first: int, last: int) -> list[tuple[str, str]]:
    """Writes stills `first` to `last` - 1; returns (file, caption) of each."""
    sprites = Sprites(config.still_size / 96, 1.0)

    def save(number: int, picture: Image.Image) -> None:
        with whole(folder / "stills" / still_name(number)) as partial:
            picture.save(partial, quality=92, subsampling=0)

    made = []
    # A small file waits much longer for the disk than it takes to draw, so several are under way.
    with ThreadPoolExecutor(8) as disk:
        waiting = []
        for index in range(first, last):
            picture, text = still(draw(config, STILLS, index), sprites, config.still_size)
            waiting.append(disk.submit(save, index, picture))
            made.append((still_name(index), text))
        for saved in waiting:
            saved.result()
    return made


def _table(header: list[str], body: list[list[str]] | list[tuple[str, str]]) -> str:
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

    Files: movies/KEY.mp4, subtitles/KEY.srt, cast.json, portraits/ID.png, stills/*.jpg, stills/captions.csv,
      splits.json, and at the very end annotations.csv.
    Errors: BadEnvironment if the folder cannot be written, or if a worker is killed.
    """
    shards = [(first, min(first + SHARD, config.stills)) for first in range(0, config.stills, SHARD)]
    captions: dict[int, list[tuple[str, str]]] = {}
    pictures = 0
    with ProcessPoolExecutor(config.workers, mp_context=get_context("spawn")) as pool:
        movies = [pool.submit(make_movie, config, folder, index) for index in range(config.movies)]
        stills = {pool.submit(make_stills, config, folder, *shard): shard for shard in shards}
        try:
            for number, movie in enumerate(as_completed(movies), start=1):
                movie.result()
                progress("movies", number, config.movies)
            for made in as_completed(stills):
                first, last = stills[made]
                captions[first] = made.result()
                pictures += last - first
                progress("stills", pictures, config.stills)
        except BrokenProcessPool:
            raise BadEnvironment(
                "a process that draws was killed, likely for want of memory", mend="set workers to 1"
            ) from None
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    body = [row for first in sorted(captions) for row in captions[first]]
    write_text(folder / "stills" / "captions.csv", _table(["file", "text"], body))
    _write_papers(config, folder)
