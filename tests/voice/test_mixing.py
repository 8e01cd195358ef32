"""The mix of film and narration, and the film it is written into, measured on what comes out."""

import itertools

import av
import numpy as np
import pytest
from av.stream import Disposition
from films import beeps, heard, noise, packets, with_tracks, write_film

from distinctad_jax.data.captions import read_captions
from distinctad_jax.data.sound import levels
from distinctad_jax.errors import BadInput
from distinctad_jax.movie.description import Description, Speech
from distinctad_jax.movie.movie import Track
from distinctad_jax.movie.practice import Practice
from distinctad_jax.movie.span import Span
from distinctad_jax.voice.loudness import RATE, measured
from distinctad_jax.voice.mixing import mixed, parts_of
from distinctad_jax.voice.remux import TextTrack
from distinctad_jax.voice.remux import write_film as write_described
from distinctad_jax.voice.sound import programme

STEREO = ("FL", "FR")


def track(folder, starts, seconds=1.0):
    beeps(folder / "clips", "a.wav", seconds)
    said = [
        Description(
            Span(start, start + seconds),
            "He runs & hides.",
            speech=Speech(seconds, "v", 1.0, "clips/a.wav"),
            id=f"ad{n}",
        )
        for n, start in enumerate(starts)
    ]
    return Track("film", tuple(said))


def mix_of(film, folder, starts, dialogue=(), practice=None, **more):
    parts, _ = parts_of(track(folder, starts), folder)
    return mixed(programme(film), parts, dialogue, practice or Practice(), **more)


def loudness(mix):
    """(voice, film) in LUFS at every description, measured on the stems."""
    stems = list(mix.stems())
    film, voice = (np.concatenate([pair[side] for pair in stems], axis=1) for side in (0, 1))
    film, voice = measured(film, mix.programme.channels), measured(voice, mix.programme.channels)
    return [(voice.plain(part.description.span), film.integrated([part.description.span])) for part in mix.parts]


@pytest.mark.parametrize("level", [-45.0, -30.0, -12.0])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_the_narration_is_ten_lu_above_the_film_at_every_entry(tmp_path, level, channels):
    film = write_film(tmp_path / "film.mkv", noise(9, level, channels))
    mix = mix_of(film, tmp_path, [0.5, 2.0, 6.0])
    for (voice, under), margin in zip(loudness(mix), mix.balance.margins, strict=True):
        assert voice - under >= 10.0
        assert margin == pytest.approx(voice - under, abs=0.2)
        assert voice == pytest.approx(mix.balance.level, abs=0.1)
    out = measured(np.concatenate(list(mix.pieces()), axis=1), mix.programme.channels)
    assert out.true_peak <= -1.0
    assert out.true_peak == pytest.approx(mix.peak, abs=0.05)


def test_a_loud_place_is_lowered_more_than_a_quiet_one_and_the_rest_is_left_alone(tmp_path):
    wave = noise(20, -30)
    wave[:, 10 * RATE : 15 * RATE] *= 10 ** (8 / 20)
    film = write_film(tmp_path / "film.mkv", wave)
    mix = mix_of(film, tmp_path, [3.0, 12.0])
    assert mix.balance.ducks[1].decibels > mix.balance.ducks[0].decibels + 5
    film_alone = np.concatenate([film for film, _ in mix.stems()], axis=1)
    np.testing.assert_allclose(film_alone[:, 5 * RATE : 11 * RATE], wave[:, 5 * RATE : 11 * RATE], atol=1e-4)
    assert all(voice - under >= 10 for voice, under in loudness(mix))


def test_a_film_far_louder_than_its_dialogue_raises_the_voice_before_it_gives_up(tmp_path):
    wave = noise(12, -20)
    wave[:, : 4 * RATE] *= 10 ** (-14 / 20)  # the dialogue, softly spoken
    film = write_film(tmp_path / "film.mkv", wave)
    mix = mix_of(film, tmp_path, [6.0], [Span(0, 4)])
    assert all(voice - under >= 10 for voice, under in loudness(mix))
    assert mix.balance.ducks[0].decibels == pytest.approx(20, abs=1e-6)
    assert 0 < mix.balance.level - measured(wave, STEREO).integrated([Span(0, 4)]) <= 6


