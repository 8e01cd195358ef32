"""Stills come back from their contact sheets as they were drawn."""

import numpy as np
import pytest
from PIL import Image

from distinctad_jax.errors import BadInput
from distinctad_jax.recipes.pretrain import read_stills
from distinctad_jax.toycinema.studio import CinemaConfig, render

CONFIG = CinemaConfig(train=0, val=0, test=0, stills=300, still_size=32, workers=1)


def test_each_still_is_cut_out_of_its_sheet(tmp_path):
    render(CONFIG, tmp_path, lambda *_: None)
    images, captions = read_stills(tmp_path / "stills", 32)
    assert images.shape == (300, 32, 32, 3) and len(captions) == 300
    second = np.asarray(Image.open(tmp_path / "stills" / "sheet-0001.jpg"))
    # 300 = 256 + 2 rows of 16 + 12; decoders differ by a shade.
    assert np.abs(images[299].astype(int) - second[64:96, 352:384]).max() <= 4
    assert np.abs(images[298].astype(int) - second[64:96, 352:384]).mean() > 4
    with pytest.raises(BadInput, match=r"sheet-0000\.jpg: found a sheet 512 pixels wide, needed 16 stills of 64"):
        read_stills(tmp_path / "stills", 64)
