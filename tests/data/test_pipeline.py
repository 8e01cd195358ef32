"""Streams of batches: functions of seed and step, whoever makes them."""

import itertools

import numpy as np
import pytest
from made_records import (
    FRAMES,
    MOVIES,
    SIZE,
    assert_same,
    drawn,
    features,
    jpegs,
)

from distinctad_jax.data.datasets import ClipRecord
from distinctad_jax.data.pipeline import (
    NEIGHBOURHOOD,
    MovieOrder,
    SpreadOrder,
    clip_batches,
    decode_frames,
)
from distinctad_jax.errors import BadInput


@pytest.mark.parametrize("threads", [0, 1, 7])
def test_batches_do_not_depend_on_threads(make_windows, make_clips, threads):
    assert_same(drawn(make_windows(threads=threads), 9), drawn(make_windows(), 9))
    assert_same(drawn(make_clips(threads=threads), 9), drawn(make_clips(), 9))


@pytest.mark.parametrize("step", [0, 1, 6, 13])
def test_seeking_equals_running(make_windows, make_clips, step):
    for make in (make_windows, make_clips):
        for changes in ({}, {"spread": False, "augment_shift": True}) if make is make_clips else ({},):
            ran = drawn(make(**changes), step + 3)[step:]
            batches = make(**changes)
            batches.next()  # a position that must be forgotten
            batches.seek(step)
            assert batches.step == step
            assert_same(drawn(batches, 3), ran)