def test_a_film_without_sound_gets_narration_alone(tmp_path):
    film = write_film(tmp_path / "film.mkv", None, seconds=5)
    mix = mix_of(film, tmp_path, [1.0])
    assert mix.balance.level == -23.0
    assert [voice for voice, _ in loudness(mix)] == pytest.approx([-23.0], abs=0.1)


def test_a_film_may_be_brought_to_a_loudness(tmp_path):
    film = write_film(tmp_path / "film.mkv", noise(8, -35))
    mix = mix_of(film, tmp_path, [2.0], loudness=-24.0)
    out = measured(np.concatenate(list(mix.pieces()), axis=1), STEREO)
    assert out.integrated([Span(4.0, 8.0)]) == pytest.approx(-24.0, abs=0.3)


PLAIN, DEFAULT = Disposition(0), Disposition.default
LANGUAGES = {
    "default": ([("ger", DEFAULT), ("eng", PLAIN), ("fre", PLAIN)], {"": 0, "en": 1, "fra": 2, "1": 1, "ger": 0}),
    "later": ([("ger", PLAIN), ("eng", DEFAULT)], {"": 1, "de": 0}),
    "aside": (
        [("eng", DEFAULT | Disposition.visual_impaired), ("eng", Disposition.comment), ("eng", PLAIN)],
        {"": 2, "en": 2, "0": 0, "1": 1},
    ),
    "described": ([("eng", DEFAULT | Disposition.visual_impaired)], {"": 0, "en": 0}),
}


@pytest.mark.parametrize("name", LANGUAGES)
def test_a_film_of_several_languages_gives_the_one_that_is_asked_for(tmp_path, name):
    tracks, wanted = LANGUAGES[name]
    one = write_film(tmp_path / "one.mp4", noise(3, -20), sound="aac")
    film = with_tracks(tmp_path / "film.mkv", one, tracks)
    first = measured(np.concatenate(list(programme(one).pieces()), axis=1), STEREO).integrated()
    for asked, number in wanted.items():
        found = programme(film, asked)
        assert found.track.number == number and len(found.tracks) == len(tracks)
        level = measured(np.concatenate(list(found.pieces()), axis=1), STEREO).integrated()
        assert level == pytest.approx(first - 6.02 * number, abs=0.3)
    for asked in ("it", str(len(tracks)), "none", "-1"):
        with pytest.raises(BadInput, match=f"no audio track '{asked}'.*choose one of its audio tracks: 0"):
            programme(film, asked)


@pytest.mark.parametrize("name", LANGUAGES)
def test_speech_is_looked_for_in_the_track_that_players_take(tmp_path, name):
    tracks, wanted = LANGUAGES[name]
    one = write_film(tmp_path / "one.mp4", noise(3, -20), sound="aac")
    heard, whole = levels(with_tracks(tmp_path / "film.mkv", one, tracks)), levels(one)
    assert np.median(heard) == pytest.approx(np.median(whole) - 6.02 * wanted[""], abs=0.3)


def test_the_sound_in_the_language_of_the_narration_is_taken_if_there_is_one(tmp_path):
    one = write_film(tmp_path / "one.mp4", noise(2, -20), sound="aac")
    tracks = [("ger", DEFAULT), ("eng", PLAIN), ("fre", PLAIN), ("fre", PLAIN), ("ita", Disposition.comment)]
    film = programme(with_tracks(tmp_path / "film.mkv", one, tracks))
    taken = {language: film.spoken_in(language).track.number for language in ("en-GB", "de", "fr", "it", "ja", "")}
    assert taken == {"en-GB": 1, "de": 0, "fr": 0, "it": 0, "ja": 0, "": 0}
    silent = programme(write_film(tmp_path / "silent.mkv", None, seconds=1))
    assert silent.spoken_in("en") == silent and silent.track is None


