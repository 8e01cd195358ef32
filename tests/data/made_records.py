"""Records of made-up clips, as features and as pixels."""

import numpy as np
import simplejpeg

from distinctad_jax.data.datasets import ClipRecord

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


SENTENCES = [text(movie, index) for movie, count in MOVIES.items() for index in range(count)]


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
