"""Packing: the same bytes however the work is shared out and however often it is killed; bad clips are counted."""

import contextlib
import pickle
import random
import signal
import subprocess
import sys
import tarfile
import types

import numpy as np
import pytest
import simplejpeg
import tensorflow_datasets as tfds
from made_films import numbered, write_film
from PIL import Image
from places import REPOSITORY

from distinctad_jax.data.builder import DistinctadJax, data_folder
from distinctad_jax.data.clips import FeatureClips, PixelClips
from distinctad_jax.data.datasets import Records, pack_records
from distinctad_jax.data.shards import plan
from distinctad_jax.errors import BadInput
from distinctad_jax.movie.movie import Clip, Footage, Line, Movie, Person
from distinctad_jax.movie.span import Span

MAKE = PixelClips(frames=2, size=16, quality=90)


def movie(path, key, clips=3, seconds=1.0):
    spans = [Span(seconds * i, seconds * (i + 1)) for i in range(clips)]
    found = tuple(Clip(key, i, span, f"She waits in {key}, {i}.") for i, span in enumerate(spans))
    return Movie(key, path, found, (Line(Span(0.5, 0.9), "Hello."),), (Person("Ada Lamb"),))


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Five films of 3 s at 8 pictures a second."""
    folder = tmp_path_factory.mktemp("films")
    times = [i / 8 for i in range(24)]
    return [
        movie(write_film(folder / f"m{n}.mp4", [numbered(24 * n + i) for i in range(24)], times), f"m{n}")
        for n in range(5)
    ]


def pack(folder, films, **changes):
    splits = {"train": films[:4], "test": films[4:]}
    settings = {"description": "test", "metadata": {}, "identity": "1", "per_shard": 4, **changes}
    return pack_records(folder, "pixels", splits, settings.pop("make", MAKE), **settings)


def names(folder):
    return [path.name for path in folder.iterdir()]


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def undisturbed(films, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed") / "records"
    assert pack(folder, films) == []
    return content(folder)


def test_the_bytes_do_not_depend_on_the_workers(films, undisturbed, tmp_path):
    heard = []
    pack(tmp_path / "records", films, workers=3, progress=lambda done, count: heard.append((done, count)))
    assert content(tmp_path / "records") == undisturbed
    assert heard[-1] == (15, 15) and len([name for name in undisturbed if ".array_record-" in name]) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["records"]


def test_tfds_itself_writes_the_same_records(films, undisturbed, tmp_path):
    def maker(shard):
        return lambda: (clip for film in shard.movies for clip in MAKE(film, []))

    shards = {"train": [], "test": []}
    for shard in plan({"train": films[:4], "test": films[4:]}, 4):
        shards[shard.split].append(maker(shard))
    builder = DistinctadJax(config="pixels", data_dir=tmp_path, shards=shards)
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(try_download_gcs=False))
    written = {path.name: path.read_bytes() for path in data_folder(tmp_path, "pixels").glob("*.array_record-*")}
    ours = {name.split("/")[-1]: found for name, found in undisturbed.items() if ".array_record-" in name}
    assert written == ours and len(ours) == 3


def test_the_metadata_lead_from_a_movie_to_its_rows(films, tmp_path):
    pack(tmp_path / "r", films)
    for builder in (
        tfds.builder("distinctad_jax", data_dir=tmp_path / "r"),
        tfds.builder("distinctad_jax/pixels:1.0.0", data_dir=tmp_path / "r"),
        tfds.builder_from_directory(data_folder(tmp_path / "r", "pixels")),
    ):
        assert builder.info.metadata["movies"]["train"] == {f"m{n}": [3 * n, 3 * n + 3] for n in range(4)}
        source = builder.as_data_source(split="train")
        first, stop = builder.info.metadata["movies"]["train"]["m2"]
        assert [source[row]["movie"] for row in range(first, stop)] == [b"m2"] * 3
        assert builder.info.splits["train"].num_examples == 12
    card = (tmp_path / "r" / "README.md").read_text()
    assert "| train | 4 | 12 |" in card and "builder_from_directory" in card


KILLED = """
import os, pickle, signal, sys
from pathlib import Path
from distinctad_jax.data import shards, datasets
folder, films, at = sys.argv[1], pickle.load(open(sys.argv[2], "rb")), sys.argv[3]
die = lambda: os.kill(os.getpid(), signal.SIGKILL)
from distinctad_jax.data.clips import PixelClips
make = PixelClips(2, 16, 90)
class Dying:
    left = int(at) if at.isdigit() else 10**9
    def __call__(self, movie, bad):
        for clip in make(movie, bad):
            if Dying.left == 0:
                die()
            Dying.left -= 1
            yield clip