def test_the_seed_decides_the_order(make_windows):
    first, second = (drawn(make_windows(seed=seed), 4) for seed in (3, 4))
    assert any((one["row"] != other["row"]).any() for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize("hosts", [2, 4])
def test_hosts_share_the_same_global_batches(make_windows, hosts):
    whole = drawn(make_windows(), 6)
    parts = [drawn(make_windows(host=host, hosts=hosts), 6) for host in range(hosts)]
    for step, batch in enumerate(whole):
        shared = np.concatenate([part[step]["row"] for part in parts])
        assert sorted(map(tuple, shared.tolist())) == sorted(map(tuple, batch["row"].tolist()))
    with pytest.raises(ValueError, match="evenly"):
        make_windows(host=0, hosts=3)


def test_an_epoch_has_every_window_once_in_a_new_order(make_windows):
    batches = make_windows(batch=1)
    assert batches.items == 8 + 4 + 1
    rows = [tuple(batch["row"][0].tolist()) for batch in drawn(batches, 2 * batches.items)]
    first, second = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    assert sorted(first) == sorted(second) and len(set(first)) == len(first)
    assert first != second


@pytest.mark.parametrize("spread", [True, False])
def test_an_epoch_has_every_clip_once_in_a_new_order(make_clips, spread):
    rows = [int(batch["row"][0]) for batch in drawn(make_clips(batch=1, spread=spread), 40)]
    assert sorted(rows[:20]) == sorted(rows[20:]) == list(range(20))
    assert rows[:20] != rows[20:]


def test_clips_hold_their_frames_words_and_row(make_clips, records, clip):
    for batch in drawn(make_clips(), 4):
        assert batch["frames"].shape == (5, 2, SIZE, SIZE, 3) and batch["frames"].dtype == np.uint8
        assert batch["frames_real"].all()
        for place, row in enumerate(batch["row"]):
            entry = records["pixels"].index[row]
            colours = batch["frames"][place].mean(axis=(1, 2, 3))
            np.testing.assert_allclose(colours, [20 * entry.index + 1, 20 * entry.index + 3], atol=2)
            ids, real = batch["text_ids"][place], batch["words_real"][place]
            assert ids[0] == clip.start and ids[real].tolist() == clip.encode(entry.text)[:22]


def test_clips_of_features_come_without_pixels(records, clip):
    settings = {"tokenizer": clip, "batch": 4, "frames": FRAMES, "image_size": SIZE, "text_length": 24}
    batch = drawn(clip_batches(records["features"], seed=0, **settings), 1)[0]
    assert "frames" not in batch and batch["features"].dtype == np.float32
    for place, row in enumerate(batch["row"]):
        entry = records["features"].index[row]
        real = batch["frames_real"][place]
        assert batch["features"][place][real][0, 0] == features(entry.movie, entry.index)[0, 0]
        assert not batch["features"][place][~real].any()


def test_equal_texts_and_only_they_share_a_number(make_clips, records):
    for batch in drawn(make_clips(batch=10), 6):
        texts = [records["pixels"].index[row].text for row in batch["row"]]
        same = batch["same_text"][:, None] == batch["same_text"]
        np.testing.assert_array_equal(same, [[one == other for other in texts] for one in texts])


def test_shifted_frames_stay_in_their_segment(make_clips):
    found = set()
    for batch in drawn(make_clips(augment_shift=True, frames=2), 8):
        colours = np.rint(batch["frames"].mean(axis=(2, 3, 4))).astype(int)
        first, second = (colours % 20).T
        assert (first <= 2).all() and (second >= 2).all()
        found |= set(first.tolist()) | set(second.tolist())
    assert found == {0, 1, 2, 3, 4}


def test_a_frame_of_another_size_names_clip_and_option(make_clips):
    batches = make_clips(image_size=SIZE * 2)
    with pytest.raises(
        BadInput, match=r"train:\w+:\d+: a frame of 16 x 16 pixels, needed 32 x 32; .*pack\.image_size"
    ):
        batches.next()
    batches.close()


def test_a_frame_that_is_no_jpeg_is_an_input_fault():
    broken = ClipRecord("m", 4, 0.0, 1.0, "x", (0.0,), frames=[b"not a picture"])
    with pytest.raises(BadInput, match="records:m:4: a frame is not a JPEG"):
        decode_frames(broken, SIZE)
    half = ClipRecord("m", 4, 0.0, 1.0, "x", (0.0,), frames=[jpegs(0)[0][:200]])
    with pytest.raises(BadInput, match="records:m:4"):
        decode_frames(half, SIZE)


def test_spreading_keeps_neighbours_out_of_a_batch():
    movies = [range(100), range(100, 140), range(140, 400)]
    order = SpreadOrder(movies, 16, 0)
    stream = [order(position) for position in range(800)]
    assert sorted(stream[:400]) == sorted(stream[400:]) == list(range(400))
    owner = {row: number for number, movie in enumerate(movies) for row in movie}

    def near(rows):
        return sum(
            owner[one] == owner[other] and abs(one - other) < NEIGHBOURHOOD
            for one, other in itertools.combinations(rows, 2)
        )

    spread = sum(near(stream[first : first + 16]) for first in range(0, 800, 16))
    plain = np.random.default_rng(0).permutation(400).tolist()
    assert spread <= 0.1 * 2 * sum(near(plain[first : first + 16]) for first in range(0, 400, 16))
    assert [SpreadOrder(movies, 16, 0)(position) for position in (799, 3)] == [stream[799], stream[3]]


def test_worker_processes_give_the_same_batches(make_windows, make_clips):
    assert_same(drawn(make_windows(workers=2), 3), drawn(make_windows(), 3))
    shifted = drawn(make_clips(augment_shift=True), 6)
    batches = make_clips(augment_shift=True, workers=1)
    batches.seek(4)
    assert_same(drawn(batches, 2), shifted[4:])


def test_movies_come_one_after_the_other_in_a_new_order(make_windows):
    batches = make_windows(batch=1, shuffle="movie")
    rows = [batch["row"][0].tolist() for batch in drawn(batches, 2 * batches.items)]
    for epoch in (rows[: batches.items], rows[batches.items :]):
        assert sorted(map(tuple, epoch)) == sorted(map(tuple, rows[: batches.items]))
        firsts = [row[0] for row in epoch]
        jumps = [after - before for before, after in itertools.pairwise(firsts) if after != before + 1]
        assert len(jumps) <= len(MOVIES) - 1  # within a movie each window begins a clip later
    assert_same(drawn(make_windows(shuffle="movie", threads=0), 9), drawn(make_windows(shuffle="movie"), 9))
    order = MovieOrder([range(3), range(3, 5), range(5, 9)], 1)
    orders = {tuple(order(9 * epoch + place) for place in range(9)) for epoch in range(8)}
    assert len(orders) > 2 and all(sorted(found) == list(range(9)) for found in orders)
    with pytest.raises(ValueError, match="shuffle"):
        make_windows(shuffle="clip")


def test_movies_stream_can_be_sought_and_shared(make_windows):
    ran = drawn(make_windows(shuffle="movie"), 9)
    batches = make_windows(shuffle="movie")
    batches.seek(6)
    assert_same(drawn(batches, 3), ran[6:])
    parts = [drawn(make_windows(shuffle="movie", host=host, hosts=2), 4) for host in range(2)]
    for step in range(4):
        shared = np.concatenate([part[step]["row"] for part in parts])
        assert sorted(map(tuple, shared.tolist())) == sorted(map(tuple, ran[step]["row"].tolist()))
