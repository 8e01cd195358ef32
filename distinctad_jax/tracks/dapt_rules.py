"""What is wrong with a DAPT document, beyond its XML schema.

Source: the DAPT editor's draft of 2026 and the documents of the W3C's validation suite: each of the rules is one that
they state or show. Elements and attributes of foreign namespaces are nobody's business, as TTML has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from distinctad_jax.tracks import ttml
from distinctad_jax.tracks.faults import Fault
from distinctad_jax.tracks.ttml import DAPTM, TT, TTM, TTP
from distinctad_jax.tracks.xml_tree import XML, Document, Node

_TIMED = frozenset({"metadata", "animate", "set"})
_INSIDE = {
    "tt": frozenset({"head", "body"}),
    "head": frozenset({"metadata", "resources", "styling", "layout", "animation", "profile"}),
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
_TEXT = frozenset({"p", "span", "data", "chunk", "metadata"})
_FORBIDDEN = ("profile", "dropMode", "markerMode", "clockMode", "subFrameRate")
_AGENTS = ("person", "character", "group", "organization", "other")
_NAMES = ("full", "family", "given", "alias", "other")
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
        if ttml.is_event(node):
            for child in node.children:
                if (child.space, child.name) == (TT, "div"):
                    yield Fault(child.line, f"div stands in the script event {node.get('id', XML)!r}")
    order = [child.name for child in root.children if child.space == TT]
    if order not in ([], ["head"], ["body"], ["head", "body"]):
        yield Fault(root.line, "tt holds at most one head and then at most one body")


def _identifiers(root: Node) -> Iterator[Fault]:
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
    agents = {node.get("id", XML): node for node in root.walk() if (node.space, node.name) == (TTM, "agent")}
    for node in root.walk():
        if (node.space, node.name) == (TTM, "agent"):
            yield from _agent(node, agents)
        for name in (node.get("agent", TTM) or "").split():
            if name not in agents:
                yield Fault(node.line, f"ttm:agent {name!r} is no agent of the document")


def _agent(node: Node, agents: dict[str | None, Node]) -> Iterator[Fault]:
    id = node.get("id", XML)
    if id is None:
        yield Fault(node.line, "an agent has no xml:id")
    if node.get("type") not in _AGENTS:
        yield Fault(node.line, f"the type of an agent is one of {', '.join(_AGENTS)}, not {node.get('type')!r}")
    names = [child for child in node.children if (child.space, child.name) == (TTM, "name")]
    if not names:
        yield Fault(node.line, f"the agent {id!r} has no ttm:name")
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


def _origin(root: Node) -> Iterator[Fault]:
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
        elif scripts and not any(ttml.below(computed.strip(), one) for one in scripts):
            yield Fault(
                node.line,
                f"the script event {name!r} represents {computed!r}, which daptm:scriptRepresents does not hold",
            )


def _languages(root: Node) -> Iterator[Fault]:
    for node in root.walk():
        language, source = node.get("lang", XML), node.get("langSrc", DAPTM)
        if language and not ttml.LANGUAGE.fullmatch(language.strip()):
            yield Fault(node.line, f"xml:lang {language!r} is no language tag")
        if source is None:
            continue
        if not source.strip():
            told = "daptm:langSrc is empty: zxx says that there is no language, und that it is not known"
            yield Fault(node.line, told, grave=node is root)
        elif not ttml.LANGUAGE.fullmatch(source.strip()):
            yield Fault(node.line, f"daptm:langSrc {source!r} is no language tag")


def _words(root: Node) -> Iterator[Fault]:
    for node in root.walk():
        shown = node.get("onScreen", DAPTM)
        if shown is not None and shown.strip() not in ttml.ON_SCREEN:
            yield Fault(node.line, f"daptm:onScreen is one of {', '.join(ttml.ON_SCREEN)}, not {shown!r}")
        kind = node.get("descType", DAPTM)
        if kind is not None and kind not in ttml.DESCRIPTION_TYPES and not kind.startswith("x-"):
            known = ", ".join(ttml.DESCRIPTION_TYPES)
            yield Fault(node.line, f"daptm:descType is one of {known}, or begins with x-; it is {kind!r}")


def _times(root: Node) -> Iterator[Fault]:
    timing = ttml.clock_of(root)
    styles: set[str] = set()
    for node in root.walk():
        if node.space != TT:
            continue
        if (node.get("timeContainer") or "par").strip() != "par":
            yield Fault(node.line, "timeContainer must be par")
        times = {}
        for name in ("begin", "end", "dur"):
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
    data = {node.get("id", XML): node for node in root.walk() if node.space == TT and node.name in ("audio", "data")}
    for node in root.walk():
        if (node.space, node.name) != (TT, "audio") or node.parent is None or node.parent.name == "resources":
            continue
        language = node.parent.inherited("lang", XML)
        sources = [child for child in node.walk() if child.space == TT and child.name in ("source", "data")]
        links = [one.get("src") or "" for one in (node, *sources)]
        aimed = [data[link[1:]] for link in links if link.startswith("#") and link[1:] in data]
        for one in (node, *sources, *aimed):
            if one.inherited("lang", XML) != language:
                yield Fault(one.line, f"xml:lang of {one.name} is not that of the text that it speaks")
        for link in links:
            if link.startswith("#") and link[1:] not in data:
                yield Fault(node.line, f"src {link[:40]!r} points to nothing in the document")
        for one in (node, *sources):
            if (
                (one.get("src") or one.name == "data")
                and not one.get("type")
                and not (one.get("src") or "").startswith("#")
            ):
                yield Fault(one.line, f"{one.name} has no type", grave=one.name == "data")
