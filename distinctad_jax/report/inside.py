"""What goes on inside the models, as pictures: arrays and words in, a PNG and its alternative in words out.

Four questions: which bases a film's clips share (`shares_strip`), what the reconstruction of a clip keeps and what
remains beside it (`kept_and_left`), which frame shows which word (`frame_word_maps`), and how sure the model was of
each word of a description (`word_chances`). The same values give the same bytes.
"""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from PIL import Image

from distinctad_jax.report.pictures import COLOURS, DOTS_PER_INCH, HEAT, INK, LINE, PAPER, SOFT, plain

PER_LINE = 12
"""Clips of a film side by side, at most."""
_EITHER = LinearSegmentedColormap.from_list("either", ["#8f3f12", "#e2a37f", PAPER, "#8fb8d3", "#14466e"])
_WITH, _WITHOUT = COLOURS[0], "#d8a98b"
_DARKEST = 0.5  # the share from which a cell is as dark as it gets, in all films, so that these can be compared
_LEAST_FIT = 0.2  # that a map's colours reach to: less is hardly a fit, and not to look like one
_WIDTH = 8.6  # inches, of every picture

Scored = Sequence[tuple[str, float]]
"""Words and how near each is, best first."""


@dataclass(frozen=True)
class Picture:
    """A PNG, and in `alt` what it shows to someone who cannot see it. Notebooks show both."""

    png: bytes
    alt: str

    def _repr_png_(self) -> tuple[str, dict[str, str]]:
        return base64.b64encode(self.png).decode("ascii"), {"alt": self.alt}


class Told(NamedTuple):
    """A description word by word: how likely two models found each word, given those before it.

    `marked` are the words (as they stand in `words`) that only this clip deserves.
    """

    words: Sequence[str]
    after: Sequence[float]
    before: Sequence[float]
    marked: Collection[str]


def shares_strip(
    frames: UInt8[np.ndarray, "clips height width 3"],
    shares: Float[np.ndarray, "clips bases"],
    starts: Sequence[float],
    *,
    window: int,
    most: int = 16,
) -> Picture:
    """A film as a strip of one frame for each clip, and under each frame its shares of the bases.

    A row of the strip that stays dark from clip to clip is what these clips share; a cell dark alone is one clip's.
    Clips of one window (so many each, they share one set of bases) stand together, a rule parts them from the next.

    Args:
      shares: mean responsibilities of the clips' tokens; rows sum to 1.
      starts: of the clips, in seconds.
      most: bases that have a row, those used most; a last row adds the others up.

    Errors: ValueError if there is no clip, or counts differ.
    """
    if not len(frames) or not len(frames) == len(shares) == len(starts) or min(window, most) < 1:
        raise ValueError(
            f"A strip needs a frame, shares and a start for each clip, window and most >= 1; got {len(frames)}, "
            f"{len(shares)}, {len(starts)}, window {window}, most {most}."
        )
    order = np.argsort(-shares.sum(axis=0), kind="stable")
    shown = [f"base {base}" for base in order[:most]]
    rows = shares[:, order[:most]].astype(np.float64).T
    if shares.shape[1] > most:
        rows, shown = np.vstack([rows, shares[:, order[most:]].sum(axis=1)]), [*shown, "others"]
    across = PER_LINE // window * window or PER_LINE  # whole windows in a line, if they fit
    lines = [range(first, min(first + across, len(frames))) for first in range(0, len(frames), across)]
    across = min(across, len(frames))
    edges = {"left": 0.65 / _WIDTH, "right": 1 - 0.12 / _WIDTH}
    picture_height = min((_WIDTH - 0.77) / across * frames.shape[1] / frames.shape[2], 1.6)
    heights = [picture_height, 0.11 * len(rows), 0.34]
    figure = _blank(0.12 + len(lines) * sum(heights))
    top = 1 - 0.12 / figure.get_figheight()
    grid = GridSpec(
        3 * len(lines), 1, figure, height_ratios=heights * len(lines), hspace=0, top=top, bottom=0, **edges
    )
    for line, clips in enumerate(lines):
        above, below = figure.add_subplot(grid[3 * line]), figure.add_subplot(grid[3 * line + 1])
        above.imshow(_side_by_side(frames[clips.start : clips.stop]), extent=(0, len(clips), 0.04, 1), aspect="auto")
        above.set(xlim=(0, across), ylim=(0, 1))
        above.axis("off")
        part = np.full((len(rows), across), np.nan)
        part[:, : len(clips)] = rows[:, clips.start : clips.stop]
        below.imshow(part, cmap=HEAT, vmin=0, vmax=_DARKEST, aspect="auto", extent=(0, across, len(rows), 0))
        below.set_yticks(np.arange(len(rows)) + 0.5, shown, fontsize=5.5, color=SOFT)
        below.set_xticks([p + 0.5 for p in range(len(clips))], [_clock(starts[clip]) for clip in clips], fontsize=7)
        _bare(below)
        for place, clip in enumerate(clips):
            if clip % window == 0 and place:
                below.axvline(place, color=INK, linewidth=1.1)
                above.axvline(place, color=INK, linewidth=1.1)
    return Picture(_png_of(figure), _strip_alt(shares, order, starts))


