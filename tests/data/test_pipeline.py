import itertools

import numpy as np
import pytest
import simplejpeg

from distinctad_jax.data import windows as windows_module
from distinctad_jax.data.datasets import ClipRecord, Records, write_records
from distinctad_jax.data.pipeline import (
    NEIGHBOURHOOD,
    SpreadOrder,
    clip_batches,
    clip_pass,
    decode_frames,
    evaluation_batches,
    window_batches,
)
from distinctad_jax.data.windows import Descriptions, WindowShape, frame_choice
from distinctad_jax.errors import BadInput
from distinctad_jax.text.distinct import DistinctConfig, context_only, distinctive, words
from distinctad_jax.text.prompt import INSTRUCTION, NamesConfig, names_prompt
from distinctad_jax.text.tokenizers import train_tokenizer

WIDTH, FRAMES, SIZE = 6, 3, 16
MOVIES = {"long": 11, "middle": 7, "short": 2}
CAST = ("Anna Bell", "Dr. Tom Gray", "Ida")
THINGS = ["lamp", "letter", "door", "stove", "apple", "ladder", "bottle", "mirror", "basket", "candle", "hammer"]
VERBS = ["lifts", "drops"]


def text(movie, index):
    if movie == "short":
        return "Anna lifts the lamp."
    who, verb = ("Anna", "Tom", "He")[index % 3], VERBS[index % 2]
    return f"{who} {verb} the {THINGS[index]}'s ⟨half-open⟩ {THINGS[index // 3]}."


def features(movie, index):
    first = 1000 * list(MOVIES).index(movie) + 10 * index
    frames = 5 if index == 1 else FRAMES if index != 2 else 1
    return np.arange(first, first + frames, dtype=np.float16)[:, None].repeat(WIDTH, axis=1)


def jpegs(index, size=SIZE):
    return [simplejpeg.encode_jpeg(np.full((size, size, 3), 20 * index + k, np.uint8), quality=100) for k in range(5)]


def made(pixels):
    for movie, count in MOVIES.items():
        for index in range(count):
            seen = {"frames": jpegs(index)} if pixels else {"features": features(movie, index)}
            times = np.arange(len(next(iter(seen.values()))), dtype=np.float64)
            start = 10.0 * index
            yield ClipRecord(movie, index, start, start + 2.0, text(movie, index), times, cast=CAST, **seen)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    write_records(folder / "f", "features", {"train": made(False)}, description="", metadata={}, feature_width=WIDTH)
    write_records(folder / "p", "pixels", {"train": made(True)}, description="", metadata={})
    return {"features": Records(folder / "f", "train"), "pixels": Records(folder / "p", "train")}


SENTENCES = [text(movie, index) for movie, count in MOVIES.items() for index in range(count)]


@pytest.fixture(scope="module")
def gpt2():
    return train_tokenizer(SENTENCES, "gpt2", 300)  # so small that most words are several pieces


@pytest.fixture(scope="module")
def clip():
    return train_tokenizer(SENTENCES, "clip", 600)


@pytest.fixture
def make_windows(records, gpt2):
    def make(kind=window_batches, **changes):
        settings = {
            "tokenizer": gpt2,
            "batch": 4,
            "clips": 4,
            "frames": FRAMES,
            "text_length": 64,
            "prompt_length": 64,
            "distinct": DistinctConfig(),
            "names": NamesConfig(dropout=0.5),
        }
        settings |= {"seed": 3, "stride": 1} if kind is window_batches else {"policy": "block"}
        return kind(records["features"], **{**settings, **changes})

    return make


@pytest.fixture
def make_clips(records, clip):
    def make(**changes):
        settings = {"tokenizer": clip, "batch": 5, "frames": 2, "image_size": SIZE, "text_length": 24, "seed": 3}
        return clip_batches(records["pixels"], **{**settings, **changes})

    return make


def drawn(batches, count):
    try:
        return [batches.next() for _ in range(count)]
    finally:
        batches.close()


def assert_same(found, wanted):
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_windows_have_fixed_shapes_and_types(make_windows):
    batch = drawn(make_windows(), 1)[0]
    found = {name: (array.dtype.name, array.shape) for name, array in batch.items()}
    ids, flags = ("int32", (4, 4, 64)), ("bool", (4, 4, 64))
    words_ids = {name: ("int32", (4, 4, n)) for name, n in (("distinct_ids", 24), ("context_ids", 96))}
    words_real = {name: ("bool", (4, 4, n)) for name, n in (("distinct_real", 24), ("context_real", 96))}
    assert found == {
        "features": ("float32", (4, 4, FRAMES, WIDTH)),
        "frames_real": ("bool", (4, 4, FRAMES)),
        "clips_real": ("bool", (4, 4)),
        "row": ("int32", (4, 4)),
        **dict.fromkeys(("prompt_ids", "text_ids"), ids),
        **dict.fromkeys(("prompt_real", "text_real", "distinctive"), flags),
        **words_ids,
        **words_real,
    }


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