if at == "end":
    datasets.put_together = lambda *_: die()
if at == "index":
    shards.Ledger.write = lambda *_: die()
datasets.pack_records(Path(folder), "pixels", {"train": films[:4], "test": films[4:]}, Dying(),
                      description="test", metadata={}, identity="1", per_shard=4)
"""


@pytest.mark.parametrize("at", ["8", "end", "index"])
def test_a_killed_run_goes_on_and_ends_at_the_same_bytes(films, undisturbed, tmp_path, at):
    (tmp_path / "films").write_bytes(pickle.dumps(films))
    folder = tmp_path / "out" / "records"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), str(tmp_path / "films"), at], cwd=REPOSITORY, check=False
    )
    assert done.returncode == -signal.SIGKILL and not folder.exists()
    left = content(folder.parent / ".records.partial")
    assert any(name.startswith("accounts/") for name in left) or at == "index"
    made = []

    def counted(film, bad):
        made.append(film.key)
        yield from MAKE(film, bad)

    pack(folder, films, make=counted)
    assert content(folder) == undisturbed
    if at == "8":
        assert made == ["m2", "m3", "m4"]  # the finished shard of m0 and m1 is kept
    assert names(folder.parent) == ["records"]


class _Step:
    """A stage of a Beam pipeline that runs at once; Beam itself is tried in test_beam.py, in its own environment."""

    def __init__(self, apply):
        self.apply = apply

    def __rrshift__(self, name):
        return self

    def __ror__(self, values):
        return self.apply(values)


def test_options_of_any_runner_reach_beam_as_they_are(films, undisturbed, tmp_path, monkeypatch):
    given = []
    beam = types.ModuleType("apache_beam")
    told = types.SimpleNamespace(PipelineOptions=lambda flags: flags)
    beam.options = types.SimpleNamespace(pipeline_options=told)
    beam.Pipeline = lambda options: contextlib.nullcontext(given.append(options))
    beam.Create = lambda values: _Step(lambda _: values)
    beam.Reshuffle = lambda: _Step(lambda values: values)
    beam.Map = lambda make: _Step(lambda values: [make(value) for value in values])
    monkeypatch.setitem(sys.modules, "apache_beam", beam)
    flags = ["--runner=FlinkRunner", "--flink_master=host:8081", "--environment_type=DOCKER"]
    pack(tmp_path / "records", films, beam=flags)
    assert given == [flags] and content(tmp_path / "records") == undisturbed


KILLED_AT_FILES = """
import os, pickle, signal, sys
from pathlib import Path
from distinctad_jax.data import datasets
from distinctad_jax.data.clips import PixelClips
folder, films, left = Path(sys.argv[1]), pickle.load(open(sys.argv[2], "rb")), int(sys.argv[3])
ours = str(folder.parent)
def watch(event, facts):
    global left
    if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree") and ours in str(facts):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
datasets.pack_records(folder, "pixels", {"train": films[:4], "test": films[4:]}, PixelClips(2, 16, 90),
                      description="test", metadata={}, identity="1", per_shard=4, workers=2)