def kept_and_left(
    frames: UInt8[np.ndarray, "clips height width 3"],
    texts: Sequence[str],
    kept: Sequence[Scored],
    left: Sequence[Scored],
    said: Sequence[Collection[str]],
) -> Picture:
    """Beside a frame of each clip: the words nearest to its reconstruction, and those nearest to what remains.

    Words that the clip's description uses (`said`, lower-cased) are dark, the others pale.

    Errors: ValueError if there is no clip, or not as much of everything for each.
    """
    counts = {len(frames), len(texts), len(kept), len(left), len(said)}
    if len(counts) != 1 or not len(frames) or not all([*kept, *left]):
        raise ValueError(
            f"Each clip needs a frame, a text and words on both sides; got {len(frames)} frames, {len(texts)} texts, "
            f"{[len(each) for each in kept]} and {[len(each) for each in left]} words, {len(said)} sets."
        )
    most = max(len(each) for each in [*kept, *left])
    each_height = max(1.15, 0.3 + 0.155 * most)
    figure = _blank(0.4 + each_height * len(frames))
    top = 1 - 0.42 / figure.get_figheight()
    grid = GridSpec(
        len(frames), 3, figure, width_ratios=[1.05, 2, 2], hspace=0.42, wspace=0.5,
        left=0.015, right=0.975, top=top, bottom=0.02,
    )  # fmt: skip
    reach = max(value for side in (*kept, *left) for _, value in side)
    for clip, text in enumerate(texts):
        shown = figure.add_subplot(grid[clip, 0])
        shown.imshow(frames[clip])
        shown.axis("off")
        title = textwrap.shorten(plain(text), 92, placeholder="…") or "(no description)"
        shown.set_title(title, loc="left", fontsize=8.5, color=INK, pad=4)
        for column, words in enumerate((kept[clip], left[clip]), start=1):
            _word_bars(figure.add_subplot(grid[clip, column]), words, said[clip], reach, most)
    for column, heading in ((1, "the reconstruction keeps"), (2, "the remainder keeps")):
        place = grid[0, column].get_position(figure).x0
        figure.text(place, 1 - 0.08 / figure.get_figheight(), heading, fontsize=9.5, color=SOFT, va="top")
    return Picture(_png_of(figure), _kept_alt(texts, kept, left))


