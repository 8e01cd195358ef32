"""Intervals as a picture: SVG text, a few kilobytes, the same bytes for the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from distinctad_jax.claims.verdicts import Judged

WIDTH, LABELS, RIGHT, ROW, TOP, BOTTOM = 760, 330, 70, 24, 30, 34
INK, SOFT, LINE, PAPER = "#23262b", "#62676f", "#d9d7d0", "#fdfcf9"
COLOURS = {"shown": "#3f7f55", "refuted": "#c2541b", "not shown": "#62676f"}
MARKS = {"shown": "●", "refuted": "✕", "not shown": "○"}
LONGEST = 52  # characters of a label


def intervals(title: str, judged: Sequence[Judged]) -> str:
    """A row for each claim that could be judged: its interval, its number, and a line where its bar is.

    Colours and marks tell verdicts apart. Errors: ValueError if none could be judged.
    """
    rows = [each for each in judged if each.value is not None and each.low is not None and each.high is not None]
    if not rows:
        raise ValueError("A picture of intervals needs at least one, got none.")
    ends = [end for each in rows for end in (each.low, each.high, each.claim.bar) if end is not None]
    least, most = min(ends), max(ends)
    room = 0.04 * ((most - least) or 1.0)
    least, most = least - room, most + room

    def at(value: float | None) -> str:
        return f"{LABELS + ((value or 0.0) - least) / (most - least) * (WIDTH - LABELS - RIGHT):.1f}"

    height = TOP + ROW * len(rows) + BOTTOM
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="sans-serif" font-size="11" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="{PAPER}"/>',
        f'<text x="10" y="19" font-size="12.5" fill="{INK}">{escape(title)}</text>',
    ]
    for place, each in enumerate(rows):
        y = TOP + ROW * place + ROW // 2
        colour = COLOURS[each.verdict]
        bar = at(each.claim.bar)
        drawn += [
            f'<line x1="{bar}" x2="{bar}" y1="{y - ROW / 2:g}" y2="{y + ROW / 2:g}" stroke="{SOFT}" '
            'stroke-dasharray="2 2"/>',
            f'<text x="10" y="{y + 4}" fill="{INK}">{escape(_short(each.claim.says))}</text>',
            f'<line x1="{at(each.low)}" x2="{at(each.high)}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"/>',
            f'<text x="{at(each.value)}" y="{y + 4}" fill="{colour}" text-anchor="middle">'
            f"{MARKS[each.verdict]}</text>",
            f'<text x="{WIDTH - 8}" y="{y + 4}" fill="{colour}" text-anchor="end">{each.value:+.1f}</text>',
        ]
    foot = TOP + ROW * len(rows) + 12
    drawn += [
        f'<line x1="{LABELS}" x2="{WIDTH - RIGHT}" y1="{foot - 8}" y2="{foot - 8}" stroke="{LINE}"/>',
        f'<text x="{LABELS}" y="{foot + 6}" fill="{SOFT}">{least:.1f}</text>',
        f'<text x="{WIDTH - RIGHT}" y="{foot + 6}" fill="{SOFT}" text-anchor="end">{most:.1f}</text>',
        f'<text x="10" y="{foot + 6}" fill="{SOFT}">● shown  ○ not shown  ✕ refuted; dashed: the bar</text>',
        "</svg>",
    ]
    return "\n".join(drawn) + "\n"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rstrip()}…"
