"""The files: complete, the same for the same seed whoever draws them, and what a reader of real data expects."""

import csv
import json
from itertools import pairwise

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw

from distinctad_jax.errors import BadEnvironment
from distinctad_jax.toycinema import CinemaConfig, render
from distinctad_jax.toycinema.camera import LEVELS, Grain, grade, move, shoot
from distinctad_jax.toycinema.sound import RATE, soundtrack
from distinctad_jax.toycinema.sprites import Sprites, paint
from distinctad_jax.toycinema.stage import lit
from distinctad_jax.toycinema.stills import portrait
from distinctad_jax.toycinema.studio import SIDE, make_sheet, rows, screenplay, shots, srt
from distinctad_jax.toycinema.world import CHARACTERS, PLACES, PROPS

TINY = {"train": 2, "val": 1, "test": 1, "stills": 12, "scenes": (1, 2), "clips": (2, 3), "still_size": 32}


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    folder, heard = tmp_path_factory.mktemp("studio"), []
    render(CinemaConfig(seed=5, workers=2, **TINY), folder, lambda *what: heard.append(what))
    return folder, heard


def test_workers_change_no_byte(studio, tmp_path):
    render(CinemaConfig(seed=5, workers=1, **TINY), tmp_path, lambda *what: None)
    assert contents(tmp_path) == contents(studio[0])


def test_another_seed_is_another_world(studio):
    here, there = CinemaConfig(seed=5, **TINY), CinemaConfig(seed=6, **TINY)
    assert screenplay(here, 0) != screenplay(there, 0)
    assert rows(screenplay(here, 0), 0) != rows(screenplay(there, 0), 0)


def test_progress_counts_up_to_all(studio):
    assert [h for h in studio[1] if h[0] == "movies"] == [("movies", n, 4) for n in (1, 2, 3, 4)]
    assert studio[1][-1] == ("stills", 12, 12)


def test_nothing_half_written_is_left(studio):
    names = contents(studio[0])
    assert not [name for name in names if "partial" in name]
    assert len([n for n in names if n.endswith(".mp4")]) == len([n for n in names if n.endswith(".srt")]) == 4


def test_a_movie_has_picture_and_sound_of_the_scripts_length(studio):
    play = screenplay(CinemaConfig(seed=5, **TINY), 0)
    with av.open(str(studio[0] / "movies" / "tc0001.mp4")) as box:
        video, audio = box.streams.video[0], box.streams.audio[0]
        assert (video.width, video.height, float(video.average_rate)) == (128, 96, 8.0)
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert audio.codec_context.name == "aac"
        assert float(audio.duration * audio.time_base) == pytest.approx(play.duration, abs=0.2)
        frames = list(box.decode(video))
        assert len(frames) == round(play.duration * 8)
        keys = [float(frame.pts * video.time_base) for frame in frames if frame.key_frame]
        assert max(after - before for before, after in pairwise(keys)) <= 2.0


def test_the_codec_keeps_what_was_drawn(studio):
    config = CinemaConfig(seed=5, **TINY)
    drawn = np.concatenate(list(shots(config, screenplay(config, 0), 0))).astype(float)
    with av.open(str(studio[0] / "movies" / "tc0001.mp4")) as box:
        seen = np.stack([frame.to_ndarray(format="rgb24") for frame in box.decode(video=0)]).astype(float)
    assert np.abs(seen - drawn).mean() < 8


def test_annotations_have_the_columns_of_the_published_table(studio):
    with (studio[0] / "annotations.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert list(table[0]) == [
        "text", "start", "end", "movie", "scaled_start", "scaled_end", "cmd_filename", "imdbid", "movie_title",
        "cmd_clip_idx",
    ]  # fmt: skip
    assert {row["movie"] for row in table} == {"tc0001", "tc0002", "tc0003", "tc0004"}
    for row in table:
        assert (studio[0] / "movies" / f"{row['cmd_filename']}.mp4").is_file()
        assert float(row["scaled_start"]) <= float(row["start"]) < float(row["end"]) <= float(row["scaled_end"])
        assert float(row["scaled_end"]) - float(row["scaled_start"]) >= 2.0
        assert row["imdbid"][:2] == "tt" and len(row["imdbid"]) == 9 and row["text"] and row["movie_title"]


def test_cast_and_portraits_belong_to_the_movie(studio):
    cast = json.loads((studio[0] / "cast.json").read_text())
    config = CinemaConfig(seed=5, **TINY)
    for index, (key, people) in enumerate(sorted(cast.items())):
        assert {p["role"] for p in people} == {CHARACTERS[c].name for c in screenplay(config, index).cast}
        for person in people:
            assert set(person) == {"id", "name", "role", "portrait"} and key.startswith("tc")
            with Image.open(studio[0] / person["portrait"]) as face:
                assert face.size == (64, 64)


