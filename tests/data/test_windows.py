"""What a window holds."""

import itertools

import numpy as np
import pytest
from made_records import (
    FRAMES,
    MOVIES,
    SENTENCES,
    WIDTH,
    assert_same,
    drawn,
    features,
)

from distinctad_jax.data import windows as windows_module
from distinctad_jax.data.pipeline import (
    evaluation_batches,
    window_batches,
)
from distinctad_jax.data.windows import Descriptions, WindowShape, frame_choice
from distinctad_jax.text.distinct import DistinctConfig, context_only, distinctive, words
from distinctad_jax.text.prompt import INSTRUCTION, NamesConfig, names_prompt


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


def test_frames_are_chosen_evenly():
    assert frame_choice(8, 8).tolist() == list(range(8))
    assert frame_choice(3, 8).tolist() == [0, 1, 2]
    assert frame_choice(8, 4).tolist() == [1, 3, 5, 7]
    assert frame_choice(9, 3).tolist() == [1, 4, 7]
    assert frame_choice(5, 1).tolist() == [2]


def test_an_empty_description_is_only_its_end(gpt2):
    found = Descriptions([""], gpt2, 8)
    assert found.real.sum() >= 1 and not found.marked(0, {"lamp"}).any()