def frame_word_maps(
    frames: UInt8[np.ndarray, "frames height width 3"],
    words: Sequence[str],
    before: Float[np.ndarray, "frames words"],
    after: Float[np.ndarray, "frames words"],
    marked: Collection[str] = (),
) -> Picture:
    """How well each frame of a clip fits each word of its description, before and after Stage I, on one scale.

    Zero is what the average frame of the split gets; `marked` words are set in bold.

    Errors: ValueError if there is no frame or word, or a map has another shape.
    """
    shape = (len(frames), len(words))
    if not all(shape) or before.shape != shape or after.shape != shape:
        raise ValueError(f"Maps need frames and words, here {shape}; got {before.shape} and {after.shape}.")
    panel = (_WIDTH - 1.6) / 2 - 0.15
    picture_height = min(panel / len(frames) * frames.shape[1] / frames.shape[2], 1.2)
    heat_height = 0.215 * len(words)
    figure = _blank(0.42 + picture_height + heat_height + 0.1)
    height = figure.get_figheight()
    grid = GridSpec(
        2, 2, figure, height_ratios=[picture_height, heat_height], hspace=0.03, wspace=0.05,
        left=1.12 / _WIDTH, right=1 - 0.74 / _WIDTH, top=1 - 0.34 / height, bottom=0.08 / height,
    )  # fmt: skip
    reach = max(float(np.abs(before).max()), float(np.abs(after).max()), _LEAST_FIT)
    for column, (title, fits) in enumerate((("before Stage I", before), ("after Stage I", after))):
        above, below = figure.add_subplot(grid[0, column]), figure.add_subplot(grid[1, column])
        above.set_title(title, loc="left", fontsize=10, color=INK, pad=6)
        above.imshow(_side_by_side(frames), extent=(0, len(frames), 0, 1), aspect="auto")
        above.set(xlim=(0, len(frames)), ylim=(0, 1))
        above.axis("off")
        norm = TwoSlopeNorm(0, -reach, reach)
        image = below.imshow(fits.T, cmap=_EITHER, norm=norm, aspect="auto", extent=(0, len(frames), len(words), 0))
        below.set_xticks([])
        below.set_yticks(np.arange(len(words)) + 0.5, [] if column else [plain(w) for w in words], fontsize=8.5)
        for (frame, word), fit in np.ndenumerate(fits):
            below.text(frame + 0.5, word + 0.5, _signed(float(fit)), ha="center", va="center", fontsize=6.5,
                       color=PAPER if abs(fit) > 0.6 * reach else INK)  # fmt: skip
        _bare(below)
        _embolden(below, words, marked)
    place = (1 - 0.62 / _WIDTH, 0.08 / height, 0.1 / _WIDTH, heat_height / height)
    bar = figure.colorbar(image, cax=figure.add_axes(place))
    bar.ax.tick_params(labelsize=7, colors=SOFT, length=2)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]  (matplotlib: a spine, typed as a method)
    return Picture(_png_of(figure), _maps_alt(words, before, after))


def word_chances(told: Sequence[Told], after: str, before: str) -> Picture:
    """How likely each word of some descriptions was to two models that were read the words before it.

    `after` and `before` name the models; the words that only the clip deserves are set in bold.

    Errors: ValueError if there is no description, or one has no words, or not as many numbers as words.
    """
    wrong = [each for each in told if not 0 < len(each.words) == len(each.after) == len(each.before)]
    if not told or wrong:
        raise ValueError(f"Each description needs words and two numbers for each; got {wrong or 'no description'}.")
    figure = _blank(0.45 + 1.12 * len(told))
    height = figure.get_figheight()
    edges = {"left": 0.06, "right": 0.985, "top": 1 - 0.4 / height, "bottom": 0.3 / height}
    grid = GridSpec(len(told), 1, figure, hspace=0.75, **edges)
    longest = max(len(each.words) for each in told)
    for row, each in enumerate(told):
        axes = figure.add_subplot(grid[row])
        places = np.arange(len(each.words))
        axes.bar(places - 0.19, each.before, 0.36, color=_WITHOUT, label=before)
        axes.bar(places + 0.19, each.after, 0.36, color=_WITH, label=after)
        axes.set(xlim=(-0.6, longest - 0.4), ylim=(0, 1))
        axes.set_xticks(places, [plain(word) for word in each.words], fontsize=8)
        axes.set_yticks([0, 0.5, 1], ["0", "½", "1"], fontsize=7, color=SOFT)
        axes.grid(axis="y", color=LINE, linewidth=0.5)
        axes.set_axisbelow(True)
        _bare(axes)
        _embolden(axes, each.words, each.marked, axis="x")
    names, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(names, labels, loc="upper right", ncols=2, frameon=False, fontsize=8.5, labelcolor=INK,
                  bbox_to_anchor=(0.99, 1))  # fmt: skip
    figure.text(0.06, 1 - 0.1 / height, "probability of the next word", fontsize=9, color=SOFT, va="top")
    return Picture(_png_of(figure), _chances_alt(told, after, before))