@pytest.mark.parametrize("given", [".mp4", ".mkv"])  # Matroska holds no time of decoding of the first packets
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_the_film_keeps_its_packets_and_gains_flagged_tracks(tmp_path, suffix, given):
    film = write_film(tmp_path / f"film{given}", noise(6, -8), sound="aac")
    mix, problems = mix_of(film, tmp_path, [1.0, 3.5]), []
    texts = [
        TextTrack([(Span(0, 0.8), "Hello & goodbye.")], "English", "eng", False),
        TextTrack(
            [(part.description.span, part.description.text) for part in mix.parts],
            "English (audio description)",
            "eng",
            True,
        ),
    ]
    out = tmp_path / f"out{suffix}"
    written = write_described(
        out, mix, texts, title="English (audio description)", language="eng", ceiling=-1.0, problems=problems
    )
    assert packets(out) == packets(film) and packets(out, "audio") == packets(film, "audio")
    found = heard(out, 1)
    assert measured(found, STEREO).true_peak <= -1.0
    assert written.peak == pytest.approx(measured(found, STEREO).true_peak, abs=0.1)
    with av.open(str(out)) as box:
        first, second = box.streams.audio
        assert second.disposition & Disposition.visual_impaired
        assert not first.disposition & Disposition.visual_impaired
        assert not second.disposition & Disposition.default
        titles = [stream.metadata.get("title") or stream.metadata.get("name") for stream in list(box.streams)[2:]]
        assert titles == ["English (audio description)", "English", "English (audio description)"]
        captions, described = box.streams.subtitles
        assert captions.disposition & Disposition.default and not described.disposition & Disposition.default
        assert described.disposition & Disposition.descriptions and described.metadata["language"] == "eng"
        cues = [(p.pts * p.time_base, bytes(p)) for p in box.demux(described) if p.size > 2]
    zero = first_picture(out)  # Matroska counts from the first sample of sound, which the codec puts before 0
    assert [float(time) - zero for time, _ in cues] == pytest.approx([1.0, 3.5], abs=1e-3)
    assert all(data.endswith(b"He runs & hides.") for _, data in cues)
    assert abs(aligned(heard(out, 0), found)) <= 48  # samples: Matroska's clock ticks milliseconds
    assert not problems


@pytest.mark.parametrize(("given", "suffix"), [(".mp4", ".mkv"), (".mkv", ".mp4"), (".mkv", ".mkv")])
def test_subtitles_of_the_film_are_kept_in_the_codec_of_the_container(tmp_path, given, suffix):
    first = write_film(tmp_path / "film.mp4", noise(5, -25), sound="aac")
    captions = TextTrack([(Span(0.5, 1.5), "Who?"), (Span(3, 4), "Me\n& you.")], "Captions", "fre", False)
    film, out, problems = tmp_path / f"captioned{given}", tmp_path / f"out{suffix}", []
    words = {"title": "AD", "language": "eng", "ceiling": -1.0}
    write_described(film, mix_of(first, tmp_path, []), [captions], **words, problems=problems)
    described = TextTrack([(Span(2, 2.5), "He runs.")], "AD", "eng", True)
    write_described(out, mix_of(film, tmp_path, [2.0]), [described], **words, problems=problems)
    assert read_captions(out).language == "fre" and not problems
    shown = [(round(span.start, 1), round(span.end, 1), text) for span, text in read_captions(out).cues]
    assert shown == [(0.5, 1.5, ("Who?",)), (3.0, 4.0, ("Me", "& you."))]
    with av.open(str(out)) as box:
        assert [one.metadata.get("title") or one.metadata.get("name") for one in box.streams.audio] == [
            None,
            "AD",
            "AD",
        ]


def first_picture(path):
    """When a player shows the first picture, in seconds."""
    with av.open(str(path)) as box:
        frame = next(box.decode(video=0))
        return float(frame.pts * frame.time_base)


def aligned(one, other, first=5.0, seconds=0.8):
    """How many samples `other` lags behind `one`, between them."""
    a, b = (wave[0, int(first * RATE) : int((first + seconds) * RATE)] for wave in (one, other))
    lags = range(-1500, 1501)
    inside = a[1500:-1500]
    return max(lags, key=lambda lag: float(inside @ b[1500 + lag : len(b) - 1500 + lag]))


