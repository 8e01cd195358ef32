"""W3C DAPT, the script format of broadcasters and dubbing houses: a track with cast, confidence and ducking.

A script event spans what is ducked, the span inside it what is spoken; times are offsets in seconds.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape, quoteattr

from distinctad_jax.errors import BadInput
from distinctad_jax.movie.description import NON_TEXT, Check, Description, Duck, Speech
from distinctad_jax.movie.language import well_formed
from distinctad_jax.movie.movie import Line, Person, Track
from distinctad_jax.movie.span import Span, clock
from distinctad_jax.tracks import ttml
from distinctad_jax.tracks.reading import Warnings, plain
from distinctad_jax.tracks.ttml import DAPTM, TT, TTA, TTM, TTP
from distinctad_jax.tracks.xml_tree import XML, Node, document_of

_HEAD = f'''<?xml version="1.0" encoding="UTF-8"?>
<tt xmlns="{TT}" xmlns:tta="{TTA}" xmlns:ttm="{TTM}"
    xmlns:ttp="{TTP}" xmlns:daptm="{DAPTM}"
    ttp:contentProfiles="{ttml.CONTENT_PROFILE}"'''
_SOUNDS = {".wav": "audio/wave", ".flac": "audio/flac", ".mp3": "audio/mpeg", ".ogg": "audio/ogg"}
_LONGEST = 3.6e10  # seconds, ten million hours


def text_of(track: Track) -> str:
    """The file's text: all that is spoken, in order of time.

    Errors: ValueError, naming the time, if one has no text, lasts less than a millisecond, or represents what is no
      content descriptor of DAPT; or if the language is no language tag.
    """
    track = track.numbered()
    if not well_formed(track.language):
        raise ValueError(f"DAPT needs a language tag such as en or de-AT, got {track.language!r}.")
    wanted = [one.represents for one in track.descriptions]
    scripts = [NON_TEXT, "visual.text"]
    scripts += [one for one in dict.fromkeys(wanted) if not any(ttml.below(one, other) for other in scripts)]
    recorded = any(one.speech and one.speech.clip for one in track.descriptions)
    represented = _quoted(" ".join(scripts))
    lines = [
        _HEAD,
        f'    xml:lang={_quoted(track.language)} daptm:langSrc="zxx" daptm:scriptRepresents={represented}',
        f'    daptm:represents="{NON_TEXT}" daptm:scriptType="{"asRecorded" if recorded else "preRecording"}">',
        "  <head><metadata>",
        *(f"    {line}" for line in _head(track)),
        "  </metadata></head>",
        "  <body>",
        *(f"    {line}" for one in track.descriptions for line in _event(one, track)),
        "  </body>",
        "</tt>",
    ]
    return "\n".join(lines) + "\n"


def _head(track: Track) -> Iterator[str]:
    yield f"<ttm:title>{_escaped(track.movie)}</ttm:title>"
    if track.made_by:
        yield f"<ttm:desc>{_escaped(track.made_by)}</ttm:desc>"
    actors = {name: f"actor_{count}" for count, name in enumerate(_actors(track.cast), start=1)}
    for name, key in actors.items():
        yield f'<ttm:agent type="person" xml:id="{key}"><ttm:name type="full">{_escaped(name)}</ttm:name></ttm:agent>'
    for count, person in enumerate(track.cast, start=1):
        actor = f'<ttm:actor agent="{actors[person.actor]}"/>' if person.actor else ""
        name = f'<ttm:name type="alias">{_escaped(person.character)}</ttm:name>'
        yield f'<ttm:agent type="character" xml:id="character_{count}">{name}{actor}</ttm:agent>'


def _actors(cast: Iterable[Person]) -> dict[str, None]:
    return dict.fromkeys(person.actor for person in cast if person.actor)


def _event(one: Description, track: Track) -> Iterator[str]:
    where = clock(one.span.start)
    text = _escaped(one.text)
    if not text:
        raise ValueError(f"The description at {where} has no text.")
    if not ttml.is_descriptor(one.represents):
        raise ValueError(f"The description at {where} represents {one.represents!r}, which DAPT does not know.")
    around = one.duck.span if one.duck else one.span
    begin, end = _milliseconds(min(around.start, one.span.start)), _milliseconds(max(around.end, one.span.end))
    spoken = _milliseconds(one.span.start) - begin, _milliseconds(one.span.end) - begin
    if spoken[1] <= spoken[0]:
        raise ValueError(f"The description at {where} must last at least a millisecond.")
    attributes = f'xml:id="{_name(one.id)}" begin="{_time(begin)}" end="{_time(end)}"'
    if one.represents != NON_TEXT:
        attributes += f' daptm:represents="{one.represents}"'
        if ttml.below(one.represents, "visual.text"):
            known = well_formed(one.language)
            attributes += f" daptm:langSrc={_quoted(one.language if known else track.language)}"
    yield f"<div {attributes}>"
    for kind, told in _told(one):
        yield f'  <ttm:desc daptm:descType="{kind}">{_escaped(told)}</ttm:desc>'
    language = f" xml:lang={_quoted(one.language)}" if well_formed(one.language) else ""
    yield f"  <p{language}>{_ducking(one.duck, begin)}"
    sound = _sound(one.speech)
    speed = "fast" if one.speech and one.speech.rate > 1.05 else "normal"
    speak = "" if sound else f' tta:speak="{speed}"'  # who plays the recording is not to speak the text as well
    times = f'begin="{_time(spoken[0])}" end="{_time(spoken[1])}"'
    yield f"    <span {times}{speak}>{text}{sound}</span></p>"
    yield "</div>"


def _told(one: Description) -> Iterator[tuple[str, str]]:
    if one.confidence is not None:
        yield "x-confidence", f"{one.confidence:.6g}"
    if one.kind != "inline":
        yield "x-kind", one.kind
    if one.status != "draft":
        yield "x-status", one.status
    for name in one.characters:
        yield "x-character", name
    for note in one.notes:
        yield "x-note", note
    for check in one.checks:
        yield "x-check", f"{plain(check.name).replace(' ', '_')} {check.value:g} {check.sentence}"


def _ducking(duck: Duck | None, begin: int) -> str:
    if duck is None or not duck.decibels:
        return ""
    gain = f"{10 ** (-duck.decibels / 20):.4f}"
    start, end = _milliseconds(duck.span.start) - begin, _milliseconds(duck.span.end) - begin
    lowered, rises = start + _milliseconds(duck.down), end - _milliseconds(duck.up)
    falls = f"1;{gain}" if duck.down else f"{gain};{gain}"  # one that goes on from the event before is low at once
    lines = [
        f'<animate begin="{_time(start)}" end="{_time(max(lowered, start + 1))}" tta:gain="{falls}" fill="freeze"/>'
    ]
    if duck.up:
        lines.append(f'<animate begin="{_time(rises)}" end="{_time(end)}" tta:gain="{gain};1"/>')
    return "".join(lines)


def _sound(speech: Speech | None) -> str:
    if speech is None or not speech.clip:
        return ""
    suffix = "." + speech.clip.rpartition(".")[2].lower()
    return f'<audio src={_quoted(quote(speech.clip))} type="{_SOUNDS.get(suffix, "application/octet-stream")}"/>'


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _time(milliseconds: int) -> str:
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d}s"


def _name(id: str) -> str:
    return id if ttml.NC_NAME.fullmatch(id) else "id-" + id.encode("utf-8").hex()


def _id(name: str | None) -> str:
    """What `_name` was made from."""
    if name and name.startswith("id-"):
        with contextlib.suppress(ValueError):
            id = bytes.fromhex(name.removeprefix("id-")).decode("utf-8")
            return id if _name(id) == name else name
    return name or ""


def _escaped(text: str) -> str:
    return escape(_legal(text))


def _quoted(text: str) -> str:
    return quoteattr(_legal(text))


def _legal(text: str) -> str:
    return plain(text, "\ufffe\uffff")


def track_of(text: str, name: str, found: Warnings) -> Track:
    """The track in a file, in order of time. Events that represent sound are its dialogue.

    Errors: BadInput, with the line, for what is no XML or no TTML, has a document type, or is nested too deep.
    """
    root = document_of(text, found.path, TT).root
    if (root.space, root.name) != (TT, "tt"):
        raise BadInput("is no TTML", where=f"{found.path}:{root.line}", mend="begin with <tt> in its namespace")
    timing, language = ttml.clock_of(root), root.get("lang", XML) or "en"
    script = root.get("scriptType", DAPTM) is not None
    agents = {node.get("id", XML): node for node in root.walk() if (node.space, node.name) == (TTM, "agent")}
    descriptions: list[Description] = []
    dialogue: list[Line] = []
    ids: set[str] = set()
    for node in (one for div in root.walk() for one in _spoken(div, script)):
        reader = _Event(node, timing, language)
        span = reader.spoken_span()
        if span is None:
            found.add(node.line, "event skipped: it has no begin and end that make sense", "events without times")
        elif (node.inherited("represents", DAPTM) or NON_TEXT).startswith("audio"):
            named = (node.get("agent", TTM) or "").split()
            speaker = _called(agents[named[0]]) if named and named[0] in agents else ""
            heard = "nonDialogue" not in str(node.inherited("represents", DAPTM))
            dialogue.append(Line(span, reader.text, speaker, heard))
        else:
            id = _id(node.get("id", XML))
            descriptions.append(reader.description(span, "" if id in ids else id))
            ids.add(id)
    made = next((one for one in root.walk() if one.name == "metadata"), None)
    heads = {each.name: plain(each.own_text) for each in reversed(made.children if made else []) if each.space == TTM}
    return Track(
        heads.get("title") or name,
        tuple(sorted(descriptions, key=lambda one: (one.span.start, one.span.end))),
        language if well_formed(language) else "en",
        heads.get("desc", ""),
        dialogue=tuple(sorted(dialogue, key=lambda one: (one.span.start, one.span.end))),
        cast=_cast(agents),
        language_told=well_formed(root.get("lang", XML) or ""),
    )


def _spoken(div: Node, script: bool) -> list[Node]:
    """What is read as one event: a `div` in which texts stand directly, and not in one inside it.

    Subtitles in TTML that are no script of DAPT have one `div` around all their texts, each with times of its own.
    """
    if (div.space, div.name) != (TT, "div"):
        return []
    texts = _texts(div)
    alone = not script and any(one.get("begin") or one.get("end") for one in texts)
    return texts if alone else [div] if texts else []


def _texts(node: Node) -> list[Node]:
    return [child for child in node.children if (child.space, child.name) == (TT, "p")]


def _cast(agents: Mapping[str | None, Node]) -> tuple[Person, ...]:
    cast = []
    for node in agents.values():
        if node.get("type") != "character":
            continue
        links = [child.get("agent") for child in node.children if child.name == "actor"]
        actor = _called(agents[links[0]]) if links and links[0] in agents else ""
        cast.append(Person(_called(node), actor))
    return tuple(cast)


def _called(agent: Node) -> str:
    return next((plain(child.own_text) for child in agent.children if child.name == "name"), "")


class _Event:
    """One `div` with texts, or a text alone: what is said, when, and how the programme steps back."""

    def __init__(self, node: Node, timing: ttml.Clock, language: str):
        self.node, self.timing, self.language = node, timing, language
        self.broken = False  # whether some time is none
        self.begin, self.end = self._interval(node)
        texts = [node] if node.name == "p" else _texts(node)
        mine = [one for one in texts if (one.inherited("lang", XML) or language) == language]
        self.texts = mine or texts[:1]  # of several languages, that of the script
        self.text = plain(" ".join(_words(one) for one in self.texts))

    def _interval(self, node: Node) -> tuple[Fraction, Fraction | None]:
        """Begin and end in the film: each is relative to the begin of what is around it."""
        start, limit = self._interval(node.parent) if node.parent else (Fraction(0), None)
        begin, end, length = (self._time(node, name) for name in ("begin", "end", "dur"))
        begin = start + (begin or 0)
        ends = [one for one in (limit, start + end if end is not None else None) if one is not None]
        ends += [begin + length] if length is not None else []
        return begin, min(ends, default=None)

    def _time(self, node: Node, name: str) -> Fraction | None:
        expression = node.get(name)
        time = None if expression is None else self.timing.seconds(expression.strip())
        self.broken = self.broken or (expression is not None and time is None)
        return time

    def spoken_span(self) -> Span | None:
        """From the first to the last moment that something is said."""
        spans = [
            self._interval(one)
            for text in self.texts
            for one in text.walk()
            if one.space == TT and one.name in ("p", "span") and one.own_text.strip()
        ]
        if not spans or not self.text or self.broken:
            return None
        start, ends = min(begin for begin, _ in spans), [end for _, end in spans if end is not None]
        if not ends or not start < max(ends) < _LONGEST:
            return None
        return Span(float(start), float(max(ends)))

    def description(self, span: Span, id: str) -> Description:
        """The event as a description; `id` is its name, empty if another has that."""
        told: dict[str, list[str]] = {}
        for child in self.node.children:
            if (child.space, child.name) == (TTM, "desc"):
                told.setdefault(child.get("descType", DAPTM) or "", []).append(plain(child.own_text))
        kind, status = told.get("x-kind", [""])[0], told.get("x-status", [""])[0]
        spoken = self.texts[0].inherited("lang", XML) or self.language
        represents = self.node.inherited("represents", DAPTM) or NON_TEXT
        sounds = [one for one in self.node.walk() if one.space == TT and one.name in ("audio", "source")]
        clip = next((src for one in sounds if (src := one.get("src")) and not src.startswith("#")), None)
        return Description(
            span,
            self.text,
            id=id,
            notes=(*told.get("x-note", []), *told.get("", [])),
            kind=kind if kind in ("inline", "extended") else "inline",
            status=status if status in ("edited", "approved") else "draft",
            represents=represents if ttml.is_descriptor(represents) else NON_TEXT,
            language="" if spoken == self.language else spoken,
            confidence=_share(told.get("x-confidence", [""])[0]),
            characters=tuple(told.get("x-character", [])),
            checks=tuple(check for line in told.get("x-check", []) if (check := _check(line))),
            duck=self._duck(),
            speech=Speech(span.seconds, clip=unquote(clip)) if clip else None,
        )

    def _duck(self) -> Duck | None:
        changes = []
        for text in self.texts:
            for node in text.children:
                gains = [_gain(one) for one in (node.get("gain", TTA) or "").split(";")]
                begin, end = self._interval(node)
                if (
                    (node.space, node.name) == (TT, "animate")
                    and end is not None
                    and len(gains) >= 2
                    and None not in gains
                ):
                    changes.append((float(begin), float(end), gains[0], gains[-1]))
        if not changes or self.end is None:
            return None
        changes.sort()
        low = min(min(first, last) for _, _, first, last in changes)
        falls, rises = changes[0], changes[-1] if changes[-1][3] > changes[-1][2] else None
        down = falls[1] - falls[0] if falls[2] > falls[3] else 0.0
        up = rises[1] - rises[0] if rises else 0.0
        end = rises[1] if rises else float(self.end)
        if not 0 < low < 1 or not falls[0] < end or down + up > end - falls[0]:
            return None
        return Duck(Span(falls[0], end), round(-20 * math.log10(low), 2), round(down, 6), round(up, 6))


def _words(node: Node) -> str:
    """What is written in a text: lines break at `br`, metadata is passed over."""
    parts = []
    for one in node.content:
        if isinstance(one, str):
            parts.append(one)
        elif (one.space, one.name) == (TT, "br"):
            parts.append(" ")
        elif (one.space, one.name) == (TT, "span"):
            parts.append(_words(one))
    return "".join(parts).replace("\n", " ").replace("\r", " ")


def _gain(text: str) -> float | None:
    try:
        gain = float(text)
    except ValueError:
        return None
    return gain if math.isfinite(gain) and gain >= 0 else None


def _share(text: str) -> float | None:
    share = _gain(text)
    return share if share is not None and share <= 1 else None


def _check(line: str) -> Check | None:
    name, _, rest = line.partition(" ")
    value, _, sentence = rest.partition(" ")
    number = _gain(value.removeprefix("-"))
    if not name or number is None:
        return None
    return Check(name, -number if value.startswith("-") else number, sentence)
