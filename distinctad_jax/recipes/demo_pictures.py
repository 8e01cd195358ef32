"""Pictures of what goes on inside the models of a demo, made of its artefacts."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from distinctad_jax.data.datasets import Records
from distinctad_jax.data.pipeline import decode_frames
from distinctad_jax.data.windows import Descriptions
from distinctad_jax.models.narrator import Narrator
from distinctad_jax.recipes.evaluate import windows_for
from distinctad_jax.recipes.inside import (
    chances,
    distinctive_of,
    frame_word_fits,
    mean_chances,
    nearest_words,
    seen_clips,
    told_words,
)
from distinctad_jax.recipes.models import open_narrator
from distinctad_jax.recipes.workshop import Run
from distinctad_jax.report.inside import frame_word_maps, kept_and_left, shares_strip, word_chances
from distinctad_jax.report.page import Figure
from distinctad_jax.text.distinct import words
from distinctad_jax.text.tokenizers import Tokenizer

FULL, WITHOUT = "full", "no_distinctive_loss"
WINDOWS = 16  # read together
READ = 14  # batches of windows, in which the narrators are asked for the chances of words
KNOWN = 768  # training clips, or a few more, that tell where words lie
NEIGHBOURS = 8  # of a clip, for its words to be distinctive
MAPS, TOLD = 2, 4  # clips that are shown frame by word, and word by word


class Inside(NamedTuple):
    """Figures for three parts of the page, each possibly none, and what they rest on in numbers."""

    fits: list[Figure]
    shared: list[Figure]
    sure: list[Figure]
    numbers: dict[str, Any]


def look_inside(run: Run, variants: Sequence[str], split: str = "test") -> Inside:
    """Looks into the towers, the full narrator, and the one without the distinctive-word loss, if there is one."""
    full = open_narrator(run.needs[f"stage2 {FULL}"].folder)
    sure, numbers = _sure(run, split, *full) if {FULL, WITHOUT} <= {*variants} else ([], {})
    return Inside(_fits(run, split), _shared(run, split, full[0]), sure, numbers)


def spread(count: int, wanted: int) -> list[int]:
    """`wanted` of `count` rows, or all, each in the middle of an equal part."""
    wanted = min(wanted, count)
    return [(2 * place + 1) * count // (2 * wanted) for place in range(wanted)]


def _middles(run: Run, split: str, rows: Sequence[int]) -> UInt8[np.ndarray, "clips size size 3"]:
    """The middle frame of some clips."""
    packed, size = Records(run.needs["pack"].folder / "records", split), run.needs["pack"].results["image_size"]
    clips = packed.get(rows)
    return np.concatenate([decode_frames(clip, size, chosen=[len(clip.frames or ()) // 2]) for clip in clips])


def _fits(run: Run, split: str) -> list[Figure]:
    folders = [run.needs[name].folder / "records" for name in ("pack", "extract before", "extract")]
    packed, before, after = (Records(folder, split) for folder in folders)
    size, rows = run.needs["pack"].results["image_size"], spread(len(packed), MAPS)
    marked, figures = distinctive_of(packed, NEIGHBOURS), []
    for row, fits in zip(rows, frame_word_fits(run.needs["pretrain"].folder, before, after, rows), strict=True):
        frames = decode_frames(packed.get([row])[0], size, chosen=fits.chosen.tolist())
        picture = frame_word_maps(frames, fits.words, fits.before, fits.after, marked[row])
        entry = packed.index[row]
        note = "Cosine of frame and word, above that of the average frame; distinctive words are bold."
        figures.append(
            Figure(f"Frames and words, {entry.movie}, {entry.start:.1f} s", picture.png, picture.alt, note)
        )
    return figures


def _shared(run: Run, split: str, narrator: Narrator) -> list[Figure]:
    if narrator.em_attention is None:
        return []
    folder, policy = run.needs["extract"].folder / "records", run.needs[f"evaluate {FULL}"].results["policy"]
    records, training = Records(folder, split), Records(folder, "train")
    trained = run.needs[f"stage2 {FULL}"].results["settings"]
    how = {"clips": trained["clips"], "frames": trained["frames"], "policy": policy}
    movie, rows = next(iter(records.movies.items()))
    some = [each for each in training.movies.values() if each.start < KNOWN]
    found, known = seen_clips(narrator, records, [rows], **how), seen_clips(narrator, training, some, **how)
    strip = shares_strip(
        _middles(run, split, rows),
        found.shares,
        [records.index[row].start for row in rows],
        window=trained["clips"],
    )
    first, texts = rows[: trained["clips"]], [training.index[row].text for each in some for row in each]
    near = [
        nearest_words(getattr(known, part), texts, getattr(found, part)[: len(first)]) for part in ("kept", "left")
    ]
    figures = [
        Figure(
            f"What the clips of {movie} share",
            strip.png,
            strip.alt,
            "Under each frame, how much of its clip belongs to each base. A row dark from clip to clip is what they "
            "share; a cell dark alone is what that clip has for itself; the darkest hold half of a clip and more. "
            "Rules part windows, whose bases differ.",
        )
    ]
    if all(near[0]):
        asked = [records.index[row].text for row in first]
        said = [{word.text for word in words(text)} for text in asked]
        kept = kept_and_left(_middles(run, split, first), asked, near[0], near[1], said)
        note = (
            "Nearest words of the reconstruction, and of the part of the clip at right angles to it; a word lies "
            "where the training clips lie that use it. Words of the description are dark."
        )
        figures.append(Figure("What the reconstruction keeps, and what the remainder", kept.png, kept.alt, note))
    return figures


def _sure(run: Run, split: str, full: Narrator, tokenizer: Tokenizer) -> tuple[list[Figure], dict[str, Any]]:
    records = Records(run.needs["extract"].folder / "records", split)
    found, windows = [], {}
    for name in (FULL, WITHOUT):
        stage2 = run.needs[f"stage2 {name}"]
        trained, policy = stage2.results["settings"], run.needs[f"evaluate {name}"].results["policy"]
        narrator = full if name == FULL else open_narrator(stage2.folder)[0]
        shaped = ("clips", "frames", "text_length", "prompt_length", "names")
        key = str([policy, *(trained[part] for part in shaped)])
        if key not in windows:  # the same for both, unless a variant changes more than its loss
            batches = windows_for(trained, records, tokenizer, WINDOWS, policy)
            windows[key] = list(itertools.islice(batches, READ))
            batches.close()
        found.append(chances(narrator, windows[key]))
    descriptions = Descriptions([entry.text for entry in records.index], tokenizer, trained["text_length"])
    marked = distinctive_of(records, NEIGHBOURS)
    after, before = found
    count = min(len(after), len(before))
    told = [told_words(descriptions, row, after[row], before[row], marked[row]) for row in range(count)]
    told = [each for each in told if each.words]
    if not told:
        return [], {}
    picture = word_chances([told[row] for row in spread(len(told), TOLD)], "with the loss", "without it")
    numbers = mean_chances(told)
    with_it, without = numbers["after"], numbers["before"]
    note = (
        f"Distinctive words are bold. Mean over {count} unseen clips: {with_it['distinctive']:.1%} for distinctive "
        f"words with the loss and {without['distinctive']:.1%} without; {with_it['other']:.1%} and "
        f"{without['other']:.1%} for the others."
    )
    figure = Figure("How likely the models find each word of the reference", picture.png, picture.alt, note)
    return [figure], {FULL: with_it, WITHOUT: without}
