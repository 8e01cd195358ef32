"""Who may be called by name, and when: nobody who is not in the cast, and nobody before the film does it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from distinctad_jax.data.cast import clean_role
from distinctad_jax.errors import BadInput
from distinctad_jax.files import read_bytes
from distinctad_jax.movie.movie import Line, Person
from distinctad_jax.text.distinct import STOP_WORDS, words
from distinctad_jax.text.prompt import CAPITALS, begins_sentence, spoken_name

POLICIES = ("always", "after-intro", "never")
"""Every name of the cast; those that the film has said already; none."""
LONGEST_NAME = 60
"""Characters; nobody is called longer, and a longer one is meant for something else than a name."""
MOST_PEOPLE = 1000
_UNPRINTED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_MARKUP = re.compile(r"[<>{}\[\]|\\]|-->|://")
_ROLES, _ACTORS, _INTRODUCED = ("character", "role"), ("actor", "name"), ("introduced", "from")
_GIVEN = frozenset(
    """
    james john robert michael william david richard joseph thomas charles christopher daniel matthew anthony
    donald steven paul andrew joshua kenneth kevin brian george edward ronald timothy jason jeffrey ryan jacob
    gary nicholas eric jonathan stephen larry justin scott brandon benjamin samuel gregory patrick alexander
    jack dennis jerry tyler aaron henry peter adam nathan zachary walter kyle harold carl jeremy gerald keith
    roger arthur lawrence sean christian albert joe ethan austin jesse willie billy bryan bruce ralph jordan
    dylan alan juan logan bob tom jim bill sam ben max mike dave steve nick tony harry fred mary patricia
    jennifer linda elizabeth barbara susan jessica sarah karen lisa nancy betty sandra margaret ashley
    kimberly emily donna michelle carol amanda melissa deborah stephanie rebecca sharon laura cynthia dorothy
    amy kathleen angela shirley emma brenda pamela nicole anna samantha katherine christine helen debra rachel
    carolyn janet maria catherine heather diane olivia julie joyce victoria ruth virginia lauren kelly
    christina joan evelyn judith andrea hannah megan cheryl jacqueline martha madison teresa gloria sara
    janice ann kathryn abigail sophia frances jean alice judy isabella julia grace denise amber doris marilyn
    danielle beverly charlotte marie kate lucy ella mia jane sally
    """.split()  # noqa: SIM905 (a list of quoted words is unreadable)
)
"""Given names that are common in English, to know one at the start of a sentence, where every word has a capital."""


def read_people(path: Path, film: str = "", *, problems: list[str] | None = None) -> tuple[Person, ...]:
    """The cast of a film, in the order of the file.

    The file is JSON: a list of roles or of objects with `character` (or `role`) and perhaps `actor` (or `name`), or
    an object that has such a list as `cast`, or under the name of the film. Other fields are not read, and the
    pictures that they may name are never opened. Names are made one line of printable text; entries without a name,
    or whose name could not be one, are left out with a sentence in `problems`.

    Errors: BadInput, with line and column or the place (`[3].character`), for what is no such file.
    """
    value = _json(path)
    lead = ""
    if isinstance(value, dict):
        chosen = next((key for key in (film, "cast", "people") if key and key in value), None)
        if chosen is None and len(value) == 1:
            chosen = next(iter(value))
        if chosen is None:
            known = ", ".join(sorted(map(str, value))[:5])
            raise BadInput(
                f"no cast of {film!r} (it has {known})", where=path, mend="add it, or give a list of people"
            )
        value, lead = value[chosen], chosen
    if not isinstance(value, list):
        raise BadInput("not a list of people", where=f"{path}:{lead}", mend='write [{"character": "Jake"}, ...]')
    if len(value) > MOST_PEOPLE:
        raise BadInput(f"{len(value)} people", where=path, mend=f"give the {MOST_PEOPLE} who matter")
    found: dict[tuple[str, str], Person] = {}
    for place, entry in enumerate(value):
        person = _person(entry, f"{path}:{lead}[{place}]", problems)
        if person is not None:
            found.setdefault((person.character, person.actor), person)
    return tuple(found.values())


def _json(path: Path) -> Any:
    data = read_bytes(path)
    if data.startswith(b"\x80") or path.suffix.lower() in (".pkl", ".pickle"):
        raise BadInput("a pickle, which could run programs when it is read", where=path, mend="save the cast as JSON")

    def refuse(name: str) -> Any:
        raise ValueError(f"{name} is no JSON")

    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=refuse)
    except UnicodeDecodeError as error:
        raise BadInput(f"not UTF-8 at byte {error.start}", where=path, mend="save it as UTF-8") from None
    except (ValueError, RecursionError) as error:
        place = f"{path}:{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else path
        raise BadInput("not valid JSON", where=place, mend="correct the file") from None


def _person(entry: Any, where: str, problems: list[str] | None) -> Person | None:
    if isinstance(entry, str):
        entry = {"character": entry}
    if not isinstance(entry, dict):
        raise BadInput(f"{repr(entry)[:40]} is no person", where=where, mend='write {"character": "Jake"}')
    role, actor = _text(entry, _ROLES, where), _text(entry, _ACTORS, where)
    if role is None and not any(name in entry for name in _ROLES):
        role, actor = actor, None  # only a name: it is the character's
    if role is None:
        raise BadInput("no character", where=f"{where}.character", mend="name the character")
    role = clean_role(role)
    strange = len(role) > LONGEST_NAME or _MARKUP.search(role) or not any(map(str.isalpha, role))
    if strange:
        if problems is not None:
            problems.append(f"{where}: {role[:40]!r} cannot be a name and was left out")
        return None
    return Person(role, (actor or "")[: 2 * LONGEST_NAME], key=_text(entry, ("id", "key"), where) or "")


def _text(entry: dict[str, Any], names: Sequence[str], where: str) -> str | None:
    for name in names:
        value = entry.get(name)
        if isinstance(value, str):
            return " ".join(_UNPRINTED.sub(" ", value).split())
        if value is not None and not (name in ("id", "key") and isinstance(value, int)):
            raise BadInput(f"{repr(value)[:40]} is not text", where=f"{where}.{name}", mend="give a text")
    return None


class Names:
    """A cast and a policy.

    introduced: for each spoken name, when the dialogue first says it, in seconds; names that it never says are not
      there.
    learnt: names, in lower case, that a model knows from elsewhere (`text.prompt.learnt_names`), to know them at the
      start of a sentence, where every word has a capital.
    Errors: ValueError for another policy.
    """

    def __init__(
        self, cast: Sequence[Person], policy: str, dialogue: Sequence[Line] = (), learnt: Collection[str] = ()
    ):
        if policy not in POLICIES:
            raise ValueError(f"the policies are {', '.join(POLICIES)}; got {policy!r}")
        self.cast, self.policy, self.learnt = tuple(cast), policy, _GIVEN | frozenset(learnt)
        self.spoken = {name: one for one in reversed(self.cast) if (name := spoken_name(one.character))}
        self.spoken = dict(reversed(self.spoken.items()))
        self.introduced = self._introduced(dialogue)
        self.known = frozenset(word.text for one in self.cast for word in words(one.character))
        self._called = {
            word.text: name for name, one in reversed(self.spoken.items()) for word in words(one.character)
        } | {word.text: name for name in self.spoken for word in words(name)}

    def _introduced(self, dialogue: Sequence[Line]) -> Mapping[str, float]:
        wanted = {tuple(word.text for word in words(name)): name for name in self.spoken}
        found: dict[str, float] = {}
        for line in sorted((line for line in dialogue if line.spoken), key=lambda line: line.span):
            said = {word.text for word in words(line.text)}
            for parts, name in wanted.items():
                if parts and name not in found and said.issuperset(parts):
                    found[name] = line.span.end
        return found

    def allowed(self, time: float | int) -> tuple[str, ...]:
        """The names that may be used at a time, in the order of the cast."""
        if self.policy == "never":
            return ()
        if self.policy == "always":
            return tuple(self.spoken)
        return tuple(name for name in self.spoken if self.introduced.get(name, float("inf")) <= time)

    def named(self, text: str) -> tuple[str, ...]:
        """The spoken names of those whom a text calls by a name of theirs, in the order of the text, each once."""
        found = [self._called[word.text] for word in words(text) if self._is_name(text, word.start, word.text)]
        return tuple(dict.fromkeys(found))

    def _is_name(self, text: str, start: int, word: str) -> bool:
        return word in self._called and text[start].isupper()

    def written(self, text: str, time: float | int) -> str:
        """A text with names that may not be used at a time, and those of strangers, replaced by `someone`."""
        allowed, strangers = set(self.allowed(time)), set(self.strangers(text))
        parts, end = [], 0
        for word in words(text):
            named = self._is_name(text, word.start, word.text) and self._called[word.text] not in allowed
            if named or text[word.start : word.end] in strangers:
                parts += [text[end : word.start], "\0"]
                end = word.end
        joined = "".join([*parts, text[end:]])
        joined = re.sub(r"\0(?:[\s.]+\0)+", "\0", joined)  # first name and surname: one person
        joined = re.sub(r"\0(?:, ?\0)*,? and \0", "\1", joined)
        for mark, plain in (("\0", "someone"), ("\1", "people")):
            joined = re.sub(f"(^|[.!?]\\s+){mark}", lambda at, plain=plain: at[1] + plain.capitalize(), joined)
            joined = joined.replace(mark, plain)
        return joined

    def strangers(self, text: str) -> tuple[str, ...]:
        """Words of a text that look like names and are in nobody's of the cast.

        Within a sentence that is any word with a capital, but for days, months, peoples and abbreviations; at its
        start, where every word has one, common given names and those that were learnt.
        """
        found = []
        for word in words(text):
            shown = text[word.start : word.end]
            if not shown[0].isupper() or word.text in self.known or "'" in word.text:
                continue
            if word.text in CAPITALS and word.text not in self.learnt:
                continue
            first = begins_sentence(text, word.start)
            if (first and word.text in self.learnt) or (not first and word.text not in STOP_WORDS):
                found.append(shown)
        return tuple(dict.fromkeys(found))
