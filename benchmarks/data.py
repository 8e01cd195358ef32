"""What the data's way costs beside what this machine can do at best: decoding, packing, and reading batches.

Run:    python benchmarks/data.py > data.json          (minutes on two idle cores; --only=clips,batches for some)
Gives:  one JSON object on standard output, and a table on standard error: each figure beside the machine's own limit,
        taken in turn with it in this very run, and their ratio; the bar it should reach stands beside it.
Rows:   pack       the toy cinema's films to records, against PyAV decoding all of their pictures
        clips      8 pictures of every 4 s clip, and of one in four, of a 720p film, against PyAV's best way
        batches    batches of 224-px JPEG frames, against the bare JPEG decoder in as many threads
        windows    windows of stored features a second (8 clips, 8 frames, width 768)
        memory     the peak of a process that packs a long film (--hours), small and slow, so that making it is cheap

Each ratio is the median over pairs of CPU seconds of one process, the steady figure on a busy machine. A film for
`clips` is made up, so decoding it is cheaper than decoding a real one.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import simplejpeg
from rich.console import Console
from rich.table import Table

from distinctad_jax.data.annotations import read_annotations
from distinctad_jax.data.clips import PixelClips
from distinctad_jax.data.datasets import ClipRecord, Records, pack_records, write_records
from distinctad_jax.data.library import movies_from
from distinctad_jax.data.pipeline import clip_batches, window_batches
from distinctad_jax.data.video import read_frames
from distinctad_jax.main import ask_for_large_pages
from distinctad_jax.movie.movie import Clip, Movie
from distinctad_jax.movie.span import Span
from distinctad_jax.recipes.workshop import provenance
from distinctad_jax.text.distinct import DistinctConfig
from distinctad_jax.text.prompt import NamesConfig
from distinctad_jax.text.tokenizers import Tokenizer, train_tokenizer
from distinctad_jax.toycinema import CinemaConfig, render

BARS = {
    "pack": 0.8,
    "clips, every": 0.95,
    "clips, one in four": 0.95,
    "batches": 0.8,
    "windows": 2000,
    "memory": 1500,
}
"""What each figure should reach; memory, in MB, should stay below it."""
SPEECH = ["He waits by the door.", "She opens the letter and smiles.", "Night falls over the harbour."]


def paired(
    ours: Callable[[], float], limit: Callable[[], float], pairs: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Rates of both sides, taken in turn, and the median ratio; each side returns how much it did."""
    rates: list[tuple[float, float]] = []
    for _ in range(pairs):
        both = []
        for side in (ours, limit):
            began = clock()
            both.append(side() / (clock() - began))
        rates.append((both[0], both[1]))
    ratio = statistics.median(one / other for one, other in rates)
    figures = [statistics.median(column) for column in zip(*rates, strict=True)]
    return {"ours": round(figures[0], 1), "limit": round(figures[1], 1), "ratio": round(ratio, 3)}


def decoded(paths: list[Path]) -> int:
    """Pictures that PyAV decodes of whole films, nothing kept."""
    count = 0
    for path in paths:
        with av.open(str(path)) as box:
            box.streams.video[0].thread_type = "AUTO"
            count += sum(1 for _ in box.decode(video=0))
    return count


def time_pack(folder: Path, pairs: int) -> dict[str, float]:
    """The whole of packing, records and papers included, in pictures of the films a CPU second."""
    render(CinemaConfig(train=6, val=1, test=1, stills=0), folder / "films", lambda *_: None)
    movies = movies_from(read_annotations(folder / "films" / "annotations.csv"), videos=folder / "films" / "movies")
    paths = [movie.video for movie in movies if movie.video]
    count = decoded(paths)

    def ours() -> float:
        make = PixelClips(frames=8, size=64, quality=95)
        pack_records(folder / "packed", "pixels", {"train": movies}, make, description="", metadata={}, identity="")
        return count

    return paired(ours, lambda: decoded(paths), pairs, time.process_time)