def _blank(height: float) -> Figure:
    return Figure(figsize=(_WIDTH, height), dpi=DOTS_PER_INCH, facecolor=PAPER)


def _side_by_side(
    frames: UInt8[np.ndarray, "frames height width 3"],
) -> UInt8[np.ndarray, "height all_widths 3"]:
    """One picture of all frames: drawing is slow by the picture. The edges of each make room for a gap."""
    apart = frames.copy()
    gap = max(1, frames.shape[2] // 50)
    apart[:, :, :gap] = apart[:, :, -gap:] = [int(PAPER[at : at + 2], 16) for at in (1, 3, 5)]
    return np.concatenate(list(apart), axis=1)


def _png_of(figure: Figure) -> bytes:
    """The figure in 256 colours: frames make it three times as large otherwise."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    file = io.BytesIO()
    image.quantize(256, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


def _bare(axes: Axes) -> None:
    """No frame, no ticks; labels stay."""
    axes.set_facecolor(PAPER)
    axes.tick_params(which="both", length=0, colors=SOFT, pad=2)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _embolden(axes: Axes, words: Sequence[str], marked: Collection[str], axis: str = "y") -> None:
    labels = axes.get_yticklabels() if axis == "y" else axes.get_xticklabels()
    for word, label in zip(words, labels, strict=False):
        label.set(color=INK if word in marked else SOFT, fontweight="bold" if word in marked else "normal")


def _word_bars(axes: Axes, words: Scored, said: Collection[str], reach: float, most: int) -> None:
    colours = [COLOURS[0] if word in said else "#b9cbd8" for word, _ in words]
    axes.barh(range(len(words)), [max(value, 0.0) for _, value in words], height=0.66, color=colours)
    axes.set(ylim=(most - 0.4, -0.6), xlim=(0, reach * 1.02), xticks=[])
    axes.set_yticks(range(len(words)), [plain(word) for word, _ in words], fontsize=8)
    _bare(axes)
    _embolden(axes, [word for word, _ in words], said)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _signed(value: float) -> str:
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", "−").replace("0.", ".", 1)


def _strip_alt(shares: np.ndarray, order: np.ndarray, starts: Sequence[float]) -> str:
    first = int(order[0])
    clip, base = divmod(int(shares.argmax()), shares.shape[1])
    return (
        f"One frame for each of {len(shares)} clips, and under each its shares of {shares.shape[1]} bases. "
        f"Base {first} is used most, by {shares[:, first].mean():.0%} of all tokens; the clip at "
        f"{_clock(starts[clip])} leans most on a single one, {shares[clip, base]:.0%} of it on base {base}."
    )


def _kept_alt(texts: Sequence[str], kept: Sequence[Scored], left: Sequence[Scored]) -> str:
    told = [
        f"Clip {number}, {' '.join(text.split())!r}: near the reconstruction {_names(here)}; near the remainder "
        f"{_names(there)}."
        for number, (text, here, there) in enumerate(zip(texts, kept, left, strict=True), start=1)
    ]
    return " ".join(told)


def _maps_alt(words: Sequence[str], before: np.ndarray, after: np.ndarray) -> str:
    gained = (after - before).max(axis=0)
    best = int(gained.argmax())
    frames = after.argmax(axis=0)
    shown = ", ".join(f"{word} in frame {frame + 1}" for word, frame in zip(words, frames, strict=True))
    count, many = before.shape
    return (
        f"Two heat maps of {count} frames and {many} words. The mean fit is {before.mean():+.2f} "
        f"before Stage I and {after.mean():+.2f} after it; {words[best]!r} gains most. After Stage I each word fits "
        f"best: {shown}."
    )


def _chances_alt(told: Sequence[Told], after: str, before: str) -> str:
    lines = []
    for each in told:
        words = [
            f"{word} {there:.0%} and {here:.0%}"
            for word, here, there in zip(each.words, each.after, each.before, strict=True)
            if word in each.marked
        ]
        lines.append(f"{' '.join(each.words)}: {', '.join(words) or 'no word is distinctive'}.")
    return f"Bars of the probability of each word, {before} and {after}. Distinctive words: {' '.join(lines)}"


def _names(words: Scored) -> str:
    return ", ".join(word for word, _ in words)
