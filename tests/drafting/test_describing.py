"""Drafts of films whose gaps are known exactly: every bar of placement, whatever the model says."""

import itertools
import json

import pytest
from film_maker import write_film, write_srt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stubs import StubDrafter

from distinctad_jax.drafting.describe import Wishes, clips, describe, overlaps, summary, tidied
from distinctad_jax.drafting.dialogue import Sources
from distinctad_jax.drafting.drafts import Store
from distinctad_jax.drafting.survey import NONE, survey
from distinctad_jax.movie.movie import Person
from distinctad_jax.movie.practice import Practice, preset
from distinctad_jax.movie.span import Span
from distinctad_jax.narration.schedule import Taste
from distinctad_jax.tracks import read_track, write_track

SPEECH = [(4, 6), (9.5, 11), (12, 15.5), (22, 23), (26, 28), (40, 44), (52.5, 53), (55, 59)]


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """A minute of film with speech laid over a silent clip."""
    folder = tmp_path_factory.mktemp("film")
    film = write_film(folder / "film.mp4", 60, SPEECH)
    srt = write_srt(folder / "film.srt", [(a, b, "Where is Jake?" if a == 22 else "Hello.") for a, b in SPEECH])
    return survey(film, Sources(srt), Practice())


def drafted(seen, tmp_path, say=None, wishes=None, cast=()):
    store = Store(tmp_path / "store", {"test": 1})
    return describe(seen, cast, StubDrafter(say), wishes or Wishes(), store, made_by="a stub")


def assert_bars(track, speech, practice):
    """100 % of cues inside gaps, none over dialogue, none too fast; what is not spoken has a reason."""
    for one in track.descriptions:
        assert one.span.within(Span(one.gap.start, one.gap.end + 1e-6)) and one.gap in track.gaps
        assert not any(one.span.overlaps(span) for span in speech)
        if one.kind == "inline":
            assert len(one.text) / one.span.seconds <= practice.fastest_characters_per_second + 1e-6
        assert {"overlaps_dialogue", "too_fast", "too_short_gap"}.isdisjoint(check.name for check in one.checks)
    for before, after in itertools.pairwise(track.descriptions):
        assert after.span.start >= before.span.end + practice.pause - 1e-6
    assert all(one.reason for one in track.dropped)
    assert overlaps([one.span for one in track.descriptions], speech) == 0


def test_every_cue_of_a_film_lies_in_a_gap_that_is_known_exactly(seen, tmp_path):
    track = drafted(seen, tmp_path)
    told = clips(seen.silences, seen.shots, 6.0)
    assert_bars(track, [Span(a, b) for a, b in SPEECH], Practice())
    assert len(track.descriptions) + len(track.dropped) == len(told) and len(track.descriptions) >= 4
    assert track.metrics["overlaps"] == 0 and 0 < track.metrics["spoken_share"] <= 0.6
    for one in track.entries:
        assert one.provenance.clip in [clip for clip, _ in told] and one.provenance.shots and one.provenance.model
        assert len(one.alternatives) == 2 and all(other.reason for other in one.alternatives)
    assert "0 overlaps" in summary(track) and summary(track).startswith(f"{len(track.gaps)} gaps")


ODD = st.text(max_size=300) | st.sampled_from(["", "...", "a --> b\n\nc", "<b>x</b>", "\u202e\u0000", "A" * 5000])


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(ODD, max_size=3), min_size=1, max_size=12), st.floats(0, 1))
def test_whatever_a_model_says_the_bars_hold_and_players_can_read_it(seen, tmp_path, said, distinctiveness):
    track = drafted(
        seen, tmp_path, lambda number, clip, room: said[number % len(said)], Wishes(taste=Taste(distinctiveness, 1.0))
    )
    assert_bars(track, [Span(a, b) for a, b in SPEECH], Practice())
    for suffix in (".json", ".vtt", ".srt"):
        path = tmp_path / f"film{suffix}"
        write_track(path, track)
        problems = []
        again = read_track(path, problems=problems)
        assert len(again.descriptions) == len(track.descriptions) and not problems


