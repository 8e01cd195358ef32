"""What a run was begun with beside what it is to go on with, field by field."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

MISSING = "nothing"


def harmless(default: Any) -> Any:
    """A config's field that changes no number of a run: a run goes on when it is changed, and says so."""
    return dataclasses.field(default=default, metadata={"harmless": True})


class Change(NamedTuple):
    """A field, by its path, and its values."""

    field: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.field}: {self.before!r} -> {self.after!r}"


def changes(before: Any, after: Any, field: str = "") -> list[Change]:
    """Every field that differs, in the order of names; both are JSON values."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return [
            change
            for name in sorted({*before, *after})
            for change in changes(
                before.get(name, MISSING), after.get(name, MISSING), f"{field}.{name}" if field else str(name)
            )
        ]
    return [] if before == after else [Change(field, before, after)]
