"""The gaps of a film: from subtitles beside it or in it, from segments, from a detector; and late subtitles."""

import numpy as np
import pytest
from film_maker import RATE, write_film, write_srt

from distinctad_jax.drafting.dialogue import Sources
from distinctad_jax.drafting.survey import NONE, facts, seen_in, survey
from distinctad_jax.errors import BadInput, BadUsage
from distinctad_jax.movie.practice import Practice, preset
from distinctad_jax.movie.span import Span

SPEECH = [(4, 6), (9.5, 11), (12, 15.5), (22, 23), (26, 28)]
GAPS = [(0, 3.7), (6.3, 9.2), (15.8, 21.7), (23.3, 25.7)]  # what is left at the end is too short
CUES = [(start, end, "Where were you?") for start, end in SPEECH]


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Half a minute, a shot each 3 s, speech-like sound at SPEECH."""
    return write_film(tmp_path_factory.mktemp("film") / "film.mkv", 30, SPEECH)


def close(found, wanted):
    assert [(span.start, span.end) for span in found] == [pytest.approx(one, abs=0.11) for one in wanted]


def test_subtitles_give_the_gaps_exactly(film, tmp_path):
    seen = survey(film, Sources(write_srt(tmp_path / "a.srt", CUES)), Practice())
    assert [(gap.start, pytest.approx(gap.end)) for gap in seen.silences] == [
        (pytest.approx(start), end) for start, end in GAPS
    ]
    assert seen.watched.frames == 180 and len(seen.shots) == 10 and not seen.problems
    assert seen.usable == pytest.approx(sum(end - start for start, end in GAPS))
    assert seen.heard.source == "subtitles a.srt"


def test_sound_cues_are_no_speech_and_songs_are_if_wanted(film, tmp_path):
    cues = [(4, 6, "[door slams]"), (9, 11, "♪ la la ♪"), (14, 16, "(music)\n- Stop!")]
    path = write_srt(tmp_path / "a.srt", cues)
    seen = survey(film, Sources(path, check_offset=False), Practice(), cuts=NONE)
    close(seen.silences, [(0, 13.7), (16.3, 30)])
    assert [line.spoken for line in seen.heard.lines] == [False, False, True]
    seen = survey(film, Sources(path, songs=True, check_offset=False), Practice(), cuts=NONE)
    close(seen.silences, [(0, 8.7), (11.3, 13.7), (16.3, 30)])


def test_a_film_with_sound_of_which_nobody_says_when_it_speaks_is_warned_about(film, tmp_path):
    [told] = survey(film, Sources(), Practice(), cuts=NONE).problems
    assert "--subtitles" in told and "over dialogue" in told
    assert not survey(film, Sources(track="none"), Practice(), cuts=NONE).problems
    (tmp_path / "a.lab").write_text("4 6 speech\n")
    assert not survey(film, Sources(segments=tmp_path / "a.lab"), Practice(), cuts=NONE).problems


@pytest.mark.parametrize(("suffix", "codec"), [("mkv", "subrip"), ("mp4", "mov_text")])
def test_subtitles_inside_the_film_are_found(tmp_path, suffix, codec):
    captions = [(1, 2, "<i>Hello</i>"), (3, 4, "[thunder]"), (5, 6, "Bye\nnow")]
    path = write_film(tmp_path / f"in.{suffix}", 9, captions=captions, codec=codec)
    seen = survey(path, Sources(check_offset=False), preset("research"), cuts=NONE)
    assert facts(seen)["duration"] == round(seen.facts.duration, 3)
    assert [(line.text, line.spoken) for line in seen.heard.lines] == [
        ("Hello", True),
        ("[thunder]", False),
        ("Bye now", True),
    ]
    close(seen.silences, [(2.1, 4.9), (6.1, 9)])
    assert "embedded" in seen.heard.source and "eng" in seen.heard.source
    assert not survey(path, Sources(track="none"), Practice(), cuts=NONE).heard.lines
    assert len(survey(path, Sources(track="en", check_offset=False), Practice(), cuts=NONE).heard.lines) == 3
    with pytest.raises(BadInput, match="no subtitle track 'fr'"):
        survey(path, Sources(track="fr"), Practice(), cuts=NONE)


@pytest.mark.parametrize(
    ("language", "asked", "others"),
    [("ger", ("de", "deu", "de-AT", "GER", "0"), ("en", "ge", "1")), ("est", ("et",), ("es",))],
)
def test_a_subtitle_track_is_found_by_each_code_of_its_language(tmp_path, language, asked, others):
    path = write_film(tmp_path / "in.mkv", 6, captions=[(1, 2, "Hallo")], language=language)
    for track in asked:
        assert len(survey(path, Sources(track=track, check_offset=False), Practice(), cuts=NONE).heard.lines) == 1
    for track in others:
        with pytest.raises(BadInput, match=f"no subtitle track '{track}'"):
            survey(path, Sources(track=track, check_offset=False), Practice(), cuts=NONE)


def test_segments_and_any_detector_give_the_gaps(film, tmp_path):
    path = tmp_path / "speech.json"
    path.write_text(str([list(one) for one in SPEECH]))
    close(survey(film, Sources(segments=path), Practice(), cuts=NONE).silences, GAPS)

    def loud(samples, rate):
        assert rate == RATE and samples.dtype == np.float32
        level = np.abs(samples[: len(samples) // 800 * 800]).reshape(-1, 800).max(axis=1) > 0.05
        edges = np.flatnonzero(np.diff(np.concatenate([[False], level, [False]]).astype(int)))
        return [(start * 800 / rate, end * 800 / rate) for start, end in edges.reshape(-1, 2)]

    heard = survey(film, Sources(detector=loud), Practice(), cuts=NONE)
    close(heard.silences, GAPS)
    with pytest.raises(BadInput, match="detector gave"):
        survey(film, Sources(detector=lambda samples, rate: [(2, 1)]), Practice(), cuts=NONE)
    with pytest.raises(BadUsage, match="no speech detector"):
        survey(film, Sources(detector="nobody"), Practice(), cuts=NONE)


@pytest.mark.parametrize(("shift", "told"), [(0.0, False), (0.3, False), (0.9, True), (-2.0, True), (5.0, True)])
def test_subtitles_that_run_early_or_late_are_told(film, tmp_path, shift, told):
    path = write_srt(tmp_path / "a.srt", [(max(a + shift, 0), b + shift, text) for a, b, text in CUES])
    seen = survey(film, Sources(path), Practice(), cuts=NONE)
    assert seen.heard.offset.seconds == pytest.approx(-shift, abs=0.11)
    assert any("than the subtitles" in problem for problem in seen.problems) == told


def test_subtitles_of_another_cut_are_told(film, tmp_path):
    path = write_srt(tmp_path / "a.srt", [*CUES, (50, 51, "Too late."), (60, 61, "Far too late.")])
    seen = survey(film, Sources(path, check_offset=False), Practice(), cuts=NONE)
    assert any("2 of 7" in problem and "another cut" in problem for problem in seen.problems)


def test_a_part_of_the_film_and_given_shots(film, tmp_path):
    shots = tmp_path / "shots.csv"
    shots.write_text("start\n0\n10\n20\n")
    path = write_srt(tmp_path / "a.srt", CUES)
    seen = survey(film, Sources(path, check_offset=False), Practice(), cuts=shots, part=Span(5, 20))
    close(seen.silences, [(6.3, 9.2), (15.8, 20)])
    assert seen.shots[:2] == (Span(0, 10), Span(10, 20)) and len(seen.shots) == 3 and seen.watched is None
    assert seen_in(seen.shots, Span(9, 11)) == seen.shots[:2] and seen_in(seen.shots, Span(10, 20)) == seen.shots[1:2]
    with pytest.raises(BadInput, match="ends before"):
        survey(film, Sources(path), Practice(), cuts=NONE, part=Span(31, 32))


def test_a_human_script_lies_in_the_pauses_that_are_found(shared):
    from distinctad_jax.movie.span import gaps
    from distinctad_jax.tracks import read_dialogue, read_track

    folder = shared / "data" / "elephants_dream"
    speech = [line.span for line in read_dialogue(folder / "captions.en.vtt")]
    found = gaps(speech, 653.0)
    assert len(found) == 18 and sum(gap.seconds for gap in found) == pytest.approx(423, abs=5)  # as practice has it
    human = read_track(folder / "descriptions.en.vtt").descriptions
    assert sum(any(one.span.overlaps(gap) for gap in found) for one in human) > 0.9 * len(human)
