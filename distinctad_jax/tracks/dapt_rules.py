"""What is wrong with a DAPT document, beyond its XML schema.

Source: the DAPT editor's draft of May 2026 and the documents of the W3C's validation suite: each of the rules is one
that they state or show. What is not as it must be is an error, what is not as it should be a warning. Elements and
attributes of foreign namespaces are nobody's business, as TTML has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from distinctad_jax.movie.language import well_formed
from distinctad_jax.tracks import ttml, ttml_rules
from distinctad_jax.tracks.faults import Fault
from distinctad_jax.tracks.ttml import DAPTM, TT, TTA, TTM, TTP
from distinctad_jax.tracks.xml_tree import XML, Document, Node

_TIMED = frozenset({"metadata", "animate", "set"})
_INSIDE = {
    "tt": frozenset({"head", "body"}),
    "head": frozenset({"metadata", "resources", "styling", "layout"}),
    "body": _TIMED | {"div", "audio"},
    "div": _TIMED | {"div", "p", "audio"},
    "p": _TIMED | {"span", "br", "audio", "image"},
    "span": _TIMED | {"span", "br", "audio", "image"},
    "br": _TIMED,
    "audio": _TIMED | {"source"},
    "source": frozenset({"metadata", "data"}),
    "data": frozenset({"metadata", "chunk"}),
    "animate": frozenset({"metadata"}),
}
"""Elements of TTML that may stand in others; those that are no key may hold anything."""
_UNTRANSLATED = (*ttml.NO_LANGUAGE, "zxx")
_TEXT = frozenset({"p", "span", "data", "chunk", "metadata"})
_FORBIDDEN = ("profile", "dropMode", "markerMode", "clockMode", "subFrameRate")
_AGENTS = ("person", "character", "group", "organization", "other")
_NAMES = ("full", "family", "given", "alias", "other")
_CONTENT = frozenset({"tt", "body", "div", "p", "span"})
_PLACES = {
    "scriptType": frozenset({"tt"}),
    "scriptRepresents": frozenset({"tt"}),
    "represents": _CONTENT,
    "langSrc": _CONTENT,
    "onScreen": frozenset({"div"}),
    "descType": frozenset({"desc"}),
}
"""Attributes of DAPT and the elements on which they mean something."""
_ORIGIN = re.compile(r"[0-9]{2,}:([0-9]{2}):([0-9]{2}):([0-9]{2})")


def faults_of(document: Document) -> Iterator[Fault]:
    """All faults of a document, group by group."""
    root = document.root
    if document.encoding and document.encoding.upper() != "UTF-8":
        yield Fault(1, f"declares the encoding {document.encoding}, and DAPT is UTF-8")
    if document.version not in ("", "1.0"):
        yield Fault(1, f"is XML {document.version}, and DAPT is XML 1.0")
    if (root.space, root.name) != (TT, "tt"):
        yield Fault(root.line, f"the root element is {root.name!r} and not tt in {TT}")
        return
    rules: tuple[Callable[[Node], Iterator[Fault]], ...] = (
        _root,
        _structure,
        _identifiers,
        _agents,
        _origin,
        _descriptors,
        _languages,
        _words,
        _times,
        _sounds,
        _script_type,
        ttml_rules.order,
        ttml_rules.references,
        ttml_rules.values,
    )
    for rule in rules:
        yield from rule(root)


def _root(root: Node) -> Iterator[Fault]:
    profiles = _designators(root.get("contentProfiles", TTP))
    if profiles is None:
        yield Fault(root.line, "ttp:contentProfiles is missing")
    elif ttml.CONTENT_PROFILE not in profiles:
        yield Fault(root.line, f"ttp:contentProfiles does not name {ttml.CONTENT_PROFILE}")
    processors = _designators(root.get("processorProfiles", TTP))
    if processors is not None and ttml.PROCESSOR_PROFILE not in processors:
        yield Fault(root.line, f"ttp:processorProfiles does not name {ttml.PROCESSOR_PROFILE}")
    for name in _FORBIDDEN:
        if root.get(name, TTP) is not None:
            yield Fault(root.line, f"ttp:{name} is not allowed")
    if (root.get("timeBase", TTP) or "media").strip() != "media":
        yield Fault(root.line, "ttp:timeBase must be media")
    kind = root.get("scriptType", DAPTM)
    if kind is None or kind.strip() not in ttml.SCRIPT_TYPES:
        found = "is missing" if kind is None else f"is {kind!r}"
        yield Fault(root.line, f"daptm:scriptType {found}; it is one of {', '.join(ttml.SCRIPT_TYPES)}")
    if not (root.get("lang", XML) or "").strip():
        yield Fault(root.line, "xml:lang of the root element is missing or empty")


def _designators(value: str | None) -> list[str] | None:
    return None if value is None else re.split(r"[\s()]+", value)


def _structure(root: Node) -> Iterator[Fault]:
    """Source: TTML2, section 8.1; DAPT, "Handling div and p elements" and the prohibited #animation-out-of-line."""
    for node in root.walk():
        if node.space != TT:
            continue
        if node is not root and node.name == "tt":
            yield Fault(node.line, "tt stands inside of tt")
        allowed = _INSIDE.get(node.name)
        if allowed is not None:
            for child in node.children:
                if child.space == TT and child.name not in allowed:
                    yield Fault(child.line, f"{child.name} may not stand in {node.name}")
        if node.name in _INSIDE and node.name not in _TEXT and node.own_text.strip():
            yield Fault(node.line, f"text may not stand directly in {node.name}")
        if node.get("animate") is not None:
            yield Fault(node.line, "animate points out of line, and DAPT has animation only where it applies")
        for text in [] if node.name != "div" or ttml.is_event(node) else _texts(node):
            told = "p stands in no script event (a div with xml:id, without other divs): some readers leave it out"
            yield Fault(text.line, told, grave=False)
    order = [child.name for child in root.children if child.space == TT]
    if order not in ([], ["head"], ["body"], ["head", "body"]):
        yield Fault(root.line, "tt holds at most one head and then at most one body")


