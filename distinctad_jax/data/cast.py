"""Cast files and split files -> people and movie names by movie.

Source: the character banks of AutoAD (`{movie: [{"id", "name", "role"}]}`, roles with credits such as `(uncredited)`
glued on), its cast lists for evaluation (`{title id: [role, ...]}`), and its `mad_split.json`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distinctad_jax.data.library import safe_name
from distinctad_jax.data.seeming import refuse_pickle
from distinctad_jax.errors import BadInput
from distinctad_jax.files import read_json, real
from distinctad_jax.movie.movie import Person

_CREDITS = {"uncredited", "voice", "singing voice", "archive footage", "credit only", "unconfirmed", "scenes deleted"}
_SHOWN = 60


def clean_role(role: str) -> str:
    """A role without what the credits say about it: `Yoda(voice)…` -> `Yoda`; `Ben (Obi-Wan) Kenobi` stays.

    Brackets at the end go if they touch the name or hold a note on the credit; `…` at the end goes.
    """
    role = role.strip()
    while True:
        bare = role.removesuffix("…").removesuffix("...").rstrip()
        opening = bare.rfind("(")
        if bare.endswith(")") and opening > 0:
            note = bare[opening + 1 : -1].strip().lower()
            if not bare[opening - 1].isspace() or note in _CREDITS or note.startswith("as "):
                bare = bare[:opening].rstrip()
        if bare == role:
            return role
        role = bare


def read_cast(path: Path) -> dict[str, tuple[Person, ...]]:
    """The cast of each movie, in the order of the file, each role and actor once.

    An entry is an object with `role` and perhaps `name` (the actor), `id` and `portrait` (a picture's path, relative
    to this file and within its folder), or just the role. Entries whose role is empty are left out.

    Errors: BadInput, with the place in the file (`tt0042208[3].role`), if it is missing, a pickle, no JSON, or of
      another shape, or if a portrait lies outside the folder or is not there.
    """
    refuse_pickle(path, "JSON")
    value = read_json(path)
    if not isinstance(value, dict):
        raise BadInput("not an object of movies", where=path, mend='write {"movie": [{"id", "name", "role"}]}')
    cast: dict[str, tuple[Person, ...]] = {}
    for movie, entries in value.items():
        if not isinstance(entries, list):
            raise BadInput("not a list of people", where=f"{path}:{movie}", mend="give a list for each movie")
        people: dict[tuple[str, str], Person] = {}
        for place, entry in enumerate(entries):
            person = _person(path, f"{movie}[{place}]", entry)
            if person.character:
                people.setdefault((person.character, person.actor), person)
        cast[movie] = tuple(people.values())
    return cast


def read_splits(path: Path) -> dict[str, tuple[str, ...]]:
    """The movies of each split, `{"train": ["movie", ...], ...}`; splits may share movies, as MAD's do.

    Errors: BadInput, with the place in the file, if it is a pickle or no JSON of that shape, or a split names a movie
      twice.
    """
    refuse_pickle(path, "JSON")
    value = read_json(path)
    if not isinstance(value, dict) or not value:
        raise BadInput("not an object of splits", where=path, mend='write {"train": ["movie", ...], "test": [...]}')
    splits: dict[str, tuple[str, ...]] = {}
    for name, movies in value.items():
        if not isinstance(movies, list):
            raise BadInput("not a list of movies", where=f"{path}:{name}", mend="give a list for each split")
        seen: set[str] = set()
        for place, movie in enumerate(movies):
            if not isinstance(movie, str) or not safe_name(movie) or movie in seen:
                what = "twice in this split" if isinstance(movie, str) and movie in seen else "is no movie name"
                raise BadInput(f"{_short(movie)} {what}", where=f"{path}:{name}[{place}]", mend="correct the split")
            seen.add(movie)
        splits[name] = tuple(movies)
    return splits


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _person(path: Path, place: str, entry: Any) -> Person:
    if isinstance(entry, str):
        return Person(clean_role(entry))
    if not isinstance(entry, dict):
        raise BadInput(f"{_short(entry)} is no person", where=f"{path}:{place}", mend="give an object with a role")
    fields = {}
    for name in ("role", "name", "id", "portrait"):
        value = entry.get(name)
        if not isinstance(value, str) and not (value is None and name != "role"):
            raise BadInput(f"{_short(value)} is not text", where=f"{path}:{place}.{name}", mend="give a text")
        fields[name] = (value or "").strip()
    portrait = _portrait(path, place, fields["portrait"]) if fields["portrait"] else None
    return Person(clean_role(fields["role"]), fields["name"], portrait, fields["id"])


def _portrait(path: Path, place: str, name: str) -> Path:
    where = f"{path}:{place}.portrait"
    folder = path.parent
    portrait = folder / name
    if not safe_name(name) or not real(portrait).is_relative_to(real(folder)):
        mend = "put the picture below the folder of the cast file"
        raise BadInput(f"{_short(name)} lies outside the folder of the cast file", where=where, mend=mend)
    if not portrait.is_file():
        raise BadInput(f"no such picture: {_short(name)}", where=where, mend="add the picture or remove the entry")
    return portrait