@pytest.mark.parametrize("start", [0.0, 1.5])
def test_a_film_that_begins_late_keeps_sound_and_picture_together(tmp_path, start):
    film = write_film(tmp_path / "film.mkv", noise(7, -25), start=start)
    mix = mix_of(film, tmp_path, [1.0])
    write_described(tmp_path / "out.mkv", mix, [], title="AD", language="eng", ceiling=-1.0, problems=[])
    assert abs(aligned(heard(tmp_path / "out.mkv", 0), heard(tmp_path / "out.mkv", 1), 4 + start)) <= 48
    out = heard(tmp_path / "out.mkv", 1)
    tone = np.abs(np.fft.rfft(out[0, int((1.2 + start) * RATE) : int((1.7 + start) * RATE)]))
    assert tone.argmax() / 0.5 == pytest.approx(440, abs=4)


def test_the_same_mix_gives_the_same_bytes(tmp_path):
    film = write_film(tmp_path / "film.mkv", noise(3, -25))
    for name in ("one.mkv", "two.mkv"):
        mix = mix_of(film, tmp_path, [1.0])
        write_described(tmp_path / name, mix, [], title="AD", language="eng", ceiling=-1.0, problems=[])
    assert (tmp_path / "one.mkv").read_bytes() == (tmp_path / "two.mkv").read_bytes()


def test_what_a_container_cannot_hold_is_said(tmp_path):
    film = write_film(tmp_path / "film.webm", noise(3, -25), codec="libvpx", sound="opus")
    mix = mix_of(film, tmp_path, [1.0])
    with pytest.raises(BadInput, match=r"use \.mkv"):
        write_described(tmp_path / "out.mp4", mix, [], title="AD", language="eng", ceiling=-1.0, problems=[])
    assert not list(tmp_path.glob("*.partial*")) and not (tmp_path / "out.mp4").exists()


def test_descriptions_that_overlap_or_outlast_the_film_are_refused(tmp_path):
    film = write_film(tmp_path / "film.mkv", noise(3, -25))
    with pytest.raises(BadInput, match="before ad0 ends"):
        mix_of(film, tmp_path, [0.5, 1.2])
    with pytest.raises(BadInput, match="after the film"):
        mix_of(film, tmp_path, [2.5])


@pytest.mark.parametrize("name", ["../clip.wav", "/etc/passwd", "clips/link.wav"])
def test_a_clip_lies_below_its_track(tmp_path, name):
    folder = tmp_path / "track"
    beeps(tmp_path, "clip.wav")
    (folder / "clips").mkdir(parents=True)
    (folder / "clips" / "link.wav").symlink_to(tmp_path / "clip.wav")
    said = Description(Span(0, 1), "He runs.", speech=Speech(1.0, "v", 1.0, name), id="ad1")
    with pytest.raises(BadInput, match="lies elsewhere"):
        parts_of(Track("film", (said,)), folder)


def test_a_clip_that_a_person_recorded_longer_may_not_reach_into_the_next(tmp_path):
    film = write_film(tmp_path / "film.mkv", noise(6, -25))
    parts, _ = parts_of(track(tmp_path, [1.0, 2.5]), tmp_path)
    beeps(tmp_path / "clips", "a.wav", seconds=2.0)
    with pytest.raises(BadInput, match="reaches into the next"):
        mixed(programme(film), parts, [], Practice())


def test_ramps_meet_between_descriptions_that_are_close(tmp_path):
    film = write_film(tmp_path / "film.mkv", noise(12, -25))
    ducks = mix_of(film, tmp_path, [1.0, 3.0, 8.0]).balance.ducks
    assert ducks[0].up == ducks[1].down == 0 and ducks[0].span.end == ducks[1].span.start
    assert ducks[1].up == 0.5 and ducks[2].down == pytest.approx(0.3)
    assert all(a.span.end <= b.span.start for a, b in itertools.pairwise(ducks))


def test_a_film_that_is_cut_off_is_mixed_as_far_as_it_goes_and_told(tmp_path):
    film = write_film(tmp_path / "film.mkv", noise(9, -25))
    data = film.read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) * 2 // 3])
    problems = []
    mix = mix_of(tmp_path / "cut.mkv", tmp_path, [1.0], problems=problems)
    assert sum(piece.shape[1] for piece in mix.pieces()) == round(mix.programme.seconds * RATE)
    assert any("its sound ends at" in problem for problem in problems)
