"""Scripts that are written already: fitted, moved, shortened, or dropped with the reason."""

import subprocess
import sys

import pytest
from places import REPOSITORY

from distinctad_jax.drafting.fit import fit, silences
from distinctad_jax.movie.description import Alternative, Description, Speech
from distinctad_jax.movie.movie import FilmFile, Line, Track
from distinctad_jax.movie.practice import Practice, preset
from distinctad_jax.movie.span import Span

PRACTICE = Practice()
DIALOGUE = (Line(Span(10, 14), "Hello."), Line(Span(20, 22), "Bye."))
FILM = FilmFile("film.mp4", 40.0)


def script(*entries, **fields):
    some = tuple(Description(Span(start, end), text, **more) for start, end, text, more in entries)
    return Track("film", some, **({"film": FILM, "dialogue": DIALOGUE} | fields))


def test_what_fits_stays_and_what_does_not_is_moved_or_dropped():
    track = script(
        (2, 4, "A man waits there.", {}),
        (9, 11, "He turns to the door.", {}),  # over dialogue: earlier
        (15, 18, "a" * 120, {}),  # too long
        (25, 27, "A car stops.", {}),
        (25.5, 27, "Two men get out.", {}),  # over the one before: later
        (60, 62, "The end.", {}),  # after the film
    )
    done = fit(track, PRACTICE)
    assert [one.text for one in done.descriptions] == [track.descriptions[at].text for at in (0, 1, 3, 4)]
    assert done.descriptions[0].span.start == 2 and not done.descriptions[0].notes
    assert done.descriptions[1].span.end <= 9.7 + 1e-9 and "moved by -" in done.descriptions[1].notes[0]
    assert done.descriptions[3].span.start >= done.descriptions[2].span.end + PRACTICE.pause - 1e-9
    reasons = {one.text[:3]: one.reason for one in done.dropped}
    assert reasons["aaa"] == "needs 6.7 s at the highest rate, the gap leaves 5.4 s"
    assert reasons["The"] == "no gap within 3 s of it"
    assert done.metrics["overlaps"] == 0


def test_drafts_may_be_shortened_and_what_a_person_wrote_may_not():
    longer, shorter = "a" * 120, "A man runs."
    entry = {"alternatives": (Alternative(shorter, -1.0),)}
    done = fit(script((15, 18, longer, entry)), PRACTICE)
    assert done.descriptions[0].text == shorter and "shortened" in " ".join(done.descriptions[0].notes)
    done = fit(script((15, 18, longer, entry | {"status": "edited"})), PRACTICE)
    assert not done.descriptions and done.dropped[0].text == longer
    done = fit(script((15, 18, longer, {"speech": Speech(5.0, "anna")})), PRACTICE)
    assert done.descriptions[0].span.seconds == 5.0  # measured: it fits
    done = fit(script((15, 18, longer, {})), preset("broadcast", {"extended": 8.0}))
    assert done.descriptions[0].kind == "extended" and done.descriptions[0].speech.seconds == 7.5


def test_gaps_come_from_dialogue_or_the_track_or_the_film():
    assert silences(script(), PRACTICE) == (Span(0, 9.7), Span(14.3, 19.7), Span(22.3, 40))
    assert silences(script(dialogue=(), gaps=(Span(1, 5),)), PRACTICE) == (Span(1, 5),)
    assert silences(script(dialogue=()), PRACTICE) == (Span(0, 40),)
    with pytest.raises(ValueError, match="no gaps"):
        silences(script(dialogue=(), film=None), PRACTICE)


LONG = """
import itertools, resource, time
from distinctad_jax.drafting.fit import fit
from distinctad_jax.movie.description import Description
from distinctad_jax.movie.movie import FilmFile, Line, Track
from distinctad_jax.movie.practice import Practice
from distinctad_jax.movie.span import Span
lines = tuple(Line(Span(7.2 * at, 7.2 * at + 2.5), f"Line {at}.") for at in range(1500))
told = tuple(
    Description(Span(7.2 * at + 2.6, 7.2 * at + 6), f"A man number{at} walks past the house{at * 7}.")
    for at in range(1500)
)
began = time.process_time()
done = fit(Track("long", told, film=FilmFile("long.mp4", 10800.0), dialogue=lines), Practice())
print(time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
assert len(done.descriptions) == 1500 and done.metrics["overlaps"] == 0
assert all(a.span.end < b.span.start for a, b in itertools.pairwise(done.descriptions))
"""


def test_a_film_of_three_hours_with_1500_entries_is_fitted_within_ten_seconds():
    done = subprocess.run([sys.executable, "-c", LONG], check=True, cwd=REPOSITORY, capture_output=True, text=True)
    seconds, gigabytes = map(float, done.stdout.split())
    assert seconds < 10 and gigabytes < 2
