"""The mark-up inside a WebVTT cue.

Source: W3C WebVTT, section 6.4 (cue text parsing): a tag ends at the next `>`, wherever that is, or with the text;
character references are those of HTML. What is left is the text that a browser hands to a screen reader.
"""

from __future__ import annotations

import html
import re

_NUMBER = re.compile(r"&#(?:[xX]0*([0-9a-fA-F]+)|0*([0-9]+));?")
_DIGITS = 7  # of the last code point, in decimals; more are none
_VOICE = re.compile(r"v(?:\.[^ \t\n\f]*)?[ \t\n\f]+(.*)", re.DOTALL)


def parsed(text: str) -> tuple[str, str]:
    """`(text without mark-up, speaker)`; the speaker is that of the first voice tag, empty if there is none."""
    if "<" not in text:
        return unescaped(text), ""
    kept: list[str] = []
    speaker, place = "", 0
    while (opening := text.find("<", place)) >= 0:
        kept.append(unescaped(text[place:opening]))
        closing = text.find(">", opening + 1)
        tag = text[opening + 1 : closing if closing >= 0 else len(text)]
        if not speaker and tag.startswith("v") and (voice := _VOICE.fullmatch(tag)):
            speaker = " ".join(unescaped(voice[1]).split())
        place = closing + 1 if closing >= 0 else len(text)
    kept.append(unescaped(text[place:]))
    return "".join(kept), speaker


def unescaped(text: str) -> str:
    """`text` with HTML's character references made characters."""
    if "&" not in text:
        return text
    return html.unescape(_NUMBER.sub(_character, text) if "&#" in text else text)


def _character(number: re.Match[str]) -> str:
    """What a numeric reference names; an ampersand stays a reference, for it is unescaped after this."""
    digits = number[1] or number[2]
    code = int(digits, 16 if number[1] else 10) if len(digits) <= _DIGITS else 0
    if not 0 < code <= 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    if code == ord("&"):
        return "&amp;"
    return html.unescape(f"&#{code};") if 0x80 <= code <= 0x9F else chr(code)
