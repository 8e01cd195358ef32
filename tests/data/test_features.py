"""Stored features: HDF5 and .npy read alike, and features of another tower are refused in one line."""

import numpy as np
import pytest

from distinctad_jax.data.features import Provenance, chosen_frames, is_normalised, named_tower, opened_store
from distinctad_jax.errors import BadInput
from distinctad_jax.movie.span import Span

h5py = pytest.importorskip("h5py", reason='the extra "h5" is not installed')
OURS = Provenance("vit-l-14", "a" * 64, 768, 5.0, False)


@pytest.fixture(params=["h5", "npy"])
def store(tmp_path, request):
    rng = np.random.default_rng(0)
    arrays = {"film": rng.normal(size=(20, 6)), "unit": np.eye(6)}
    if request.param == "npy":
        for name, array in arrays.items():
            np.save(tmp_path / f"{name}.npy", array.astype(np.float32))
        (tmp_path / "evil.npy").write_bytes(np.array([object()], dtype=object).dumps())
        np.save(tmp_path / "flat.npy", np.zeros(3, np.float32))
        path = tmp_path
    else:
        path = tmp_path / "CLIP_L14_frames_features_5fps.h5"
        with h5py.File(tmp_path / "secret.h5", "w") as file:
            file["film"] = np.ones((3, 6), np.float32)
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array.astype(np.float32)
            file["evil"] = h5py.ExternalLink("secret.h5", "film")
            file["flat"] = np.zeros(3, np.float32)
    with opened_store(path) as found:
        yield found, arrays


def test_features_of_a_movie_are_read(store):
    found, arrays = store
    assert {"film", "unit"} <= set(found.movies()) and found.shape("film") == (20, 6)
    np.testing.assert_allclose(found.read("film", 3, 7), arrays["film"][3:7], rtol=1e-6)
    assert not is_normalised(found, "film") and is_normalised(found, "unit")


@pytest.mark.parametrize("kind", ["h5", "npy"])
def test_names_with_a_slash_are_found_and_lead_through_no_link(tmp_path, kind):
    path, array = tmp_path / "store", np.ones((3, 6), np.float32)
    if kind == "npy":
        (path / "2014").mkdir(parents=True)
        np.save(path / "2014" / "a.b.npy", array)
    else:
        path = tmp_path / "store.h5"
        with h5py.File(tmp_path / "secret.h5", "w") as file:
            file["film"] = array
        with h5py.File(path, "w") as file:
            file["2014/a.b"], file["out"] = array, h5py.ExternalLink("secret.h5", "/")
    with opened_store(path) as found:
        assert "2014/a.b" in found.movies() and found.shape("2014/a.b") == (3, 6)
        with pytest.raises(BadInput, match="no features"):
            found.shape("out/film")


@pytest.mark.parametrize("movie", ["evil", "flat", "nobody", "../film"])
def test_what_is_no_table_of_vectors_is_refused(store, movie):
    with pytest.raises(BadInput) as caught:
        store[0].read(movie)
    assert "\n" not in str(caught.value) and caught.value.mend


@pytest.mark.parametrize("content", [b"", b"noise" * 100])
def test_a_file_that_is_no_hdf5_is_refused(tmp_path, content):
    path = tmp_path / "a.h5"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="no HDF5"), opened_store(path):
        pass


def test_the_tower_of_mads_files_is_told_by_their_names(tmp_path):
    assert named_tower(tmp_path / "CLIP_L14_frames_features_5fps.h5") == "vit-l-14"
    assert named_tower(tmp_path / "CLIP_B32_frames_features_5fps.h5") == "vit-b-32"
    assert named_tower(tmp_path / "CLIP_frames_features_5fps.h5") == ""


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"width": 512}, "width 512, needed 768"),
        ({"normalised": True}, "normalised True, needed False"),
        ({"tower": "vit-b-32"}, "tower 'vit-b-32', needed 'vit-l-14'"),
        ({"weights_sha256": "b" * 64}, "weights bbbbbbbbbbbb, needed aaaaaaaaaaaa"),
    ],
)
def test_features_of_another_tower_are_refused_in_one_line(changes, says):
    found = Provenance.of({**OURS.told(), **changes}, "here")
    with pytest.raises(BadInput, match=says) as caught:
        OURS.check(found, "records")
    assert str(caught.value).startswith("records: features of another tower: ") and "\n" not in str(caught.value)
    OURS.check(Provenance.of({**OURS.told(), "weights_sha256": ""}, "here"), "records")  # nobody knows MAD's
    with pytest.raises(BadInput, match="does not say"):
        Provenance.of({}, "here")


def test_a_clip_takes_whole_rows_within_its_span_and_the_features():
    assert chosen_frames(Span(1.0, 2.0), 4, [1.1, 1.3, 1.7, 1.9], 5.0, 100) == [5, 6, 8, 9]
    assert chosen_frames(Span(1.0, 2.0), 2, [1.0, 3.0], 5.0, 8) == [5, 7]
    assert chosen_frames(Span(5.0, 6.0), 2, [5.2, 5.7], 5.0, 20) == []