def test_windows_never_cross_movies_and_hold_neighbours(make_windows, records):
    index = records["features"].index
    for batch in drawn(make_windows(), 12):
        for rows, real in zip(batch["row"], batch["clips_real"], strict=True):
            members = rows[real]
            assert len({index[row].movie for row in members}) == 1
            assert (np.diff(members) == 1).all()
            assert (rows[~real] == -1).all() and real[0]


def test_padding_clips_hold_nothing(make_windows):
    batches = [batch for batch in drawn(make_windows(), 8) if not batch["clips_real"].all()]
    assert batches
    for batch in batches:
        padding = ~batch["clips_real"]
        for name in ("frames_real", "prompt_real", "text_real", "distinctive", "distinct_real", "context_real"):
            assert not batch[name][padding].any(), name
        assert not batch["features"][padding].any()


def test_features_are_the_clips_own(make_windows, records):
    index = records["features"].index
    for batch in drawn(make_windows(), 4):
        for place in np.argwhere(batch["clips_real"]):
            entry = index[batch["row"][tuple(place)]]
            wanted = features(entry.movie, entry.index)
            chosen = wanted[[0, 2, 4]] if len(wanted) == 5 else wanted
            real = batch["frames_real"][tuple(place)]
            assert real.sum() == len(chosen)
            np.testing.assert_array_equal(batch["features"][tuple(place)][real], chosen)
            assert not batch["features"][tuple(place)][~real].any()


def test_features_too_large_for_memory_are_read_again(make_windows, monkeypatch):
    kept = drawn(make_windows(), 5)
    monkeypatch.setattr(windows_module, "IN_MEMORY", 0)
    assert_same(drawn(make_windows(), 5), kept)


def test_text_is_the_description_then_its_end(make_windows, records, gpt2):
    batch = drawn(make_windows(), 1)[0]
    for place in map(tuple, np.argwhere(batch["clips_real"])):
        ids = batch["text_ids"][place][batch["text_real"][place]]
        assert ids[-1] == gpt2.end and gpt2.end not in ids[:-1]
        assert gpt2.decode(ids) == " " + records["features"].index[batch["row"][place]].text