"""


def test_killed_again_and_again_at_any_file_it_ends_at_the_same_bytes(films, undisturbed, tmp_path):
    """Killed as it opens, renames or removes a file, each time at another one, drawn by chance."""
    (tmp_path / "films").write_bytes(pickle.dumps(films))
    folder, draw, killed = tmp_path / "out" / "records", random.Random(11), 0
    for _ in range(4):
        line = [sys.executable, "-c", KILLED_AT_FILES, folder, tmp_path / "films", draw.randint(2, 30)]
        done = subprocess.run(list(map(str, line)), cwd=REPOSITORY, check=False)
        killed += done.returncode == -signal.SIGKILL
        assert done.returncode in (0, -signal.SIGKILL)
    assert killed >= 2
    pack(folder, films)
    assert content(folder) == undisturbed and names(folder.parent) == ["records"]


def test_what_another_run_left_is_not_gone_on_from(films, undisturbed, tmp_path):
    def stopping(film, bad):
        if film.key == "m2":
            raise KeyboardInterrupt
        yield from MAKE(film, bad)

    with pytest.raises(KeyboardInterrupt):
        pack(tmp_path / "records", films, make=stopping, identity="other")
    assert names(tmp_path) == [".records.partial"]
    pack(tmp_path / "records", films)
    assert content(tmp_path / "records") == undisturbed


def test_a_film_that_cannot_be_read_is_counted_or_stops_the_run(films, tmp_path):
    broken = tmp_path / "m9.mp4"
    broken.write_bytes(b"noise" * 1000)
    with pytest.raises(BadInput, match=r"3 of 15 clips are bad, 1.00% may be") as caught:
        pack(tmp_path / "records", [*films[:3], movie(broken, "m9"), films[4]])
    assert str(caught.value).startswith(f"{broken}: no frame of 0.000-1.000 s")
    assert names(tmp_path) == ["m9.mp4"]
    bad = pack(tmp_path / "records", [*films[:3], movie(broken, "m9"), films[4]], most_bad=0.2)
    assert [(clip.movie, clip.start) for clip in bad] == [("m9", 0.0), ("m9", 1.0), ("m9", 2.0)]
    assert list(Records(tmp_path / "records", "train").movies) == ["m0", "m1", "m2"]


def test_as_many_clips_as_may_be_bad_are_no_error(films, tmp_path):
    bad = pack(
        tmp_path / "records", [*films[:3], movie(tmp_path / "no.mp4", "m9"), films[4]], most_bad=3 / 15 - 1e-12
    )
    assert len(bad) == 3


def test_clips_past_a_break_are_left_out_and_the_others_kept(films, tmp_path):
    path = write_film(tmp_path / "long.mkv", [numbered(i % 64) for i in range(240)], [i / 8 for i in range(240)])
    path.write_bytes(path.read_bytes()[: int(0.6 * path.stat().st_size)])
    bad = []
    kept = list(MAKE(movie(path, "long", clips=30), bad))
    assert len(kept) + len(bad) == 30 and kept and bad
    assert [clip.index for clip in kept] == list(range(len(kept)))  # in time order, and the first ones
    assert all(clip.start >= kept[-1].start for clip in bad)


@pytest.mark.parametrize("suffix", ["mp4", "ts"])
def test_clips_that_begin_after_the_film_are_left_out_and_told(tmp_path, suffix):
    path = write_film(tmp_path / f"short.{suffix}", [numbered(i) for i in range(48)], [i / 24 for i in range(48)])
    film, bad = movie(path, "short", clips=8, seconds=0.9), []  # the third begins in the film and ends after it
    assert [clip.index for clip in MAKE(film, bad)] == [0, 1, 2]
    assert [clip.start for clip in bad] == [clip.span.start for clip in film.clips[3:]]
    assert {clip.why for clip in bad} == {"5 spans begin after the film's end at 00:00:02.000"}


def test_numbered_pictures_in_folders_and_tars_are_read_alike(tmp_path):
    folder = tmp_path / "seg"
    folder.mkdir()
    for number in range(1, 9):
        Image.new("RGB", (40, 30), (25 * number, 0, 0)).save(folder / f"{number:05d}.jpg", quality=95)
    with tarfile.open(tmp_path / "seg2.tar", "w") as tar:
        tar.add(folder, "deep/seg2")
    numbers = (2, 2, 3, 3, 5, 8, 8, 8)
    found = []
    for path in (folder, tmp_path / "seg2.tar"):
        clip = Clip("e1", 0, Span(100.0, 104.0), "He sits.", Footage(path, numbers))
        (made,) = PixelClips(4, 16, 95)(Movie("e1", None, (clip,)), [])
        reds = [int(np.median(simplejpeg.decode_jpeg(jpeg)[..., 0])) for jpeg in made.frames]
        assert reds == pytest.approx([50, 75, 200, 200], abs=3)  # the middles of four parts of the list
        assert made.frame_times == pytest.approx([100, 100 + 1 / 3, 102, 102], abs=1e-3)
        found.append(made.frames)
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("centres", [2, 4, 6, 8, 10, 12, 14, 16]),
        ("autoad", [1, 3, 5, 7, 9, 11, 13, 15]),  # the even ones of sixteen, as AutoAD-Zero's readers take
        ("endpoints", [1, 3, 5, 7, 9, 11, 13, 16]),
    ],
)
def test_the_rule_chooses_among_numbered_pictures_too(tmp_path, rule, expected):
    for number in range(1, 17):
        Image.new("RGB", (16, 16), (15 * number, 0, 0)).save(tmp_path / f"{number:05d}.jpg", quality=95)
    clip = Clip("e1", 0, Span(0.0, 6.0), "He sits.", Footage(tmp_path, tuple(range(1, 17))))
    (made,) = PixelClips(8, 16, 95, rule)(Movie("e1", None, (clip,)), [])
    reds = [int(np.median(simplejpeg.decode_jpeg(jpeg)[..., 0])) for jpeg in made.frames]
    assert reds == pytest.approx([15 * number for number in expected], abs=4)


@pytest.mark.parametrize("kind", ["missing", "damaged", "link", "no tar"])
def test_a_picture_that_is_not_there_is_a_bad_clip(tmp_path, kind):
    folder = tmp_path / "seg"
    folder.mkdir()
    Image.new("RGB", (40, 30)).save(folder / "00001.jpg")
    if kind == "damaged":
        (folder / "00002.jpg").write_bytes(b"noise")
    if kind == "link":
        Image.new("RGB", (40, 30)).save(tmp_path / "secret.jpg")
        (folder / "00002.jpg").symlink_to(tmp_path / "secret.jpg")
    if kind == "no tar":
        folder = tmp_path / "seg.tar"
        folder.write_bytes(b"noise" * 300)
    clips = tuple(Clip("e1", i, Span(i, i + 1.0), "He sits.", Footage(folder, (n, n))) for i, n in enumerate((1, 2)))
    bad = []
    kept = list(PixelClips(1, 16, 95)(Movie("e1", None, clips), bad))
    assert len(kept) == (0 if kind == "no tar" else 1) and bad[-1].start == 1.0 and str(folder) in bad[-1].file


def test_clips_with_a_file_of_their_own_are_read_from_its_start(films, tmp_path):
    path = films[1].video
    clips = tuple(
        Clip(
            "film", i, Span(50.0 + 9 * i, 52.0 + 9 * i), "He sits.", Footage(path if i == 0 else tmp_path / "no.avi")
        )
        for i in range(2)
    )
    bad = []
    (made,) = PixelClips(2, 16, 95)(Movie("film", None, clips), bad)
    assert made.frame_times == pytest.approx([50.5, 51.5], abs=1e-3) and made.start == 50.0
    assert [(clip.file, clip.why) for clip in bad] == [(str(tmp_path / "no.avi"), "no such file")]


def test_stored_features_are_sliced_at_five_a_second(tmp_path):
    np.save(tmp_path / "film.npy", np.arange(50, dtype=np.float32)[:, None].repeat(4, axis=1))
    spans = [Span(0.0, 2.0), Span(3.3, 3.7), Span(9.0, 12.0), Span(11.0, 12.0)]
    film = Movie("film", None, tuple(Clip("film", i, span, "He sits.") for i, span in enumerate(spans)))
    bad = []
    made = list(FeatureClips(tmp_path, 4, 5.0, 4)(film, bad))
    rows = [clip.features[:, 0].tolist() for clip in made]
    assert rows == [[1, 3, 6, 8], [16, 17, 17, 18], [46, 49, 49, 49]]
    assert made[0].frame_times == pytest.approx([0.2, 0.6, 1.2, 1.6])
    assert [(clip.start, clip.why) for clip in bad] == [(11.0, "the features end at 10.0 s")]
    assert [clip.why for clip in _bad_of(FeatureClips(tmp_path, 4, 5.0, 6), film)] == [
        "features of width 4, needed 6"
    ] * 4


def test_features_are_cut_off_before_autoad_chooses_and_bad_numbers_cost_their_clips_only(tmp_path):
    vectors = np.arange(103, dtype=np.float32)[:, None].repeat(4, axis=1)
    vectors[50] = np.nan
    np.save(tmp_path / "film.npy", vectors)
    spans = [Span(9.0, 10.4), Span(11.9, 20.9)]
    film, bad = Movie("film", None, tuple(Clip("film", i, span, "He sits.") for i, span in enumerate(spans))), []
    (made,) = FeatureClips(tmp_path, 8, 5.0, 4, "autoad")(film, bad)
    assert made.features[:, 0].tolist() == np.linspace(59, 103, 8, endpoint=False).astype(int).tolist()
    assert [(clip.start, clip.why) for clip in bad] == [(9.0, "film: numbers that are not finite")]


def _bad_of(make, film):
    bad = []
    assert list(make(film, bad)) == []
    return bad
