"""Pictures for a report: arrays and numbers in, PNG bytes out.

Drawn on a light ground whatever the reader's colour scheme; the same values give the same bytes.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from PIL import Image

INK, SOFT, LINE, PAPER = "#23262b", "#62676f", "#d9d7d0", "#fdfcf9"
# Told apart in print and by colour-blind readers; lines also differ in dash.
COLOURS = ("#1f5a8a", "#c2541b", "#3f7f55", "#8a4a86", "#a8841c", "#4f5b66")
DASHES = ("-", "--", "-.", ":")
HEAT = LinearSegmentedColormap.from_list("heat", [PAPER, "#bcd3e2", "#4a87b0", "#1f5a8a", "#0d2c48"])
DOTS_PER_INCH = 150
_GAP = 255  # the palette entry between the frames of a strip


def loss_curves(series: Mapping[str, Sequence[tuple[int, float]]], title: str) -> bytes:
    """Lines of (step, value), one for each name: a running mean, over the values themselves drawn faintly.

    Errors: ValueError if there is no series or one has no points.
    """
    empty = [name for name, points in series.items() if not points]
    if not series or empty:
        raise ValueError(f"Curves need at least one point in each series; without: {empty or 'all, none given'}.")
    figure, axes = canvas(7.2, 3.4, title)
    for at, (name, points) in enumerate(series.items()):
        steps, values = np.array([step for step, _ in points]), np.array([value for _, value in points], float)
        colour, dash = COLOURS[at % len(COLOURS)], DASHES[at // len(COLOURS) % len(DASHES)]
        smooth = _running_mean(values, max(1, len(values) // 40))
        if len(values) >= 80:
            axes.plot(steps, values, color=colour, linewidth=0.7, alpha=0.25)
        marker = "o" if len(values) < 12 else None
        axes.plot(steps, smooth, color=colour, linestyle=dash, linewidth=1.7, label=name, marker=marker, markersize=3)
    axes.set_xlabel("step", color=SOFT, fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    axes.margins(x=0.02)
    if len(series) > 1 or next(iter(series)) != title:
        axes.legend(frameon=False, fontsize=8.5, labelcolor=INK, loc="upper right")
    return png_of(figure)


def responsibility_map(responsibilities: Float[np.ndarray, "clips tokens bases"], texts: Sequence[str]) -> bytes:
    """Which bases the tokens of each clip belong to: a row for each clip, a column for each base, most used first.

    A column that is dark in many rows holds what the clips share; one dark in a single row, what only it shows.

    Errors: ValueError if there are not as many texts as clips, or no clip.
    """
    if not len(responsibilities) or len(texts) != len(responsibilities):
        raise ValueError(
            f"The map needs a text for each clip, got {len(responsibilities)} clips, {len(texts)} texts."
        )
    shares = responsibilities.astype(np.float64).mean(axis=1)
    order = np.argsort(-shares.sum(axis=0), kind="stable")
    labels = [textwrap.shorten(plain(text), 58, placeholder="…") or "(no description)" for text in texts]
    figure, axes = canvas(8.6, 1.35 + 0.33 * len(labels), "")
    image = axes.imshow(shares[:, order], cmap=HEAT, vmin=0, aspect="auto", interpolation="nearest")
    axes.set_yticks(range(len(labels)), labels, fontsize=8.5, color=INK)
    axes.set_yticks(np.arange(1, len(labels)) - 0.5, minor=True)
    axes.grid(axis="y", which="minor", color=PAPER, linewidth=1.5)
    axes.tick_params(which="both", length=0)
    axes.set_xticks([0, len(order) - 1], ["most used", "least used"], fontsize=8, color=SOFT)
    axes.set_xlabel("bases", color=SOFT, fontsize=9)
    for spine in axes.spines.values():
        spine.set_visible(False)
    bar = figure.colorbar(image, ax=axes, fraction=0.025, pad=0.02)
    bar.set_label("share of the clip's tokens", fontsize=8, color=SOFT)
    bar.ax.tick_params(labelsize=7.5, colors=SOFT, length=2)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]  (matplotlib: a spine, typed as a method)
    return png_of(figure)


def frame_strip(frames: UInt8[np.ndarray, "frames height width 3"], height: int = 112) -> bytes:
    """The frames side by side, from left to right, each `height` pixels high.

    Errors: ValueError if there is no frame or height < 1.
    """
    if not frames.size or height < 1:
        raise ValueError(f"A strip needs frames and height >= 1, got frames {frames.shape} and height {height}.")
    width = max(1, round(frames.shape[2] * height / frames.shape[1]))
    step = width + max(2, height // 40)
    rule = Image.Resampling.NEAREST if height % frames.shape[1] == 0 else Image.Resampling.LANCZOS
    strip = Image.new("RGB", (len(frames) * step - (step - width), height))
    for at, frame in enumerate(frames):
        strip.paste(Image.fromarray(frame).resize((width, height), rule), (at * step, 0))
    # 255 colours, dithered: a third of the size, and no difference at this height. The last one is the gaps'.
    few = strip.quantize(palette=strip.quantize(_GAP), dither=Image.Dither.FLOYDSTEINBERG)
    for at in range(1, len(frames)):
        few.paste(_GAP, (at * step - (step - width), 0, at * step, height))
    few.putpalette(((few.getpalette() or []) + [0] * (3 * _GAP + 3))[: 3 * _GAP + 3])
    file = io.BytesIO()
    few.save(file, "PNG", optimize=True, transparency=_GAP)
    return file.getvalue()


def bars(values: Mapping[str, float], title: str, *, marks: Mapping[str, float] | None = None) -> bytes:
    """A bar for each name, from the top; `marks` are named vertical lines (chance, people, a baseline).

    Errors: ValueError if there is no bar.
    """
    if not values:
        raise ValueError("A bar picture needs at least one value, got none.")
    figure, axes = canvas(7.2, 0.95 + 0.36 * len(values) + 0.2 * bool(marks), title)
    places = range(len(values))
    axes.barh(places, list(values.values()), height=0.62, color=COLOURS[0])
    axes.set_yticks(places, [textwrap.shorten(plain(name), 48, placeholder="…") for name in values], color=INK)
    axes.invert_yaxis()
    for place, value in zip(places, values.values(), strict=True):
        axes.annotate(f"{value:.1f}", (max(value, 0), place), (4, 0), textcoords="offset points", va="center",
                      fontsize=8.5, color=INK)  # fmt: skip
    for at, (name, value) in enumerate((marks or {}).items()):
        axes.axvline(value, color=COLOURS[1], linewidth=1.2, linestyle=DASHES[1 + at % 3])
        axes.annotate(plain(name), (value, 0), (0, -4), xycoords=axes.get_xaxis_transform(), ha="center", va="top",
                      textcoords="offset points", fontsize=8, color=COLOURS[1])  # fmt: skip
    axes.margins(x=0.1)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0)
    axes.spines["bottom"].set_visible(False)
    return png_of(figure)


def canvas(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    """A quiet figure of its own, in inches; nothing of matplotlib's global state is touched."""
    airy = ConstrainedLayoutEngine(w_pad=0.14, h_pad=0.12)
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, facecolor=PAPER, layout=airy)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_facecolor(PAPER)
    if title:
        axes.set_title(plain(title), loc="left", fontsize=10.5, color=INK, pad=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(LINE)
    axes.tick_params(labelsize=8.5, colors=SOFT, length=3)
    return figure, axes


def png_of(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def plain(text: str) -> str:
    """Text on one line; a dollar sign is one, not the start of a formula."""
    return " ".join(text.split()).replace("$", r"\$")


def _running_mean(values: Float[np.ndarray, " steps"], width: int) -> Float[np.ndarray, " steps"]:
    """Mean over up to 2 * width + 1 neighbours; fewer at the ends, and never a value that is not finite."""
    finite = np.isfinite(values)
    kernel = np.ones(2 * width - 1)
    total = np.convolve(np.where(finite, values, 0), kernel, mode="full")[width - 1 : width - 1 + len(values)]
    count = np.convolve(finite.astype(float), kernel, mode="full")[width - 1 : width - 1 + len(values)]
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)