def _texts(div: Node) -> list[Node]:
    """The texts directly in a `div` in which there are words."""
    texts = [child for child in div.children if (child.space, child.name) == (TT, "p")]
    return [one for one in texts if any(part.own_text.strip() for part in one.walk() if part.name in ("p", "span"))]


def _scripted(root: Node) -> list[Node]:
    """The texts of all script events in which there are words."""
    return [text for node in root.walk() if ttml.is_event(node) for text in _texts(node)]


def _identifiers(root: Node) -> Iterator[Fault]:
    """Source: DAPT, "Unique identifiers"; xml:id, section 4."""
    seen: set[str] = set()
    for node in root.walk():
        id = node.get("id", XML)
        if id is None:
            continue
        if not ttml.NC_NAME.fullmatch(id):
            yield Fault(node.line, f"xml:id {id!r} is no name: it begins with a letter and has no colon or blank")
        if id in seen:
            yield Fault(node.line, f"xml:id {id!r} stands twice")
        seen.add(id)


def _agents(root: Node) -> Iterator[Fault]:
    """Source: TTML2, section 14.1; DAPT, "Character"."""
    agents = {node.get("id", XML): node for node in root.walk() if (node.space, node.name) == (TTM, "agent")}
    for node in root.walk():
        if (node.space, node.name) == (TTM, "agent"):
            yield from _agent(node, agents)
        for name in (node.get("agent", TTM) or "").split():
            if name not in agents:
                yield Fault(node.line, f"ttm:agent {name!r} is no agent of the document")


def _agent(node: Node, agents: dict[str | None, Node]) -> Iterator[Fault]:
    id, kind = node.get("id", XML), node.get("type")
    if id is None:
        yield Fault(node.line, "an agent has no xml:id")
    if kind not in _AGENTS:
        yield Fault(node.line, f"the type of an agent is one of {', '.join(_AGENTS)}, not {kind!r}")
    above = node.parent
    if above is None or above.name != "metadata" or above.parent is None or above.parent.name != "head":
        yield Fault(node.line, f"the agent {id!r} stands elsewhere than in the metadata of the head", grave=False)
    names = [child for child in node.children if (child.space, child.name) == (TTM, "name")]
    if not names:
        yield Fault(node.line, f"the agent {id!r} has no ttm:name")
    elif kind == "character" and not _named(node, "alias"):
        yield Fault(node.line, f"the character {id!r} has no ttm:name of type alias")
    for name in names:
        if name.get("type") not in _NAMES:
            yield Fault(name.line, f"the type of a name is one of {', '.join(_NAMES)}, not {name.get('type')!r}")
    for child in node.children:
        if (child.space, child.name) == (TTM, "actor"):
            link = child.get("agent")
            if link not in agents or link is None:
                yield Fault(child.line, f"ttm:actor points to {link!r}, which is no agent")
            elif agents[link] is node:
                yield Fault(child.line, "ttm:actor points to the agent that it stands in")
            elif agents[link].get("type") != "person":
                yield Fault(child.line, f"ttm:actor points to {link!r}, whose type is not person")
            elif not _named(agents[link], "full"):
                yield Fault(agents[link].line, f"the actor {link!r} has no ttm:name of type full")


