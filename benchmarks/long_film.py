"""A film of hours through every command of `distinctad`: seconds, memory and sizes, each command in its own process.

Run:    python benchmarks/long_film.py --folder=long --model=runs/demo > long.json
Gives:  one JSON object on standard output, and a table on standard error. The film (320x180, 24 pictures a second,
        speech-like sound) is one encoded minute, its packets repeated; its dialogue leaves `--entries` gaps.
        Without --model nothing is described, and the script that is fitted, voiced and mixed is a made-up one. The
        voice is espeak-ng, or --voice-command.
Bars:   `describe` below 2 GB, a report page below 10 MB, `fit` in less than 10 s, 100,000 cues read in 2 s.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.packet import Packet

from distinctad_jax.movie.description import Description
from distinctad_jax.movie.movie import FilmFile, Track
from distinctad_jax.movie.span import Span
from distinctad_jax.tracks import write_track

ROOT = Path(__file__).parents[1]
BLOCK, RATE, SOUND = 64, 24, 16_000  # 64 s are a whole number of pictures and of AAC frames of 1024 samples
WIDTH, HEIGHT, SHOT = 320, 180, 4


def write_film(path: Path, seconds: int) -> None:
    """A film whose packets repeat those of its first 64 s."""
    video, sound = _block(path.with_suffix(".block.mp4"))
    with av.open(str(path), "w") as box, av.open(str(path.with_suffix(".block.mp4"))) as source:
        pictures = box.add_stream_from_template(source.streams.video[0])
        voices = box.add_stream_from_template(source.streams.audio[0])
        for start in range(0, seconds, BLOCK):
            for packets, stream, rate, step in ((video, pictures, RATE, 1), (sound, voices, SOUND, 1024)):
                for number, (data, key) in enumerate(packets):
                    if start + number * step / rate >= seconds:
                        break
                    packet = Packet(data)
                    packet.stream, packet.time_base = stream, Fraction(1, rate)
                    packet.pts = packet.dts = start * rate + number * step
                    packet.duration, packet.is_keyframe = step, key
                    box.mux(packet)
    path.with_suffix(".block.mp4").unlink()


def _block(path: Path) -> tuple[list[tuple[bytes, bool]], list[tuple[bytes, bool]]]:
    """The packets of 64 s, as `(bytes, whether it is a key picture)`, of pictures and of sound."""
    draw = np.random.default_rng(0)
    with av.open(str(path), "w") as box:
        video = box.add_stream("libx264", rate=RATE)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.options = {"preset": "ultrafast", "bf": "0", "g": "48", "crf": "32"}
        sound = box.add_stream("aac", rate=SOUND, layout="mono")
        scene = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        for number in range(BLOCK * RATE):
            if number % (SHOT * RATE) == 0:
                small = draw.integers(0, 256, (HEIGHT // 20, WIDTH // 20, 3), dtype=np.uint8)
                scene = small.repeat(20, axis=0).repeat(20, axis=1)
            picture = np.roll(scene, number, axis=1)
            box.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        moment = np.arange((BLOCK + 1) * SOUND) / SOUND
        hum = 0.2 * np.sin(2 * np.pi * 140 * moment) * (0.5 + 0.5 * np.sin(10 * np.pi * moment))
        for first in range(0, len(hum), 1024):
            wave = av.AudioFrame.from_ndarray(
                hum[None, first : first + 1024].astype(np.float32), format="fltp", layout="mono"
            )
            wave.sample_rate, wave.pts, wave.time_base = SOUND, first, Fraction(1, SOUND)
            box.mux(sound.encode(wave))
        box.mux([*video.encode(None), *sound.encode(None)])
    found: tuple[list[tuple[bytes, bool]], list[tuple[bytes, bool]]] = ([], [])
    with av.open(str(path)) as box:
        for packet in box.demux():
            if packet.size:
                found[packet.stream.type == "audio"].append((bytes(packet), packet.is_keyframe))
    return found[0][: BLOCK * RATE], found[1][: BLOCK * SOUND // 1024]


def write_papers(folder: Path, seconds: int, entries: int) -> None:
    """Subtitles that leave `entries` gaps, and a script with a sentence for each."""
    draw, every = random.Random(0), seconds / entries
    nouns, verbs = ["woman", "man", "dog", "car", "door", "tree", "boy", "ship"], ["waits", "falls", "turns", "runs"]

    def stamp(time: float) -> str:
        whole, thousandths = divmod(round(time * 1000), 1000)
        return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d},{thousandths:03d}"

    cues, told = [], []
    for number in range(entries):
        start = number * every
        cues.append(f"{number + 1}\n{stamp(start)} --> {stamp(start + every - 4.2)}\nLine {number}.\n")
        text = f"A {draw.choice(nouns)} {draw.choice(verbs)} near the {draw.choice(nouns)} of number {number}."
        told.append(Description(Span(start + every - 3.8, start + every - 0.5), text))
    (folder / "film.srt").write_text("\n".join(cues), encoding="utf-8")
    write_track(folder / "script.json", Track("film", tuple(told), film=FilmFile("film.mp4", float(seconds))))


def run(*arguments: object) -> dict[str, Any]:
    """A command in a process of its own: seconds of wall and processor, the largest memory, and what `--json` says.

    Errors: SystemExit with what it said if it fails.
    """
    line = [sys.executable, "-m", "distinctad_jax", *map(str, arguments), "--json", "-q"]
    there = os.environ | {"PYTHONPATH": str(ROOT)}
    began = time.monotonic()
    process = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=there)
    out = process.stdout.read() if process.stdout else ""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(line)} ended with {process.returncode}")
    told = json.loads(out.splitlines()[-1])
    kept = {
        name: told[name] for name in ("described", "dropped", "overlaps", "cues", "frames", "bytes") if name in told
    }
    return {
        "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "largest_mb": round(used.ru_maxrss / 1024),
        **kept,
    }


def reading(folder: Path) -> dict[str, float]:
    """Processor seconds in which 100,000 cues are read, by format."""
    from distinctad_jax.tracks import read_cues, read_track

    found = {}
    for suffix in (".vtt", ".srt"):
        path = folder / f"many{suffix}"
        comma = "." if suffix == ".vtt" else ","
        blocks = [
            f"{n}\n{n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d}{comma}000 --> "
            f"{n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d}{comma}900\nLine {n} &amp; <i>more</i>.\n"
            for n in range(100_000)
        ]
        path.write_text("\n".join(["WEBVTT\n"] * (suffix == ".vtt") + blocks), encoding="utf-8")
        for work in (read_cues, read_track):
            began = time.process_time()
            work(path, problems=[])
            found[f"{work.__name__}{suffix}"] = round(time.process_time() - began, 2)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="A film of hours through every command.")
    parser.add_argument("--folder", type=Path, required=True, help="where the film and what is made of it go")
    parser.add_argument("--model", type=Path, help="in which stage 2 was trained; without it nothing is described")
    parser.add_argument("--voice-command", help="in place of espeak-ng")
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--entries", type=int, default=1500)
    parser.add_argument("--only", default="", help="names of steps, by commas")
    given = parser.parse_args()
    folder, seconds = given.folder.resolve(), round(given.hours * 3600)
    folder.mkdir(parents=True, exist_ok=True)
    film, subtitles, out = folder / "film.mp4", folder / "film.srt", folder / "out"
    if not film.exists():
        write_film(film, seconds)
    write_papers(folder, seconds, given.entries)
    speaker = [f"--voice-command={given.voice_command}"] if given.voice_command else []
    script = out / "film.json" if given.model else folder / "script.fitted.json"
    voiced = script.with_suffix(".voiced.json")
    steps: dict[str, Callable[[], Any]] = {
        "reading": lambda: reading(folder),
        "gaps": lambda: run("gaps", film, "--subtitles", subtitles),
        "describe": lambda: run(
            "describe", film, "--subtitles", subtitles, "--model", given.model.resolve(), "-o", out, "--overwrite",
            "--density=high", "--shots=none", "--no-offset-check",
        ),
        "fit": lambda: run("fit", folder / "script.json", "--subtitles", subtitles, "-o", folder, "--overwrite"),
        "voice": lambda: run("voice", script, "-f", "json,wav", "--overwrite", *speaker),
        "mix": lambda: run(
            "mix", film, "--track", voiced, "-o", out, "-f", "mkv", "--overwrite", "--subtitles", subtitles
        ),
        "report": lambda: run("report", script, "--film", film, "-o", out, "--overwrite"),
    }  # fmt: skip
    if given.model is None:
        steps.pop("describe")
    found = {}
    for name, work in steps.items():
        if not given.only or name in given.only.split(","):
            found[name] = work()
            print(f"{name:<10} {json.dumps(found[name])}", file=sys.stderr, flush=True)
    json.dump({"hours": given.hours, "entries": given.entries, **found}, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
