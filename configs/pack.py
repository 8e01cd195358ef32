"""Pack: movie files, subtitles, annotation table and cast -> TFDS records of clips.

Run:    python -m distinctad_jax.main --config=configs/pack.py
        python -m distinctad_jax.main --config=configs/pack.py:base --config.pack.annotations=cmdad_anno.csv \
            --config.pack.videos=videos --config.pack.splits=splits.json
Needs:  the toy cinema, or your own files.  Gives: array_record files that any TFDS reads.
"""

from ml_collections import ConfigDict

from distinctad_jax.config import choose, earlier

FILES = {"annotations": "", "videos": "", "features": "", "subtitles": "", "cast": "", "splits": ""}
PACK = {"source": "files", "kind": "auto", "frames": 8, "image_size": 224, "jpeg_quality": 90, "workers": 2}
PACK |= FILES | {"bad_rows": "error", "missing_videos": "error", "max_bad_clips": 0.01, "encoding": "auto"}
PACK |= {"rule": "centres", "features_fps": 5.0, "features_tower": "", "beam": ""}


def get_config(size: str = "toy") -> ConfigDict:
    """The config of a size."""
    config = earlier(__file__, "render", size)
    toy = {"source": "toy", "image_size": 64, "jpeg_quality": 95}
    sizes = {"toy": toy, "tiny": toy | {"frames": 4}, "base": {}, "large": {}}
    sizes["small"] = toy | {"image_size": 112, "workers": 16}
    config.update({"recipe": "pack", "pack": PACK | choose(sizes, size, __file__)})
    return config
