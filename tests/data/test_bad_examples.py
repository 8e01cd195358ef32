"""One picture of one clip is damaged: the run is told where, or the next clip stands in, always the same one."""

import dataclasses

import made_records
import numpy as np
import pytest
from made_records import SENTENCES, SIZE, made

from distinctad_jax.data import pipeline
from distinctad_jax.data.datasets import Records, write_records
from distinctad_jax.data.pipeline import clip_batches
from distinctad_jax.errors import BadInput
from distinctad_jax.text.tokenizers import train_tokenizer


def records_with(folder, bad):
    """Records of pixels, in which the first picture of some rows is noise."""

    def clips():
        for row, clip in enumerate(made(pixels=True)):
            yield dataclasses.replace(clip, frames=[b"noise", *clip.frames[1:]]) if row in bad else clip

    write_records(folder, "pixels", {"train": clips()}, description="made up", metadata={})
    return Records(folder, "train")


def drawn(records, *, skip, start=0, count=10):
    batches = clip_batches(
        records,
        tokenizer=train_tokenizer(SENTENCES, "clip", 600),
        batch=4,
        frames=5,
        image_size=SIZE,
        text_length=12,
        seed=0,
        skip_bad=skip,
    )
    batches.seek(start)
    return made_records.drawn(batches, count)


def test_a_damaged_picture_is_named_or_the_next_clip_stands_in(tmp_path):
    records = records_with(tmp_path / "records", {7})
    with pytest.raises(BadInput, match=r"record 7 of \S*array_record-00000-of-00001, .*a frame is not a JPEG"):
        drawn(records, skip=False)
    with pytest.warns(UserWarning, match="record 7 of .*a frame is not a JPEG.*the next clip stands in for it"):
        whole = drawn(records, skip=True)
    rows = [row for batch in whole for row in batch["row"].tolist()]
    assert 7 not in rows and rows.count(8) == 2 * rows.count(6) and len(set(rows)) == 19
    with pytest.warns(UserWarning, match="stands in"):
        rest = drawn(records, skip=True, start=4, count=6)
    for one, other in zip(whole[4:], rest, strict=True):
        for name, array in one.items():
            np.testing.assert_array_equal(array, other[name])


def test_more_than_one_in_a_thousand_stop_the_run(tmp_path):
    records = records_with(tmp_path / "records", {3, 7})
    assert pipeline.MOST_BAD == 0.001
    with pytest.raises(BadInput, match="2 of 20 clips are bad"), pytest.warns(UserWarning):
        drawn(records, skip=True)
