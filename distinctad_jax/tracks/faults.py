"""A fault of a file: where it is, what it is, and whether the file is wrong or only risky."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """Something that a standard forbids (`grave`), or that some player was seen to stumble over.

    `place` is a line of the file, from 1, or the path of a field.
    """

    place: int | str
    what: str
    grave: bool = True
