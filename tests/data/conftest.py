"""Fixtures over `made_records`."""

import pytest
from made_records import (
    FRAMES,
    SENTENCES,
    SIZE,
    WIDTH,
    made,
)

from distinctad_jax.data.datasets import Records, write_records
from distinctad_jax.data.pipeline import (
    clip_batches,
    window_batches,
)
from distinctad_jax.text.distinct import DistinctConfig
from distinctad_jax.text.prompt import NamesConfig
from distinctad_jax.text.tokenizers import train_tokenizer


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    write_records(folder / "f", "features", {"train": made(False)}, description="", metadata={}, feature_width=WIDTH)
    write_records(folder / "p", "pixels", {"train": made(True)}, description="", metadata={})
    return {"features": Records(folder / "f", "train"), "pixels": Records(folder / "p", "train")}


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