def _named(agent: Node, kind: str) -> bool:
    return any((one.space, one.name, one.get("type")) == (TTM, "name", kind) for one in agent.children)


def _origin(root: Node) -> Iterator[Fault]:
    """Source: DAPT, extension #daptOriginTimecode."""
    found = [node for node in root.walk() if (node.space, node.name) == (DAPTM, "daptOriginTimecode")]
    rate = ttml.clock_of(root).frames
    for count, node in enumerate(found):
        if count:
            yield Fault(node.line, "daptm:daptOriginTimecode stands more than once")
        text = node.own_text.strip()
        match = _ORIGIN.fullmatch(text)
        if match is None or int(match[1]) > 59 or int(match[2]) > 59:
            yield Fault(node.line, f"daptm:daptOriginTimecode {text[:40]!r} is no hh:mm:ss:ff")
        elif rate is None:
            yield Fault(node.line, "daptm:daptOriginTimecode needs ttp:frameRate on the root element")
        elif int(match[3]) >= rate:
            yield Fault(node.line, f"daptm:daptOriginTimecode counts {match[3]} frames of {float(rate):g} a second")


def _descriptors(root: Node) -> Iterator[Fault]:
    """Source: DAPT, "Script Represents", "Represents" and "Text": parts of a text represent something as well."""
    listed = root.get("scriptRepresents", DAPTM)
    scripts = (listed or "").split()
    if not scripts:
        yield Fault(root.line, "daptm:scriptRepresents is missing or empty")
    for one in scripts:
        if not ttml.is_descriptor(one):
            yield Fault(root.line, f"daptm:scriptRepresents names {one!r}, which is no content descriptor")
    for node in root.walk():
        own = node.get("represents", DAPTM)
        if own is not None and not ttml.is_descriptor(own.strip()):
            yield Fault(node.line, f"daptm:represents {own!r} is no content descriptor")
        if not ttml.is_event(node):
            continue
        computed, name = node.inherited("represents", DAPTM), node.get("id", XML)
        if computed is None:
            yield Fault(node.line, f"daptm:represents of the script event {name!r} is missing, here and around it")
            continue
        for part in node.walk():
            represents = computed if part is node else part.get("represents", DAPTM)
            if scripts and represents and not any(ttml.below(represents.strip(), one) for one in scripts):
                what = f"the script event {name!r}" if part is node else f"{part.name} in the script event {name!r}"
                told = f"{what} represents {represents!r}, which daptm:scriptRepresents does not hold"
                yield Fault(part.line, told)


def _languages(root: Node) -> Iterator[Fault]:
    """Source: DAPT, "Default Language", "Text" and "Text Language Source"."""
    for node in root.walk():
        language, source = node.get("lang", XML), node.get("langSrc", DAPTM)
        if language and not well_formed(language.strip()):
            yield Fault(node.line, f"xml:lang {language!r} is no language tag")
        if source and not well_formed(source.strip()):
            yield Fault(node.line, f"daptm:langSrc {source!r} is no language tag")
        elif source is not None and not source.strip() and node is root:
            # Forbidden by an earlier draft and discouraged by the last one: it says no more than leaving it out.
            yield Fault(node.line, "daptm:langSrc is empty: it is zxx where the source has no language")
    unsaid = [one for one in _scripted(root) if _source(one) in ttml.NO_LANGUAGE]
    if unsaid:
        told = f"daptm:langSrc is not said, in texts: {len(unsaid)}; it is zxx where the source has no language"
        yield Fault(unsaid[0].line, told, grave=False)


def _source(text: Node) -> str:
    return (text.inherited("langSrc", DAPTM) or "").strip().lower()


def _language(text: Node) -> str:
    return (text.inherited("lang", XML) or "").strip().lower()


def _words(root: Node) -> Iterator[Fault]:
    """Source: DAPT, "On Screen", "Script Event Description" and "Using computed attribute values"."""
    for node in root.walk():
        shown = node.get("onScreen", DAPTM)
        if shown is not None and shown.strip() not in ttml.ON_SCREEN:
            yield Fault(node.line, f"daptm:onScreen is one of {', '.join(ttml.ON_SCREEN)}, not {shown!r}")
        kind = node.get("descType", DAPTM)
        if kind is not None and kind not in ttml.DESCRIPTION_TYPES and not kind.startswith("x-"):
            known = ", ".join(ttml.DESCRIPTION_TYPES)
            yield Fault(node.line, f"daptm:descType is one of {known}, or begins with x-; it is {kind!r}")
        for space, name in node.attributes:
            if space == DAPTM and node.name not in _PLACES.get(name, ()):
                yield Fault(node.line, f"daptm:{name} means nothing on {node.name}", grave=False)


