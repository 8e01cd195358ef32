"""Features from elsewhere go the way that our own go, if they fit the tower; people are seen by their portraits."""

import json

import numpy as np
import pytest

from distinctad_jax.config import build
from distinctad_jax.data.datasets import Records
from distinctad_jax.toycinema import CinemaConfig, oracle
from distinctad_jax.toycinema.studio import screenplay

PAPERS = {"annotations": "annotations.csv", "cast": "cast.json", "splits": "splits.json"}


def folder_of(workdir, recipe):
    return next(path.parent for path in workdir.glob(f"{recipe}/*/artefact.json"))


def extracted(workdir, kept=()):
    folders = [path.parent for path in workdir.glob("extract/*/artefact.json")]
    return next(folder / "records" for folder in folders if folder not in kept)


@pytest.mark.parametrize("width", [0, 7])
def test_stored_features_are_extracted_as_they_are_or_refused(workdir, tmp_path, command, capsys, width):
    films, before = folder_of(workdir, "render"), [path.parent for path in workdir.glob("extract/*/artefact.json")]
    own = Records(extracted(workdir), "train")
    (tmp_path / "features").mkdir()
    for movies in json.loads((films / "splits.json").read_text()).values():
        for movie in movies:
            vectors = np.arange(3000, dtype=np.float32)[:, None].repeat(width or own.feature_width, axis=1)
            np.save(tmp_path / "features" / f"{movie}.npy", vectors)
    arguments = [f"--config.pack.{name}={films / path}" for name, path in PAPERS.items()]
    arguments += ["--config.pack.source=files", f"--config.pack.features={tmp_path / 'features'}"]
    arguments += ["--config.pack.features_tower=somebodys", "--config.extract.tower=pretrain"]
    code = command("extract:tiny", workdir, *arguments)
    if width:
        line = capsys.readouterr().err.splitlines()[-1]
        assert code == 3 and f"features of another tower: width 7, needed {own.feature_width}; " in line
        return
    assert code == 0
    found = Records(extracted(workdir, before), "train")
    assert found.metadata["fps"] == 5.0 and found.metadata["width"] == own.feature_width
    for clip, entry in zip(found.get(range(len(found))), own.index, strict=True):
        assert (clip.movie, clip.index) == (entry.movie, entry.index)
        assert clip.features[:, 0].tolist() == [round(5 * time) for time in clip.frame_times]
        assert clip.start - 0.2 <= clip.frame_times[0] and clip.frame_times[-1] <= clip.end + 0.2


def test_who_is_seen_is_told_by_portraits_with_precision_and_recall(workdir, command):
    before = [path.parent for path in workdir.glob("extract/*/artefact.json")]
    assert command("extract:tiny", workdir, "--config.extract.seen=portraits") == 0
    records = extracted(workdir, before)
    seen = json.loads((records.parent / "artefact.json").read_text())["results"]["seen"]
    assert set(seen) == {"threshold", "train", "val", "test"}
    test = Records(records, "test")
    assert test.metadata["seen"] == {"by": "portraits", "threshold": seen["threshold"]}
    assert sum(len(entry.seen) for entry in test.index) == seen["test"]["predicted"]
    assert all(set(entry.seen) <= set(entry.cast) for entry in test.index)


def test_an_adapter_learns_on_published_features_and_stage_two_reads_what_it_makes(workdir, tmp_path, command):
    h5py = pytest.importorskip("h5py")
    films, before = folder_of(workdir, "render"), [path.parent for path in workdir.glob("*/*/artefact.json")]
    width = Records(extracted(workdir), "train").feature_width
    rng, store = np.random.default_rng(0), tmp_path / "CLIP_L14_frames_features_5fps.h5"
    with h5py.File(store, "w") as file:
        for movies in json.loads((films / "splits.json").read_text()).values():
            for movie in movies:
                file[movie] = rng.normal(size=(3000, width)).astype(np.float32)
    arguments = [f"--config.pack.{name}={films / path}" for name, path in PAPERS.items()]
    arguments += ["--config.pack.source=files", f"--config.pack.features={store}", "--config.stage1.freeze=adapter"]
    # On the way, windows are read in time order and by a process of their own.
    arguments += ["--config.stage2.shuffle=movie", "--config.stage2.workers=1"]
    assert command("stage2:tiny", workdir, *arguments) == 0
    made = [path.parent for path in workdir.glob("*/*/artefact.json") if path.parent not in before]
    of = {name: [folder for folder in made if folder.parent.name == name] for name in ("pack", "extract", "stage2")}
    (packed,), (narrator,) = of["pack"], of["stage2"]
    stored = Records(packed / "records", "train")
    assert stored.metadata["tower"] == "vit-l-14" and stored.metadata["fps"] == 5.0
    passed, adapted = sorted(
        (Records(folder / "records", "train") for folder in of["extract"]),
        key=lambda records: records.metadata["tower"],
    )
    assert (passed.metadata["tower"], adapted.metadata["tower"]) == ("pretrain", "stage1")
    for row in (0, 5):
        given, plain, learnt = (records.get([row])[0] for records in (stored, passed, adapted))
        np.testing.assert_array_equal(given.features, plain.features)
        assert given.frame_times == learnt.frame_times and learnt.features.shape == given.features.shape
        assert not np.array_equal(learnt.features, given.features)  # two steps of learning show
    told = json.loads((narrator / "narrator" / "features.json").read_text())
    assert (told["tower"], told["width"], told["fps"]) == ("stage1", width, 5.0)


def test_an_oracle_stands_in_for_the_tower_and_is_not_taken_for_one(workdir, tmp_path, command, capsys):
    before = [path.parent for path in workdir.glob("extract/*/artefact.json")]
    assert command("stage2:tiny", workdir, "--config.extract.tower=oracle") == 0
    records = Records(extracted(workdir, before), "test")
    assert records.metadata["tower"] == "oracle" and records.feature_width == oracle.WIDTH
    films = json.loads((folder_of(workdir, "render") / "artefact.json").read_text())["settings"]
    clip = records.get([3])[0]
    play = screenplay(build(CinemaConfig, films, "films"), int(clip.movie[2:]) - 1)
    wanted = oracle.features(play, films["frames_per_second"], np.asarray(clip.frame_times))
    np.testing.assert_allclose(clip.features, wanted, atol=1e-2)
    assert command("narrate:tiny", workdir, "--config.extract.tower=oracle") == 3
    assert "features of another tower" in capsys.readouterr().err.splitlines()[-1]
    assert command("extract:tiny", workdir, "--config.extract.tower=oracle", "--config.extract.seen=portraits") == 2
