"""What TTML2 asks of a document in any profile, as far as it moves what is heard: order, references and values.

Source: TTML2 and the XML schema of DAPT that follows it. Colours, fonts and places on the screen are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from distinctad_jax.tracks.faults import Fault
from distinctad_jax.tracks.ttml import TT, TTA, TTM, TTP
from distinctad_jax.tracks.xml_tree import XML, Node

_ORDERED = frozenset({"body", "div", "p", "span", "br", "audio", "source", "data"})
"""Elements that hold metadata first, then animation, then what is shown or heard."""
_HEAD = ("metadata", "resources", "styling", "layout")
_ROLES = "action caption description dialog expletive kinesic lyrics music narration quality sound source suppressed"
_ROLES += " reproduction thought title transcription"
_ROLE = rf"(?:{_ROLES.replace(' ', '|')}|x-\S+)"

_COUNT = r"[0-9]{0,8}[1-9][0-9]{0,8}"
_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
_VALUES = {
    (TTP, "frameRate"): (_COUNT, "a whole number above 0"),
    (TTP, "frameRateMultiplier"): (rf"{_COUNT}\s+{_COUNT}", "two whole numbers above 0, such as 1000 1001"),
    (TTP, "tickRate"): (_COUNT, "a whole number above 0"),
    (TTA, "gain"): (_NUMBER, "a number, such as 0.39"),
    (TTA, "pan"): (_NUMBER, "a number, such as -1"),
    (TTA, "pitch"): (rf"{_NUMBER}(?:%|[hH][zZ]|st)?", "a percentage, or a number with Hz or st"),
    (TTA, "speak"): ("none|normal|fast|slow", "one of none, normal, fast, slow"),
    (TTM, "role"): (rf"{_ROLE}(?:\s+{_ROLE})*", "roles that TTML2 knows, or that begin with x-"),
    ("", "calcMode"): ("discrete|linear|paced|spline", "one of discrete, linear, paced, spline"),
    ("", "fill"): ("freeze|remove", "freeze or remove"),
    ("", "keyTimes"): (r"(?:0(?:\.[0-9]+)?|1(?:\.0+)?|\.[0-9]+)", "numbers from 0 to 1"),
}
_LISTED = frozenset({"gain", "pan", "pitch", "keyTimes"})
"""What `animate` has several of, with semicolons between them."""


def order(root: Node) -> Iterator[Fault]:
    """Source: TTML2, sections 8.1 and 14.1; the schema's `head`, `agent` and content elements."""
    for node in root.walk():
        if node.space == TT and node.name in _ORDERED:
            ranks = [_rank(child) for child in node.children]
            late = next((place for place in range(1, len(ranks)) if ranks[place] < ranks[place - 1]), None)
            if late is not None:
                child = node.children[late]
                told = "metadata comes first, then animation, then the rest"
                yield Fault(child.line, f"{child.name} stands too late in {node.name}: {told}")
        elif (node.space, node.name) == (TT, "head"):
            names = [child.name for child in node.children if child.space == TT and child.name in _HEAD]
            if names != sorted(names, key=_HEAD.index) or any(names.count(name) > 1 for name in _HEAD[1:]):
                yield Fault(node.line, f"head holds {', '.join(_HEAD)} in this order, the last three once at most")
        elif (node.space, node.name) == (TTM, "agent"):
            names = [child.name for child in node.children if child.space == TTM]
            if "actor" in names[:-1]:
                yield Fault(node.line, f"the agent {node.get('id', XML)!r} has one actor at most, behind its names")


def _rank(child: Node) -> int:
    if child.space == TT and child.name != "metadata":
        return 1 if child.name in ("animate", "set") else 2
    return 0


def references(root: Node) -> Iterator[Fault]:
    """Source: TTML2, sections 10.2 (`style`) and 11.2 (`region`): what is not declared is an error."""
    known = {
        name: {node.get("id", XML) for node in root.walk() if (node.space, node.name) == (TT, name)}
        for name in ("style", "region")
    }
    for node in root.walk():
        for name, ids in known.items():
            named = (node.get(name) or "") if node.space == TT and node.name != "font" else ""  # its style is a slant
            for id in named.split():
                if id not in ids:
                    yield Fault(node.line, f"{name} {id[:40]!r} is no {name} of the document")


def values(root: Node) -> Iterator[Fault]:
    """Source: TTML2, sections 7.2 (parameters), 10.2 (audio), 13 (animation) and 14.2 (roles)."""
    for node in root.walk():
        for attribute, value in node.attributes.items():
            pattern, asked = _VALUES.get(attribute, ("", ""))
            if not pattern or (not attribute[0] and node.space != TT):
                continue
            several = attribute[1] in _LISTED and (node.name == "animate" or attribute[1] == "keyTimes")
            parts = [part.strip() for part in (value.split(";") if several else [value])]
            if not all(re.fullmatch(pattern, part) for part in parts):
                yield Fault(node.line, f"{attribute[1]} {value[:40]!r} of {node.name} is not {asked}")