def _times(root: Node) -> Iterator[Fault]:
    """Source: TTML2, section 12; DAPT, "Timing constraints"."""
    timing = ttml.clock_of(root)
    styles: set[str] = set()
    for node in root.walk():
        if node.space != TT:
            continue
        if (container := node.get("timeContainer")) is not None:
            yield Fault(node.line, "timeContainer is par, and better left out", grave=container.strip() != "par")
        times = {}
        for name in ("begin", "end", "dur", "clipBegin", "clipEnd"):
            expression = node.get(name)
            if expression is None:
                continue
            times[name] = timing.seconds(expression.strip())
            styles.add(ttml.style_of(expression))
            if times[name] is None:
                yield Fault(
                    node.line, f"{name} {expression[:40]!r} is no time, or counts in what the document does not say"
                )
            elif expression.count(":") == 3:
                yield Fault(
                    node.line, f"{name} {expression[:40]!r} has frames in a clock time, which DAPT does not allow"
                )
        begin, end = times.get("begin"), times.get("end")
        if end is not None and end <= (begin or 0):
            yield Fault(node.line, f"{node.name} ends at {node.get('end')}, not after its begin", grave=False)
        if ttml.is_event(node) and (node.get("begin") is None or node.get("end") is None):
            yield Fault(node.line, f"the script event {node.get('id', XML)!r} should have begin and end", grave=False)
    if len(styles) > 1:
        yield Fault(root.line, "clock times and offsets are mixed; one style of time is enough", grave=False)


def _sounds(root: Node) -> Iterator[Fault]:
    """Source: DAPT, "Audio Recording"."""
    named = {node.get("id", XML): node for node in root.walk() if node.space == TT and node.name in ("audio", "data")}
    for node in root.walk():
        if node.space != TT:
            continue
        if node.name == "data" and not node.own_text.strip() and all(one.name != "chunk" for one in node.children):
            yield Fault(node.line, "data is empty")
        if node.name != "audio" or node.parent is None or node.parent.name == "resources":
            continue
        language = node.parent.inherited("lang", XML)
        sources = [child for child in node.walk() if child.space == TT and child.name in ("source", "data")]
        if (node.get("src") is None) == (not sources):
            yield Fault(
                node.line, "audio has src and source, where there is one of them" if sources else "audio has no src"
            )
        for one in (node, *sources):
            link = one.get("src") or ""
            aimed = named.get(link[1:]) if link.startswith("#") else None
            for each in (one, *([aimed] if aimed else [])):
                if each.inherited("lang", XML) != language:
                    yield Fault(each.line, f"xml:lang of {each.name} is not that of the text that it speaks")
            if link.startswith("#"):
                yield from _aim(one, link, aimed)
            elif (link or one.name == "data") and not one.get("type"):
                yield Fault(one.line, f"{one.name} has no type", grave=one.name == "data")


def _aim(node: Node, link: str, aimed: Node | None) -> Iterator[Fault]:
    if aimed is None:
        yield Fault(node.line, f"src {link[:40]!r} points to no sound in the document")
    elif aimed.parent is None or aimed.parent.name != "resources":
        yield Fault(node.line, f"src {link[:40]!r} points to what is not among the resources of the head")
    elif not aimed.get("type"):
        yield Fault(aimed.line, f"{aimed.name} has no type")


def _script_type(root: Node) -> Iterator[Fault]:
    """What a script of its type should hold. Source: DAPT, "Script Type"."""
    kind, texts = (root.get("scriptType", DAPTM) or "").strip(), _scripted(root)
    translations = [one for one in texts if _source(one) not in (*_UNTRANSLATED, _language(one))]
    recorded = [one for one in texts if any((part.space, part.name) == (TT, "audio") for part in one.walk())]
    silent = [one for one in texts if all((part.space, part.name) != (TT, "audio") for part in one.walk())]
    spoken = [one for one in recorded if any((part.get("speak", TTA) or "none") != "none" for part in one.walk())]
    against = {
        "originalTranscript": [("that are translations", translations)],
        "translatedTranscript": [("that are no translations", [] if translations else texts)],
        "preRecording": [("that have a recording", recorded)],
        "asRecorded": [
            ("that have no recording", silent),
            ("that have a recording and tta:speak", spoken),
        ],
    }
    for told, found in against.get(kind, []):
        if found:
            what = f"daptm:scriptType is {kind}, and there are texts {told}: {len(found)}"
            yield Fault(found[0].line, what, grave=False)