@pytest.mark.parametrize("name", ["broadcast", "web", "education", "research"])
def test_each_preset_is_kept(seen, tmp_path, name):
    practice = preset(name)
    made = survey(seen.video, Sources(seen.video.with_suffix(".srt"), check_offset=False), practice, cuts=NONE)
    track = drafted(made, tmp_path, wishes=Wishes(practice, Taste(density=1.0)))
    assert_bars(track, [Span(a, b) for a, b in SPEECH], practice)
    assert all(gap.seconds >= practice.minimum_gap - 1e-9 for gap in track.gaps) and track.descriptions


def test_clips_begin_with_shots_and_are_never_too_long(seen):
    for clip, gap in clips(seen.silences, seen.shots, 6.0):
        assert clip.within(Span(gap.start, gap.end + 1e-9)) and clip.seconds <= 6.0 + 1e-9
    told = clips([Span(1, 20)], [Span(0, 4), Span(4, 5), Span(5, 12), Span(12, 20)], 6.0)
    starts = [clip.start for clip, _ in told]
    assert starts == [1, 4, 8, 12, 16] and told[-1][0].end == 20  # 5 is too near to 4; 4..12 is cut in two


CAST = (Person("Jake Sully"), Person("Dr. Grace Augustine"))


@pytest.mark.parametrize(
    ("policy", "early", "late"),
    [
        ("always", "Jake waits.", "Jake waits."),
        ("after-intro", "Someone waits.", "Jake waits."),
        ("never", "Someone waits.", "Someone waits."),
    ],
)
def test_names_follow_the_policy(seen, tmp_path, policy, early, late):
    wishes = Wishes(taste=Taste(0.0, 1.0), names=policy)
    track = drafted(seen, tmp_path, lambda *_: ["Jake waits."], wishes, CAST)
    for one in track.entries:
        assert one.text == (early if one.provenance.clip.start < 23 else late)
    assert not any(check.name in ("names_too_early", "not_in_cast") for one in track.entries for check in one.checks)


def test_nobody_is_named_who_is_not_in_the_cast(seen, tmp_path):
    wishes = Wishes(taste=Taste(0.0, 1.0), names="always")
    track = drafted(seen, tmp_path, lambda *_: ["Bob sees Neytiri.", "A man runs."], wishes, CAST)
    assert {one.text for one in track.entries} == {"A man runs."}
    track = drafted(seen, tmp_path / "two", lambda *_: ["The man sees Neytiri."], wishes, CAST)
    assert {one.text for one in track.entries} == {"The man sees someone."}


def test_a_killed_run_goes_on_where_it_was(seen, tmp_path):
    whole = drafted(seen, tmp_path / "whole")
    facts = {"film": "a"}
    store = Store(tmp_path / "store", facts)
    first = StubDrafter(stop_after=4)
    with pytest.raises(KeyboardInterrupt):
        describe(seen, (), first, Wishes(), store)
    store.flush()
    again, second = Store(tmp_path / "store", facts), StubDrafter()
    assert len(again.said) == 4
    track = describe(seen, (), second, Wishes(), again, made_by="a stub")
    assert first.asked + second.asked == len(clips(seen.silences, seen.shots, 6.0))
    assert track == whole
    again.flush()
    assert not Store(tmp_path / "store", {"film": "b"}).said  # of other facts: emptied
    (tmp_path / "store").mkdir(exist_ok=True)
    (tmp_path / "store" / "drafts.json").write_text('{"key": 3')
    assert not Store(tmp_path / "store", facts).said


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("a man  runs,", "A man runs."),
        ("He waits…", "He waits…"),
        ("<i>she</i>", "I she /i."),
        ("?!", ""),
        ("", ""),
        ("word " * 200, "Word" + " word" * 79 + "."),
    ],
)
def test_texts_are_tidied(said, written):
    assert tidied(said) == written


def test_the_same_film_gives_the_same_bytes(seen, tmp_path):
    for name in ("a", "b"):
        write_track(tmp_path / f"{name}.json", drafted(seen, tmp_path / name))
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert str(seen.video.parent) not in (tmp_path / "a.json").read_text()
    assert json.loads((tmp_path / "a.json").read_text())["options"]["names"] == "after-intro"
