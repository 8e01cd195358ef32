"""Narrate: a movie in, a description track out.

Run:    python -m distinctad_jax.main --config=configs/narrate.py --config.narrate.video=film.mp4 \
            --config.narrate.subtitles=film.srt
Needs:  configs/stage2.py.  Gives: film.vtt, film.srt and film.jsonl, with every cue in a gap of the dialogue.
        Without a video it narrates the first test movie of the toy cinema.
"""

from ml_collections import ConfigDict

from distinctad_jax.config import choose, earlier

NARRATE = {
    "video": "",
    "subtitles": "",
    "cast": "",
    "movie": "",
    "policy": "block",
    # Seconds: shortest usable gap, room after and before dialogue, longest stretch told in one sentence.
    "shortest_gap": 2.0,
    "lead_in": 0.3,
    "lead_out": 0.3,
    "longest_clip": 6.0,
    "windows": 4,
    # What is said: no more words than there is time for; words and names that must not or must be said. How far back
    # decoding.no_repeat_across and decoding.neighbour_penalty look, in descriptions.
    "budgets": True,
    "forbidden": (),
    "forced": (),
    "neighbours": 8,
    "placement": {"characters_per_second": 16.0, "fastest": 18.0, "pause": 0.4, "shortest": 1.0},
}


def get_config(size: str = "toy") -> ConfigDict:
    """The config of a size."""
    config = earlier(__file__, "evaluate", size)
    config.update({"recipe": "narrate", "narrate": NARRATE | {"decoding": config.evaluate.decoding.to_dict()}})
    sizes = {"toy": {}, "tiny": {"windows": 2}, "small": {}, "base": {}, "large": {"windows": 1}}
    config.narrate.update(choose(sizes, size, __file__))
    return config
