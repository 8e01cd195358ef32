"""What W3C TTML2 and DAPT call things, and how they write times.

Source: TTML2; the DAPT editor's draft of May 2026 with the registries of content descriptors and description types.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from distinctad_jax.tracks.xml_tree import XML, Node

TT = "http://www.w3.org/ns/ttml"
TTM = "http://www.w3.org/ns/ttml#metadata"
TTP = "http://www.w3.org/ns/ttml#parameter"
TTA = "http://www.w3.org/ns/ttml#audio"
DAPTM = "http://www.w3.org/ns/ttml/profile/dapt#metadata"
CONTENT_PROFILE = "http://www.w3.org/ns/ttml/profile/dapt1.0/content"
PROCESSOR_PROFILE = "http://www.w3.org/ns/ttml/profile/dapt1.0/processor"

SCRIPT_TYPES = ("originalTranscript", "translatedTranscript", "preRecording", "asRecorded")
ON_SCREEN = ("ON", "OFF", "ON_OFF", "OFF_ON")
DESCRIPTION_TYPES = ("pronunciationNote", "scene", "plotSignificance")
DESCRIPTORS = ("audio", "audio.dialogue", "audio.nonDialogueSounds", "visual", "visual.dialogue", "visual.nonText")
DESCRIPTORS += ("visual.text", "visual.text.title", "visual.text.credit", "visual.text.location")

_START = (
    r"A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u2070-\u218f"
    r"\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_LATER = _START + r"0-9\-\u00b7\u0300-\u036f\u203f\u2040"
NC_NAME = re.compile(f"[{_START}][{_LATER}.]*")
"""What an `xml:id` is. Source: Namespaces in XML 1.0, NCName; XML 1.0, NameStartChar and NameChar."""
NO_LANGUAGE = ("", "und")
"""What `daptm:langSrc` says where nobody found out: nothing, or that."""
_TOKEN = re.compile(f"[:{_LATER}]+")
_CLOCK = re.compile(r"([0-9]{2,7}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,12})|:([0-9]{2,6})(?:\.[0-9]{1,6})?)?")
_OFFSET = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,12}))?(h|m|s|ms|f|t)")
_UNITS = {"h": Fraction(3600), "m": Fraction(60), "s": Fraction(1), "ms": Fraction(1, 1000)}


def is_descriptor(text: str) -> bool:
    """Whether a content descriptor is registered, or one of somebody's own (`x-`), alone or below a registered one.

    Source: DAPT, section on `<content-descriptor>` values.
    """
    tokens = text.split(".")
    if not all(_TOKEN.fullmatch(token) for token in tokens):
        return False
    for size in range(len(tokens), -1, -1):
        if size == 0 or ".".join(tokens[:size]) in DESCRIPTORS:
            return size == len(tokens) or tokens[size].startswith("x-")
    return False


def below(descriptor: str, other: str) -> bool:
    """Whether a content descriptor is `other` or a sub-type of it."""
    return descriptor == other or descriptor.startswith(f"{other}.")


def is_event(node: Node) -> bool:
    """Whether an element is a script event: a `div` with an `xml:id` and with no `div` in it.

    Source: DAPT, section "Handling div and p elements": what has a `div` in it groups events and is none itself.
    """
    if (node.space, node.name) != (TT, "div") or node.get("id", XML) is None:
        return False
    return not any((child.space, child.name) == (TT, "div") for child in node.children)


@dataclass(frozen=True)
class Clock:
    """How a document counts: frames and ticks in a second; None if it does not say."""

    frames: Fraction | None = None
    ticks: Fraction | None = None

    def seconds(self, expression: str) -> Fraction | None:
        """A time expression; None if it is none, or counts in what the document does not define."""
        if match := _CLOCK.fullmatch(expression):
            hours, minutes, seconds, fraction, frames = match.groups()
            if int(minutes) > 59 or int(seconds) > 60 or (frames and not self.frames):
                return None
            whole = Fraction(int(hours) * 3600 + int(minutes) * 60 + int(seconds))
            if frames and self.frames:
                return whole + int(frames) / self.frames
            return whole + _fraction(fraction)
        if match := _OFFSET.fullmatch(expression):
            whole, fraction, unit = match.groups()
            number = int(whole) + _fraction(fraction)
            if unit in _UNITS:
                return number * _UNITS[unit]
            rate = self.frames if unit == "f" else self.ticks
            return number / rate if rate else None
        return None


def _fraction(digits: str | None) -> Fraction:
    return Fraction(int(digits), 10 ** len(digits)) if digits else Fraction(0)


def clock_of(root: Node) -> Clock:
    """What the root element says of frames and ticks."""
    rate, ticks = root.get("frameRate", TTP), root.get("tickRate", TTP)
    multiplier = (root.get("frameRateMultiplier", TTP) or "1 1").split()
    frames = _positive(rate)
    if frames and len(multiplier) == 2 and all(_positive(part) for part in multiplier):
        frames *= Fraction(int(multiplier[0]), int(multiplier[1]))
    return Clock(frames, _positive(ticks))


def _positive(text: str | None) -> Fraction | None:
    digits = (text or "").strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 9 and int(digits)):
        return None
    return Fraction(int(digits))


def style_of(expression: str) -> str:
    """`clock` or the unit of an offset: a document is to use one style throughout."""
    return "clock" if ":" in expression else "offset"
