"""What `benchmarks/models.py` measures: each workload's sizes, the work that it needs, and the ratio to reach.

Nothing is imported but the standard library, so that both sides read it, whatever else their interpreters have.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

VISION = {
    "B/32": {"patch": 32, "width": 768, "layers": 12, "heads": 12, "projection": 512},
    "B/16": {"patch": 16, "width": 768, "layers": 12, "heads": 12, "projection": 512},
    "L/14": {"patch": 14, "width": 1024, "layers": 24, "heads": 16, "projection": 768},
}
TEXT = {
    "B/32": {"width": 512, "layers": 12, "heads": 8},
    "B/16": {"width": 512, "layers": 12, "heads": 8},
    "L/14": {"width": 768, "layers": 12, "heads": 12},
}
IMAGE, READ, TEXT_VOCAB = 224, 77, 49408
VOCAB, WIDTH, LAYERS, HEADS = 50257, 768, 12, 12  # GPT-2 small
PREFIX, WORDS = 32, 40  # tokens before a description, and of it
FRAMES = 8  # of a clip
SEEN, BASES = 160, 32  # tokens of a window, and what they share
PEAK, BANDWIDTH = 800e12, 3.0e12  # of an H100: bfloat16 operations and bytes a second that the bars are shares of


class Workload(NamedTuple):
    """One line of the table; `sizes` go to both sides as they are."""

    name: str
    kind: str  # encode, stage1, stage2, greedy, beam, em
    sizes: dict[str, Any]
    unit: str  # what is counted
    count: int  # how many of them a run makes
    least: float | None = None  # the ratio to the peer, or the share of a floor, that is asked for
    aim: float | None = None

    def flops(self) -> float:
        """Operations that a run needs, two for each multiply-add."""
        return {"encode": _encode, "stage1": _stage1, "stage2": _stage2, "em": _em}.get(self.kind, _decode)(
            self.sizes
        )


def blocks(tokens: int, width: int, layers: int) -> float:
    """Operations of pre-norm blocks over so many tokens."""
    return layers * (24 * tokens * width**2 + 4 * tokens**2 * width)


def vision(model: str) -> float:
    """Operations of one frame."""
    sizes = VISION[model]
    patches = (IMAGE // sizes["patch"]) ** 2
    table = 2 * patches * 3 * sizes["patch"] ** 2 * sizes["width"]
    return table + blocks(patches + 1, sizes["width"], sizes["layers"])


def _encode(sizes: dict[str, Any]) -> float:
    return sizes["batch"] * vision(sizes["model"])


def _stage1(sizes: dict[str, Any]) -> float:
    text = TEXT[sizes["model"]]
    return sizes["clips"] * (3 * FRAMES * vision(sizes["model"]) + blocks(READ, text["width"], text["layers"]))


def _stage2(sizes: dict[str, Any]) -> float:
    forward = blocks(PREFIX + WORDS, WIDTH, LAYERS) + 2 * WORDS * WIDTH * VOCAB
    return sizes["captions"] * 3 * forward


def _decode(sizes: dict[str, Any]) -> float:
    rows = sizes["captions"] * sizes.get("beams", 1)
    step = blocks(1, WIDTH, LAYERS) + 2 * WIDTH * VOCAB
    return sizes["captions"] * blocks(PREFIX, WIDTH, LAYERS) + rows * WORDS * step


def _em(sizes: dict[str, Any]) -> float:
    forward = sizes["batch"] * (2 * sizes["rounds"] + 1) * 2 * SEEN * BASES * WIDTH
    return forward * (3 if sizes["gradient"] else 1)


def decode_floor(sizes: dict[str, Any]) -> float:
    """Seconds in which a device of `BANDWIDTH` reads the bfloat16 weights and memories of all steps once."""
    rows = sizes["captions"] * sizes.get("beams", 1)
    weights = 2 * (LAYERS * 12 * WIDTH**2 + VOCAB * WIDTH)
    memory = 2 * 2 * LAYERS * WIDTH * rows * (PREFIX + WORDS / 2)
    return WORDS * (weights + memory) / BANDWIDTH


def of_cpu() -> list[Workload]:
    """float32, ratios to the peer; bars and aims are those of issue "Models"."""
    made = []
    for model, batch, least, aim in (("B/32", 8, 1.0, 1.05), ("B/16", 8, 0.95, 1.0)):
        sizes = {"model": model, "batch": batch}
        made.append(Workload(f"encode {model}, {batch} frames", "encode", sizes, "frames", batch, least, aim))
    made.append(
        Workload("Stage-I step B/32, 2 clips", "stage1", {"model": "B/32", "clips": 2}, "clips", 2, 0.80, 0.95)
    )
    for captions, least, aim in ((4, 1.15, 1.5), (8, 1.15, 1.5), (16, 1.0, 1.3)):
        name = f"Stage-II step, {captions} captions"
        made.append(Workload(name, "stage2", {"captions": captions}, "captions", captions, least, aim))
    for captions, beams, least, aim in ((1, 1, 1.35, 1.6), (16, 1, 1.15, 1.5), (1, 5, 1.35, 1.6), (16, 5, 1.4, 1.8)):
        made.append(decoding(captions, beams, least, aim))
    for rounds, gradient, least, aim in ((3, False, 1.2, 1.5), (3, True, 1.2, 1.5)):
        name = f"EM attention R={rounds}, {'forward + backward' if gradient else 'forward'}"
        sizes = {"batch": 4, "rounds": rounds, "gradient": gradient}
        made.append(Workload(name, "em", sizes, "windows", 4, least, aim))
    return made


def of_accelerator() -> list[Workload]:
    """bfloat16, shares of an H100's peak or, for decoding, of its bandwidth floor."""
    made = []
    for model, batch in (("B/16", 512), ("L/14", 256)):
        sizes = {"model": model, "batch": batch}
        made.append(Workload(f"encode {model}, {batch} frames", "encode", sizes, "frames", batch, 0.5))
    made += [decoding(16, 1, 0.25), decoding(256, 1, 0.5)]
    made.append(Workload("Stage-II step, 128 captions", "stage2", {"captions": 128}, "captions", 128, 0.5))
    for model, clips in (("B/16", 64), ("L/14", 24)):
        name, sizes = f"Stage-I step {model}, {clips} clips", {"model": model, "clips": clips}
        made.append(Workload(name, "stage1", sizes, "clips", clips, 0.5))
    return [*made, decoding(16, 5)]