def test_a_long_description_is_cut_and_counted(make_windows, gpt2):
    lengths = [len(gpt2.encode(f" {sentence}")) for sentence in SENTENCES]
    limit = sorted(lengths)[len(lengths) // 2]
    batches = make_windows(text_length=limit)
    assert batches.truncated == sum(found > limit - 1 for found in lengths) > 0
    batch = drawn(batches, 1)[0]
    for place in map(tuple, np.argwhere(batch["clips_real"])):
        whole = lengths[batch["row"][place]]
        assert batch["text_real"][place].sum() == min(whole + 1, limit)
        assert (gpt2.end in batch["text_ids"][place][batch["text_real"][place]]) == (whole < limit)


@pytest.mark.parametrize("rule", [DistinctConfig(), DistinctConfig(stopwords=False, drop_names=True, lemma=True)])
def test_distinctive_flags_agree_with_the_text_decoded_back(make_windows, records, gpt2, rule):
    split = 0
    for batch in drawn(make_windows(distinct=rule), 6):
        for number, rows in enumerate(batch["row"]):
            texts = [None if row < 0 else records["features"].index[row].text for row in rows]
            names = ("Anna", "Tom", "Ida") if rule.drop_names else ()
            options = {"stopwords": rule.stopwords, "lemma": rule.lemma, "drop_names": names}
            chosen = distinctive(texts, **options)
            for clip in np.flatnonzero(batch["clips_real"][number]):
                ids, flags = batch["text_ids"][number, clip], batch["distinctive"][number, clip]
                runs = itertools.groupby(range(len(ids)), key=flags.tolist().__getitem__)
                marked = [gpt2.decode(ids[list(places)]) for flag, places in runs if flag]
                read = [word.text for word in words(" ".join(marked))]
                wanted = [word.text for word in words(texts[clip]) if word.text in chosen[clip]]
                assert read == wanted
                assert not flags[ids == gpt2.end].any()
                split += flags.sum() > len(wanted)
    assert split  # words of several pieces were among them


def test_form_b_and_c_name_the_first_pieces(make_windows, records, gpt2):
    for batch in drawn(make_windows(), 4):
        for number, rows in enumerate(batch["row"]):
            present = [row for row in rows if row >= 0]
            texts = [records["features"].index[row].text for row in present]
            mine, foreign = distinctive(texts), context_only(texts)
            for place in range(len(present)):
                for kind, wanted in (("distinct", mine[place]), ("context", foreign[place])):
                    ids = batch[f"{kind}_ids"][number, place][batch[f"{kind}_real"][number, place]]
                    starts = tuple(gpt2.decode([i]).strip() for i in ids)
                    assert len(set(ids.tolist())) == len(ids)
                    assert all(any(word.startswith(start.lower()) for word in wanted) for start in starts)
                    if kind == "distinct":
                        assert all(word.startswith(tuple(map(str.lower, starts))) for word in wanted)
                    else:
                        own = batch["text_ids"][number, place][batch["text_real"][number, place]]
                        assert not set(ids.tolist()) & set(own.tolist())


def prompts(batch, tokenizer):
    return [
        [tokenizer.decode(ids[real]) for ids, real in zip(window, reals, strict=True)]
        for window, reals in zip(batch["prompt_ids"], batch["prompt_real"], strict=True)
    ]


def test_names_drop_out_in_training_only(make_windows, gpt2):
    whole = f"{names_prompt(['Anna', 'Tom', 'Ida'])} {INSTRUCTION}"
    seen = {prompt for batch in drawn(make_windows(), 8) for row in prompts(batch, gpt2) for prompt in row if prompt}
    assert whole in seen and INSTRUCTION in seen and len(seen) == 8  # every subset
    batches = make_windows(evaluation_batches)
    for batch in batches:
        for row, real in zip(prompts(batch, gpt2), batch["clips_real"], strict=True):
            assert row == [whole if there else "" for there in real]
    batches.close()


@pytest.mark.parametrize(("source", "expected"), [("none", INSTRUCTION), ("oracle", "Anna")])
def test_names_come_from_where_the_config_says(make_windows, gpt2, source, expected):
    batch = drawn(make_windows(evaluation_batches, names=NamesConfig(source=source, limit=1)), 1)[0]
    found = prompts(batch, gpt2)[0][0]
    assert found == (expected if source == "none" else f"Possible characters: {expected}. {INSTRUCTION}")
    if source == "oracle":
        assert prompts(batch, gpt2)[0][2] == INSTRUCTION  # "He lifts ...": the text names nobody


@pytest.mark.parametrize("policy", ["block", "centered", "causal"])
@pytest.mark.parametrize("clips", [1, 4, 16])
def test_every_clip_is_an_evaluation_target_once(make_windows, policy, clips):
    batches = make_windows(evaluation_batches, policy=policy, clips=clips, batch=3)
    found = list(batches)
    assert len(found) == len(batches)
    assert {batch["row"].shape for batch in found} == {(3, clips)}
    targets = [row for batch in found for row in batch["row"][batch["target"]].tolist()]
    assert sorted(targets) == list(range(sum(MOVIES.values())))
    assert not any(batch["target"][~batch["clips_real"]].any() for batch in found)
    batches.seek(1)
    assert_same(list(batches), found[1:])
    batches.close()


def test_a_window_of_one_clip_has_only_its_own_words(make_windows):
    for batch in drawn(make_windows(clips=1, batch=2), 4):
        assert batch["row"].shape == (2, 1) and batch["clips_real"].all()
        assert not batch["context_real"].any() and batch["distinctive"].any(axis=-1).all()


def test_identical_neighbours_leave_nothing_distinctive(make_windows, records):
    first = records["features"].movies["short"].start
    for batch in drawn(make_windows(), 8):
        twins = batch["row"][:, 0] == first
        assert not batch["distinctive"][twins].any() and not batch["distinct_real"][twins].any()
        assert batch["text_real"][twins][:, :2].any(axis=-1).all()


def test_windows_need_features_and_sizes_that_fit(make_windows, records, gpt2):
    with pytest.raises(ValueError, match="made of features"):
        window_batches(
            records["pixels"],
            tokenizer=gpt2,
            batch=1,
            clips=1,
            frames=1,
            text_length=9,
            prompt_length=9,
            seed=0,
            stride=1,
            distinct=DistinctConfig(),
            names=NamesConfig(),
        )
    with pytest.raises(ValueError, match="stride"):
        make_windows(stride=5)
    with pytest.raises(ValueError, match="text_length"):
        WindowShape(clips=1, frames=1, text_length=1, prompt_length=1)


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


def test_a_pass_has_every_clip_once_in_order(records, clip):
    batches = clip_pass(records["pixels"], tokenizer=clip, batch=8, frames=7, image_size=SIZE, text_length=24)
    found = list(batches)
    assert len(found) == len(batches) == 3
    assert np.concatenate([batch["row"] for batch in found]).tolist() == [*range(20), -1, -1, -1, -1]
    assert found[0]["frames_real"][0].tolist() == [True] * 5 + [False] * 2
    last = found[-1]
    padding = last["row"] == -1
    assert not last["frames_real"][padding].any() and not last["words_real"][padding].any()
    assert (last["same_text"][padding] == -1).all()
    assert (last["text_ids"][padding][:, :2] == [clip.start, clip.end]).all()
    batches.close()


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


def test_frames_are_chosen_evenly():
    assert frame_choice(8, 8).tolist() == list(range(8))
    assert frame_choice(3, 8).tolist() == [0, 1, 2]
    assert frame_choice(8, 4).tolist() == [1, 3, 5, 7]
    assert frame_choice(9, 3).tolist() == [1, 4, 7]
    assert frame_choice(5, 1).tolist() == [2]


def test_an_empty_description_is_only_its_end(gpt2):
    found = Descriptions([""], gpt2, 8)
    assert found.real.sum() >= 1 and not found.marked(0, {"lamp"}).any()