def made_film(path: Path, seconds: int, size: tuple[int, int] = (1280, 720), rate: int = 24) -> Path:
    """A film with slow motion all over the picture, key pictures 240 apart."""
    width, height = size
    rng = np.random.default_rng(0)
    scene = rng.integers(0, 256, (height // 16 + 8, width // 16 + 64, 3), np.uint8).repeat(16, 0).repeat(16, 1)
    with av.open(str(path), "w") as box:
        stream = box.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "veryfast", "g": "240", "keyint_min": "240", "sc_threshold": "0"}
        for number in range(seconds * rate):
            left = number % 1000
            picture = np.ascontiguousarray(scene[number % 64 : number % 64 + height, left : left + width])
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            box.mux(stream.encode(frame))
        box.mux(stream.encode(None))
    return path


def by_hand(path: Path, spans: list[Span], seek: bool) -> int:
    """The same pictures with PyAV alone: one pass, or a leap to the key picture before each clip."""
    kept = 0
    with av.open(str(path)) as box:
        stream: Any = box.streams.video[0]
        stream.thread_type = "AUTO"
        frames = box.decode(stream)
        for span in spans:
            wanted = [span.start + (part + 0.5) * span.seconds / 8 for part in range(8)]
            if seek:
                box.seek(int(wanted[0] / stream.time_base), stream=stream, backward=True)
                frames = box.decode(stream)
            last: Any = None
            for frame in frames:
                while last is not None and wanted and frame.time > wanted[0] + 1e-6:
                    height = 224
                    last.to_ndarray(format="rgb24", width=398, height=height, interpolation="BICUBIC")
                    wanted.pop(0)
                    kept += 1
                last = frame
                if not wanted:
                    break
    return len(spans)


def time_clips(path: Path, seconds: int, every: int, pairs: int) -> dict[str, float]:
    """Clips of 4 s a CPU second; the limit is the better of PyAV's two ways."""
    spans = [Span(4.0 * n, 4.0 * n + 4.0) for n in range(0, seconds // 4 - 1, every)]

    def ours() -> float:
        return float(sum(1 for _ in read_frames(path, spans, 8, 224)))

    ways = [
        paired(ours, lambda way=way: by_hand(path, spans, way), pairs, time.process_time) for way in (False, True)
    ]
    return max(ways, key=lambda found: found["limit"])


def jpeg_clips(count: int, size: int) -> Iterator[ClipRecord]:
    """Clips of pictures that compress about as films do."""
    rng = np.random.default_rng(0)
    for index in range(count):
        coarse = rng.integers(0, 256, (8, size // 8, size // 8, 3), np.uint8).repeat(8, 1).repeat(8, 2)
        smooth = (coarse[:, 1:-1, 1:-1].astype(np.int32) + rng.integers(-8, 9, (8, size - 2, size - 2, 3))).clip(
            0, 255
        )
        frames = np.pad(smooth.astype(np.uint8), ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
        jpegs = [simplejpeg.encode_jpeg(np.ascontiguousarray(frame), 90) for frame in frames]
        times = np.linspace(0, 4, 8)
        yield ClipRecord("m", index, 5.0 * index, 5.0 * index + 4, SPEECH[index % 3], times, frames=jpegs)


def words(texts: list[str], kind: Literal["clip", "gpt2"]) -> Tokenizer:
    return train_tokenizer(texts, kind, 600)


def time_batches(folder: Path, threads: int, pairs: int) -> dict[str, float]:
    """Pictures a CPU second, both sides in the same number of threads.

    Each turn of ours opens a stream and closes it, so that nothing is read ahead at the other side's cost; what it
    has read ahead at the end is not counted for it.
    """
    write_records(folder / "jpegs", "pixels", {"train": jpeg_clips(64, 224)}, description="", metadata={})
    records, tokenizer = Records(folder / "jpegs", "train"), words(SPEECH, "clip")
    files = [jpeg for clip in records.get(range(64)) for jpeg in clip.frames or ()]
    settings: dict[str, Any] = {"batch": 16, "frames": 8, "image_size": 224, "text_length": 24, "seed": 0}

    def ours() -> float:
        batches = clip_batches(records, tokenizer=tokenizer, threads=threads, spread=False, **settings)
        for _ in range(48):
            next(batches)
        batches.close()
        return 48.0 * 16 * 8

    def bare(jpegs: list[bytes]) -> int:
        buffer = np.empty((224, 224, 3), np.uint8)
        for jpeg in jpegs:
            simplejpeg.decode_jpeg(jpeg, colorspace="RGB", buffer=buffer)
        return len(jpegs)

    def limit() -> float:
        with ThreadPoolExecutor(threads) as pool:
            return float(sum(pool.map(bare, [(files * 12)[part::threads] for part in range(threads)])))

    ours()  # opens the files
    return paired(ours, limit, pairs, time.process_time)


def time_windows(folder: Path, pairs: int) -> dict[str, float]:
    """Windows a second once each has been seen, and while they are new."""
    rng = np.random.default_rng(0)
    syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
    vocabulary = ["".join(rng.choice(syllables, 2)) for _ in range(300)]

    def clips() -> Iterator[ClipRecord]:
        for movie in range(4):
            for index in range(200):
                text, times = " ".join(rng.choice(vocabulary, 9)) + ".", np.linspace(0, 4, 8)
                vectors = rng.normal(size=(8, 768)).astype(np.float16)
                yield ClipRecord(f"m{movie}", index, 5.0 * index, 5.0 * index + 4, text, times, features=vectors)

    about: dict[str, Any] = {"description": "", "metadata": {}, "feature_width": 768}
    write_records(folder / "vectors", "features", {"train": clips()}, **about)
    records = Records(folder / "vectors", "train")
    settings: dict[str, Any] = {
        "batch": 16,
        "clips": 8,
        "frames": 8,
        "text_length": 48,
        "prompt_length": 48,
        "seed": 0,
        "stride": 1,
    }
    batches = window_batches(
        records,
        tokenizer=words([entry.text for entry in records.index], "gpt2"),
        distinct=DistinctConfig(),
        names=NamesConfig(),
        threads=2,
        **settings,
    )
    rates = []
    for _ in range(pairs + 1):
        began, worked = time.monotonic(), time.process_time()
        for _ in range(batches.items // 16):
            next(batches)
        count = batches.items // 16 * 16
        rates.append((count / (time.monotonic() - began), count / (time.process_time() - worked)))
    batches.close()
    wall, cpu = (statistics.median(column) for column in zip(*rates[1:], strict=True))
    return {
        "ours": round(wall, 1),
        "per_cpu_second": round(cpu, 1),
        "first_epoch_per_cpu_second": round(rates[0][1], 1),
    }


def long_film(folder: Path, hours: float) -> Movie:
    """A film of 160x90 at one picture a second, cheap to make and long to pack, with a clip every 8 s."""
    path = made_film(folder / "long.mp4", int(3600 * hours), (160, 90), 1)
    spans = [Span(8.0 * n, 8.0 * n + 4.0) for n in range(int(3600 * hours) // 8 - 1)]
    return Movie("long", path, tuple(Clip("long", n, span, SPEECH[n % 3]) for n, span in enumerate(spans)))


def peak_memory(hours: float) -> dict[str, float]:
    """MB at the peak of a process that packs a long film and does nothing else."""
    line = [sys.executable, __file__, f"--hours={hours}", "--only=peak"]
    told = subprocess.run(line, check=True, capture_output=True, text=True).stdout
    return {"ours": json.loads(told)["peak_mb"], "hours": hours}


def print_peak(hours: float) -> None:
    """The child of `peak_memory`."""
    with tempfile.TemporaryDirectory() as name:
        make = PixelClips(frames=8, size=224, quality=90)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:  # what encodes is not what packs
            film = pool.submit(long_film, Path(name), hours).result()
        about: dict[str, Any] = {"description": "", "metadata": {}, "identity": ""}
        pack_records(Path(name) / "records", "pixels", {"train": [film]}, make, **about)
    print(json.dumps({"peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)}))


def measured(only: set[str], pairs: int, hours: float, seconds: int) -> dict[str, dict[str, float]]:
    """All rows asked for."""
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "pack" in only:
            found["pack"] = time_pack(folder, pairs)
        if "clips" in only:
            film = made_film(folder / "film.mp4", seconds)
            found["clips, every"] = time_clips(film, seconds, 1, pairs)
            found["clips, one in four"] = time_clips(film, seconds, 4, pairs)
        if "batches" in only:
            found["batches"] = time_batches(folder, 2, pairs)
        if "windows" in only:
            found["windows"] = time_windows(folder, pairs)
    if "memory" in only:
        found["memory"] = peak_memory(hours)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="pack,clips,batches,windows,memory")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--seconds", type=int, default=64, help="length of the 720p film")
    given = parser.parse_args()
    if given.only == "peak":
        print_peak(given.hours)
        return
    found = measured(set(given.only.split(",")), given.pairs, given.hours, given.seconds)
    table = Table("", "ours", "limit", "ratio", "bar")
    for name, row in found.items():
        row["bar"] = BARS[name]
        table.add_row(name, *(str(row.get(column, "")) for column in ("ours", "limit", "ratio", "bar")))
    Console(stderr=True).print(table)
    print(json.dumps({"rows": found, "made_by": provenance()}, indent=2))


if __name__ == "__main__":
    ask_for_large_pages()  # as the commands do
    main()