def decoding(captions: int, beams: int, least: float | None = None, aim: float | None = None) -> Workload:
    """40 words after 32 tokens, greedy or with beams, for so many captions at once."""
    how = "greedy" if beams == 1 else f"beam {beams}"
    name = f"{how}, {captions} caption{'s' if captions > 1 else ''}"
    sizes = {"captions": captions, "beams": beams}
    return Workload(name, "greedy" if beams == 1 else "beam", sizes, "tokens", captions * WORDS, least, aim)


def serve(
    prepare: Callable[[str, dict[str, Any]], Callable[[], Any]], matmul: Callable[[], float], about: dict[str, str]
) -> None:
    """Answers requests, one JSON object a line, on standard input and output, until the input ends.

    {"prepare": kind, "sizes": ...} makes a workload ready and runs it once, or tells why it cannot; {"run": times}
    runs it and tells CPU and wall seconds; {"matmul": true} tells the operations a second of a large product, by CPU
    and by wall seconds; {"about": true} tells the device and the versions.
    """
    out, sys.stdout = sys.stdout, sys.stderr  # whatever a library prints is no answer
    ready: Callable[[], Any] | None = None
    for line in sys.stdin:
        asked = json.loads(line)
        answer: dict[str, Any] = {}
        if "prepare" in asked:
            ready = None  # its memory goes before the next one's is taken
            began = time.perf_counter()
            try:
                ready = prepare(asked["prepare"], asked["sizes"])
                ready()
                answer = {"prepared": time.perf_counter() - began}
            except Exception as error:  # one workload that does not fit the device is no reason to lose the others
                answer = {"failed": f"{type(error).__name__}: {error}"[:300]}
        elif "about" in asked:
            answer = about
        elif "run" in asked and ready is not None:
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(asked["run"]):
                ready()
            answer = {
                "wall": (time.perf_counter() - wall) / asked["run"],
                "cpu": (time.process_time() - cpu) / asked["run"],
            }
        else:
            wall, cpu = time.perf_counter(), time.process_time()
            operations = matmul()
            answer = {
                "wall": operations / (time.perf_counter() - wall),
                "cpu": operations / (time.process_time() - cpu),
            }
        print(json.dumps(answer), file=out, flush=True)
