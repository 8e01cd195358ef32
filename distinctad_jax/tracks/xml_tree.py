"""XML from outside as a tree: no document type, no entities of its own, nothing opened, bounded depth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from distinctad_jax.errors import BadInput

DEEPEST = 100
"""How deep elements may be nested."""

XML = "http://www.w3.org/XML/1998/namespace"


@dataclass(eq=False)
class Node:
    """An element: names are `(namespace, name)`; `content` holds texts and elements as they follow each other."""

    space: str
    name: str
    attributes: dict[tuple[str, str], str]
    line: int
    parent: Node | None = None
    content: list[Node | str] = field(default_factory=list)

    @property
    def children(self) -> list[Node]:
        """The elements directly inside."""
        return [one for one in self.content if isinstance(one, Node)]

    @property
    def own_text(self) -> str:
        """The text directly inside."""
        return "".join(one for one in self.content if isinstance(one, str))

    def get(self, name: str, space: str = "") -> str | None:
        """An attribute, None if it is missing."""
        return self.attributes.get((space, name))

    def walk(self) -> Iterator[Node]:
        """This element and all inside, in order of the document."""
        yield self
        for child in self.children:
            yield from child.walk()

    def inherited(self, name: str, space: str) -> str | None:
        """The attribute of this element, or of the nearest one around it that has it."""
        node: Node | None = self
        while node is not None:
            if (found := node.get(name, space)) is not None:
                return found
            node = node.parent
        return None


@dataclass(frozen=True)
class Document:
    """The root element, and what the XML declaration said."""

    root: Node
    version: str = ""
    encoding: str = ""


def document_of(text: str, path: Path, spaces: str = "") -> Document:
    """The tree of a text, without the elements whose namespace does not begin with `spaces`, and all inside them.

    Errors: BadInput, with the line, if it is not well-formed, has a document type or is nested deeper than `DEEPEST`.
    """
    reader = _Reader(path, spaces)
    try:
        reader.parser.Parse(text.encode("utf-8"), True)
    except expat.ExpatError as error:
        told = expat.errors.messages[error.code]
        where = f"{path}:{error.lineno}:{error.offset + 1}"
        raise BadInput(f"is no well-formed XML ({told})", where=where, mend="correct the file") from None
    if reader.root is None:  # expat complains of an empty file itself
        raise BadInput("is no well-formed XML", where=path, mend="correct the file")
    return Document(reader.root, *reader.declared)


def _split(name: str) -> tuple[str, str]:
    space, _, local = name.rpartition(" ")
    return space, local


class _Reader:
    def __init__(self, path: Path, spaces: str):
        self.path, self.spaces = path, spaces
        self.root: Node | None = None
        self.declared = ("", "")
        self._open: list[Node] = []
        # The text was decoded already; whatever encoding it declares, what is parsed is UTF-8.
        self.parser = expat.ParserCreate("utf-8", namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.XmlDeclHandler = self._declaration
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        self.declared = (version, encoding or "")

    def _doctype(self, *_: object) -> None:
        raise BadInput(
            "has a document type (DOCTYPE), which may declare entities and name other files",
            where=f"{self.path}:{self.parser.CurrentLineNumber}",
            mend="remove it",
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        line = self.parser.CurrentLineNumber
        if len(self._open) >= DEEPEST:
            raise BadInput(f"is nested deeper than {DEEPEST}", where=f"{self.path}:{line}", mend="make it flat")
        parent = self._open[-1] if self._open else None
        node = Node(*_split(name), {_split(key): value for key, value in attributes.items()}, line, parent)
        if parent is None:
            self.root = node
        elif node.space.startswith(self.spaces):
            parent.content.append(node)
        self._open.append(node)

    def _end(self, name: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        self._open[-1].content.append(text)