def test_splits_and_captions_name_what_is_there(studio):
    splits = json.loads((studio[0] / "splits.json").read_text())
    assert splits == {"train": ["tc0001", "tc0002"], "val": ["tc0003"], "test": ["tc0004"]}
    with (studio[0] / "stills" / "captions.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == 12 and all(row["text"] for row in table)
    assert [(row["file"], row["row"], row["column"]) for row in table] == [
        ("sheet-0000.jpg", "0", str(column)) for column in range(12)
    ]
    with Image.open(studio[0] / "stills" / "sheet-0000.jpg") as sheet:
        assert sheet.size == (SIDE * 32, 32)


def test_subtitles_are_subrip(studio):
    play = screenplay(CinemaConfig(seed=5, **TINY), 0)
    text = (studio[0] / "subtitles" / "tc0001.srt").read_text()
    assert text == srt(play.dialogue)
    assert text.startswith("1\n00:00:00,300 --> ") and text.count(" --> ") == len(play.dialogue)


def test_neighbouring_clips_look_alike():
    config = CinemaConfig(seed=1, scenes=(2, 2), clips=(3, 3))
    play = screenplay(config, 0)
    means = [shot.mean(axis=0) for shot in shots(config, play, 0)][1::2]

    def apart(a, b):
        return np.abs(means[a] - means[b]).mean()

    within = [apart(0, 1), apart(1, 2), apart(3, 4), apart(4, 5)]
    assert max(within) < min(apart(a, b) for a in range(3) for b in range(3, 6))


def test_movies_are_darker_and_duller_than_stills(tmp_path):
    config = CinemaConfig(seed=2, scenes=(4, 4), clips=(1, 1), stills=40)
    make_sheet(config, tmp_path, 0)
    stills = np.asarray(Image.open(tmp_path / "stills" / "sheet-0000.jpg"))[: 2 * config.still_size]
    film = np.concatenate([shot[::9] for shot in shots(config, screenplay(config, 0), 0)])
    assert film.mean() < 0.75 * stills.mean()
    colourful = [float((pixels.max(axis=-1) - pixels.min(axis=-1)).mean()) for pixels in (film, stills)]
    assert colourful[0] < 0.8 * colourful[1]


def test_all_people_props_and_places_can_be_told_apart():
    sprites = Sprites(64 / 96, 1.0)
    faces = [np.asarray(portrait(sprites, number, 32), float) for number in range(len(CHARACTERS))]
    things = []
    for number in range(len(PROPS)):
        canvas = Image.new("RGB", (32, 32), (128, 128, 128))
        cut = sprites.prop(number, True)
        canvas.paste(cut.colour, (16 + cut.left, 16 + cut.top), cut.opacity)
        things.append(np.asarray(canvas, float))
        assert min(cut.colour.size) >= 64 / 96 * 10 and max(cut.colour.size) >= 64 / 96 * 16
    grounds = [np.asarray(sprites.place(number), float) for number in range(len(PLACES))]
    for pictures in (faces, things, grounds):
        apart = [np.abs(a - b).mean() for i, a in enumerate(pictures) for b in pictures[:i]]
        assert min(apart) > 4


def test_light_falls_on_a_prop_in_its_stretch_only():
    shares = [lit((0.5, 0.75), frame, 32) for frame in range(32)]
    assert shares[:15] == [0.0] * 15 and max(shares) == 1.0 and shares[27:] == [0.0] * 5
    assert all(lit((0.0, 1.0), frame, 32) == 1.0 for frame in range(32))


def test_the_camera_stays_on_the_canvas_and_keeps_the_centre():
    sprites = Sprites(1.0, 4 / 3)
    canvas = Image.new("RGB", sprites.size, (10, 10, 10))
    for seed in range(40):
        course = move(np.random.default_rng(seed))
        for done in (0.0, 1.0):
            x, y, near = course.view(done, (1.0, -1.0))
            assert shoot(canvas, (x, y, near), sprites, (128, 96)).size == (128, 96)
            assert 1.0 <= near <= 1.15 and abs(x) + 48 * (1 - 1 / near) < 12 and abs(y) < 4


def test_night_is_darker_than_day_and_grain_is_seen():
    levels = [int(grade(light, 3).tones[-1]) for light in LEVELS]
    assert levels == sorted(levels, reverse=True)
    grain = Grain(np.random.default_rng(0), (64, 48))
    flat = np.full((2, 48, 64, 3), 120, np.uint8)
    grained = grain.add(flat, 6.0, np.random.default_rng(1)).astype(float)
    assert 4 < grained.std() < 8 and not np.array_equal(grained[0], grained[1])


def test_sound_is_loud_where_somebody_speaks():
    play = screenplay(CinemaConfig(**TINY), 0)
    wave = soundtrack(np.random.default_rng(0), play.duration, [line.span for line in play.dialogue])
    said, beat = play.dialogue[0].span, play.scenes[0].beats[0].span

    def loudness(span):
        return float(np.sqrt((wave[round(span.start * RATE) : round(span.end * RATE)] ** 2).mean()))

    assert len(wave) == round(play.duration * RATE) and np.abs(wave).max() <= 1
    assert loudness(said) > 5 * loudness(beat) > 0


def test_an_unknown_shape_is_refused():
    with pytest.raises(ValueError, match="star"):
        paint(ImageDraw.Draw(Image.new("RGB", (8, 8))), (("star", (0, 0), (1, 2, 3)),), (0, 0), 1)


@pytest.mark.parametrize(
    "wrong",
    [{"seed": -1}, {"train": -1}, {"scenes": (3, 2)}, {"clips": (0, 2)}, {"scenes": (4, 13)}, {"width": 127},
     {"width": 64}, {"height": 20}, {"frames_per_second": 1}, {"still_size": 8}, {"workers": 0}],
)  # fmt: skip
def test_a_config_that_cannot_be_filmed_is_refused(wrong):
    with pytest.raises(ValueError, match="got"):
        CinemaConfig(**wrong)


def test_a_still_that_cannot_be_written_is_said_so(tmp_path):
    (tmp_path / "stills" / "sheet-0000.jpg").mkdir(parents=True)  # in the way
    with pytest.raises(BadEnvironment, match=r"sheet-0000\.jpg"):
        make_sheet(CinemaConfig(**TINY), tmp_path, 0)
