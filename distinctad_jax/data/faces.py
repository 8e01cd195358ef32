"""What TV-AD's tables say of a clip's pictures: which frames, and whose faces were recognised on them.

Source: AutoAD-Zero, columns `tvad_index` and `pred_ids`; both are Python literals, which are parsed and never run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from distinctad_jax.movie.movie import Person

_LONGEST = 1 << 17  # characters of a literal; a longer one is no list of frames or faces
_MOST = 10_000_000  # a frame number beyond it is none


def _literal(value: object) -> object:
    if not isinstance(value, str):
        return value
    if len(value) > _LONGEST:
        raise ValueError(f"a literal of {len(value)} characters")
    try:
        return ast.literal_eval(value.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise ValueError(f"{value[:40]!r} is no list or mapping") from None


def read_numbers(value: object) -> tuple[int, ...]:
    """The frame numbers of a clip, counted from 1: `"[9, 9, 10]"`; none if the field is empty or not there.

    Errors: ValueError if it is something else.
    """
    if value is None or value == "":
        return ()
    found = _literal(value)
    if not isinstance(found, list | tuple) or not all(type(n) is int and 0 < n < _MOST for n in found):
        raise ValueError(f"{str(value)[:40]!r} is no list of frame numbers")
    return tuple(found)


def read_faces(value: object) -> tuple[str, ...]:
    """The ids of the people whose face was recognised on some frame: `"{'nm1': [(0, 2), (3, 1)]}"`.

    Errors: ValueError if it is something else.
    """
    found = {} if value is None or value == "" else _literal(value)
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise ValueError(f"{str(value)[:40]!r} is no mapping from people to faces")
    return tuple(key for key, places in found.items() if isinstance(places, list | tuple) and len(places) > 0)


def roles_of(faces: Iterable[str], cast: Iterable[Person]) -> tuple[str, ...]:
    """The roles of some people in the order of the cast; people who are not in it are nobody's role."""
    wanted = set(faces)
    return tuple(dict.fromkeys(person.character for person in cast if person.key in wanted))
