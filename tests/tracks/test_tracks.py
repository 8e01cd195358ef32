"""Tracks and dialogue: written strictly, read forgivingly."""

import io
import time

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import SHARED

from distinctad_jax.errors import BadInput, BadUsage
from distinctad_jax.movie.movie import Description, Track
from distinctad_jax.movie.span import Span, gaps
from distinctad_jax.tracks import read_dialogue, read_track, write_track
from distinctad_jax.tracks.reading import plain
from distinctad_jax.tracks.srt import seconds

DATA = SHARED / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data are not here")
SUFFIXES = [".vtt", ".srt", ".jsonl"]
clean = st.text(max_size=60).map(lambda text: plain(text, "<>{}")).filter(bool)


@st.composite
def tracks(draw):
    """Tracks as players take them: milliseconds, one clean line, no overlap; some longer than 99 hours."""
    moment, descriptions = draw(st.sampled_from([0, 359_999_000])), []
    for _ in range(draw(st.integers(0, 5))):
        start = moment + draw(st.integers(0, 5000))
        moment = start + draw(st.integers(1, 5000))
        score = draw(st.none() | st.floats(allow_nan=False, allow_infinity=False))
        descriptions.append(
            Description(
                Span(start / 1000, moment / 1000), draw(clean), score, tuple(draw(st.lists(st.text(), max_size=2)))
            )
        )
    return Track(draw(clean), tuple(descriptions), draw(st.sampled_from(["en", "de-AT"])), draw(st.just("") | clean))


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=30, deadline=None)
@given(track=tracks())
def test_what_is_written_is_read_again(tmp_path_factory, suffix, track):
    path = tmp_path_factory.getbasetemp() / f"movie{suffix}"
    write_track(path, track)
    problems = []
    read = read_track(path, problems=problems)
    assert problems == []
    assert [one.text for one in read.descriptions] == [one.text for one in track.descriptions]
    for one, other in zip(read.descriptions, track.descriptions, strict=True):
        assert abs(one.span.start - other.span.start) < 1e-6 and abs(one.span.end - other.span.end) < 1e-6
    if suffix == ".jsonl" and track.descriptions:
        assert read == track
    if suffix == ".vtt":
        assert (read.movie, read.language, read.made_by) == (track.movie, track.language, track.made_by)


TRACK = Track(
    "a & b.mp4",
    (
        Description(Span(26.3, 28.2), "Two people stand\non a small <i>bridge</i>."),
        Description(Span(30.0, 33.5), "A sign: R&D --> 5\u2028{x}\n\nShe waits."),
    ),
    made_by="distinctad_jax 0.1, draft",
)


def test_webvtt_as_players_want_it(tmp_path):
    write_track(tmp_path / "a.vtt", TRACK)
    assert (tmp_path / "a.vtt").read_bytes().decode() == (
        "WEBVTT\n\nNOTE\nAudio description of a & b.mp4\nLanguage: en\nMade by: distinctad_jax 0.1, draft\n\n"
        "1\n00:00:26.300 --> 00:00:28.200\nTwo people stand on a small ibridge/i.\n\n"
        "2\n00:00:30.000 --> 00:00:33.500\nA sign: R&amp;D -- 5 {x} She waits.\n\n"
    )


def test_srt_as_editors_want_it(tmp_path):
    write_track(tmp_path / "a.srt", TRACK)
    assert (tmp_path / "a.srt").read_bytes().decode() == (
        "1\n00:00:26,300 --> 00:00:28,200\nTwo people stand on a small ibridge/i.\n\n"
        "2\n00:00:30,000 --> 00:00:33,500\nA sign: R&D -- 5 x She waits.\n"
    )


@pytest.mark.parametrize("suffix", [".vtt", ".srt"])
def test_ffmpeg_accepts_the_file(tmp_path, suffix):
    write_track(tmp_path / f"a{suffix}", TRACK)
    with av.open(
        io.BytesIO((tmp_path / f"a{suffix}").read_bytes()), format={".vtt": "webvtt", ".srt": "srt"}[suffix]
    ) as box:
        found = [
            (float(p.pts * p.time_base), float(p.duration * p.time_base)) for p in box.demux() if p.pts is not None
        ]
    assert found == [(26.3, pytest.approx(1.9)), (30.0, pytest.approx(3.5))]


@pytest.mark.parametrize("suffix", [".vtt", ".srt"])
@pytest.mark.parametrize(
    ("descriptions", "says"),
    [
        ([(1, 3, "one"), (2.9, 4, "two")], "before the one above it ends"),
        ([(1, 2, " <> \n")], "no text"),
        ([(1, 1.0001, "short")], "a millisecond"),
    ],
)
def test_what_players_cannot_play_is_not_written(tmp_path, suffix, descriptions, says):
    track = Track("m", tuple(Description(Span(start, end), text) for start, end, text in descriptions))
    with pytest.raises(ValueError, match=says):
        write_track(tmp_path / f"a{suffix}", track)
    assert list(tmp_path.iterdir()) == []


def test_descriptions_are_written_in_order_of_time(tmp_path):
    late, early = Description(Span(5, 6), "late"), Description(Span(1, 5), "early")
    for suffix in SUFFIXES:
        write_track(tmp_path / f"a{suffix}", Track("m", (late, early)))
        assert read_track(tmp_path / f"a{suffix}").descriptions == (early, late)


VTT = "WEBVTT - title\n\n00:01.000 --> 00:02.000\nOne.\n\nx\n00:00:03.000 --> 00:00:04.000 line:80%\nTwo,\ntoo.\n"
SRT = "1\n00:00:01,000 --> 00:00:02,000\nOne.\n\n2\n00:00:03,000 --> 00:00:04,000 X1:5\nTwo,\ntoo.\n"
BOTH = [(1.0, 2.0, "One."), (3.0, 4.0, "Two, too.")]


def dialogue(path, data, **options):
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    problems = []
    lines = read_dialogue(path, problems=problems, **options)
    return [(line.span.start, line.span.end, line.text) for line in lines], problems


@pytest.mark.parametrize(("suffix", "text"), [(".vtt", VTT), (".srt", SRT)])
@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode(),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.encode("utf-16"),
        lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
        lambda text: text.rstrip("\n").encode(),
        lambda text: (text + "\n\n\n").encode(),
    ],
    ids=["plain", "mark", "crlf", "cr", "utf-16", "utf-16-be", "no last break", "more last breaks"],
)
def test_line_ends_and_marks(tmp_path, suffix, text, encode):
    assert dialogue(tmp_path / f"a{suffix}", encode(text)) == (BOTH, [])


@pytest.mark.parametrize(
    "text",
    [
        SRT.replace("1\n00", "00", 1).replace("2\n00", "00"),
        SRT.replace("2\n00", "1\n00"),
        SRT.replace("1\n00", "0\n00", 1),
        "\n\n" + SRT,
        SRT.replace(",000", ""),
        SRT.replace(",000", ".0"),
        SRT.replace("00:00:0", "0:0:"),
        SRT.replace("One.", "{\\an8}<font color='red'>One.</font>"),
        SRT.replace("Two,\ntoo.", "Two,\n\ntoo."),
        SRT.replace("One.\n\n", "One.\n"),
    ],
    ids=[
        "no numbers",
        "doubled",
        "from 0",
        "blank head",
        "no ms",
        "dots",
        "short",
        "codes",
        "blank inside",
        "no blank",
    ],
)
def test_srt_as_it_is_found(tmp_path, text):
    assert dialogue(tmp_path / "a.srt", text) == (BOTH, [])


@pytest.mark.parametrize(
    "text",
    [
        VTT.replace("title\n\n", "title\nKind: captions\nLanguage: en\n\n"),
        VTT.replace("title\n\n", "title\n"),
        VTT.replace("\n\nx", "\n\nNOTE\nnothing\n\nSTYLE\n::cue { color: red }\n\nREGION\nid:r\n\nx"),
        VTT.replace("One.", "<v Emo><i>One.</i></v>"),
        VTT.replace("Two,", "Two&#44;"),
    ],
    ids=["old header", "no blank after it", "blocks", "voice", "entity"],
)
def test_webvtt_as_it_is_found(tmp_path, text):
    assert dialogue(tmp_path / "a.vtt", text) == (BOTH, [])


@pytest.mark.parametrize(
    "times",
    [
        "00:00:05,000 --> 00:00:04,000",
        "00:00:05,000 --> 00:00:05,000",
        "-00:00:01,000 --> 00:00:04,000",
        "00:61:00,000 --> 00:62:00,000",
        "00:00:60,000 --> 00:00:62,000",
        "00:00:05,000 -->",
        "--> 00:00:05,000",
        "٠٠:00:01,000 --> 00:00:02,000",
        "9" * 400 + ":00:01,000 --> 00:00:02,000",
        "a --> b",
    ],
)
def test_a_cue_that_cannot_be_read_is_skipped_and_told_with_its_line(tmp_path, times):
    found, problems = dialogue(
        tmp_path / "a.srt", f"{SRT}\n3\n{times}\nLost.\n\n4\n00:00:08,000 --> 00:00:09,000\nThree.\n"
    )
    assert found == [*BOTH, (8.0, 9.0, "Three.")]
    assert len(problems) == 1 and problems[0].startswith(f"{tmp_path / 'a.srt'}:11: cue skipped")


def test_long_hours_are_read():
    assert seconds("1000000:00:00.5") == 3_600_000_000.5
    assert seconds("01:02.25") == 62.25 and seconds("1:2:3") == 3723
    assert seconds("00:01:02:250") == 62.25 and seconds("00:01:02:25") is None  # milliseconds, but no frames
    assert [seconds(wrong) for wrong in ("", "5", "1:2:3:4", "00:01.", "00:01.5s", "0 0:01", "00:1_0")] == [None] * 7


def test_without_a_list_what_is_skipped_is_a_python_warning(tmp_path):
    (tmp_path / "a.srt").write_text(SRT + "\n3\n00:00:05,000 --> 00:00:04,000\nLost.\n")
    with pytest.warns(UserWarning, match="cue skipped"):
        read_dialogue(tmp_path / "a.srt")


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("[DOOR SLAMS]", False),
        ("(music)", False),
        ("[door slams]\n(music plays)", False),
        ("(a long sound\nover two lines)", False),
        ("♪ la la la ♪", False),
        ("♪", False),
        ("# I sing #", False),
        ("...", False),
        ("[sighs] I know.", True),
        ("♪ la la ♪\nStop it!", True),
        ("- (whispers) Yes", True),
        ("#1 is here", True),
        ("(unclosed but spoken", True),
    ],
)
def test_sounds_are_no_speech(tmp_path, text, spoken):
    content = f"WEBVTT\n\n00:01.000 --> 00:02.000\n{text}\n\n00:05.000 --> 00:06.000\nHello.\n"
    found, _ = dialogue(tmp_path / "a.vtt", content)
    assert len(found) == 1 + spoken and found[-1][2] == "Hello."
    everything, _ = dialogue(tmp_path / "a.vtt", content, speech_only=False)
    assert everything[0][2] == " ".join(text.split("\n"))


def test_dialogue_is_sorted(tmp_path):
    found, _ = dialogue(tmp_path / "a.srt", SRT + "\n3\n00:00:00,000 --> 00:00:09,000\nZero.\n")
    assert [text for _, _, text in found] == ["Zero.", "One.", "Two, too."]


@pytest.mark.parametrize(("name", "text"), [("a.srt", ""), ("a.srt", " \n\n"), ("a.vtt", "WEBVTT\n")])
def test_a_file_without_dialogue_says_so(tmp_path, name, text):
    found, problems = dialogue(tmp_path / name, text)
    assert found == [] and "one gap" in problems[0]


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.vtt", SRT.encode(), "a.vtt:1: the first line does not say WEBVTT"),
        ("a.vtt", b"WEBVTTX\n\n", "WEBVTT"),
        ("a.srt", b"Just some text.\n", "no line of times"),
        ("a.srt", SRT.replace("One", "Où çà été").encode("latin-1"), "a.srt:3: is not utf-8"),
        ("a.srt", SRT.replace("One", "Привет").encode("cp1251"), "--encoding"),
    ],
    ids=["srt as vtt", "wrong signature", "text", "latin-1", "cp1251"],
)
def test_files_that_are_no_subtitles_are_refused(tmp_path, name, data, says):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadInput) as caught:
        read_dialogue(tmp_path / name)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_another_encoding_is_read_if_named(tmp_path):
    data = SRT.replace("One", "Été").encode("latin-1")
    assert dialogue(tmp_path / "a.srt", data, encoding="latin-1")[0][0][2] == "Été."
    with pytest.raises(BadUsage, match="no encoding"):
        dialogue(tmp_path / "a.srt", data, encoding="klingon")


def test_utf16_without_a_mark_is_named(tmp_path):
    for name in ("utf-16-le", "utf-16-be"):
        (tmp_path / "a.srt").write_bytes(SRT.replace("One", "Привет").encode(name))
        with pytest.raises(BadInput, match=f"looks like {name}; .*--encoding {name}"):
            read_dialogue(tmp_path / "a.srt")
        assert read_dialogue(tmp_path / "a.srt", encoding=name)[0].text == "Привет."
    with pytest.raises(BadUsage, match="no encoding is called 'undefined'"):
        read_dialogue(tmp_path / "a.srt", encoding="undefined")


@pytest.mark.parametrize("lost", [b"\xff\xfe", b"\x80\x81"])
def test_bytes_that_no_encoding_writes_are_damage_among_plain_letters(tmp_path, lost):
    found, problems = dialogue(tmp_path / "a.srt", SRT.encode().replace(b"One", b"O" + lost + b"ne"))
    assert found[0][2] == "O\ufffd\ufffdne." and "a.srt:3: bytes that are no text" in problems[0]


@pytest.mark.parametrize(
    ("name", "text"), [("cp1250", "Zażółć gęślą"), ("cp1254", "şöför ağı"), ("cp1257", "ačiū šįvakar")]
)
def test_other_latin_encodings_are_refused(tmp_path, name, text):
    (tmp_path / "a.srt").write_bytes(SRT.replace("One", text).encode(name))
    with pytest.raises(BadInput, match=r"a\.srt:3: is not utf-8; .*--encoding"):
        read_dialogue(tmp_path / "a.srt")


def test_a_few_damaged_bytes_are_replaced_and_told(tmp_path):
    data = SRT.replace("One", "Eins, zwei für füß ").replace("too", "XX").encode().replace(b"XX", b"\xff\x00")
    found, problems = dialogue(tmp_path / "a.srt", data)
    assert found[1][2] == "Two, \ufffd ." and all(":8: " in problem for problem in problems) and len(problems) == 1


def test_missing_files_and_unknown_suffixes(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        read_track(tmp_path / "a.vtt")
    with pytest.raises(BadInput, match="cannot be read"):
        (tmp_path / "b.vtt").mkdir()
        read_track(tmp_path / "b.vtt")
    with pytest.raises(BadUsage, match=r"\.vtt, \.srt, \.dapt\.ttml, \.csv, \.json, \.jsonl"):
        read_track(tmp_path / "a.txt")
    with pytest.raises(BadUsage, match=r"\.vtt"):
        read_dialogue(tmp_path / "a.jsonl")
    with pytest.raises(BadUsage, match=r"\.vtt"):
        write_track(tmp_path / "a", TRACK)


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("{", "a.jsonl:2: not JSON"),
        ("[1]", "a.jsonl:2: not an object"),
        ('{"start": 1, "end": 2, "text": 5}', "a.jsonl:2:text"),
        ('{"start": 1, "text": "x"}', "a.jsonl:2:end"),
        ('{"start": 1, "end": NaN, "text": "x"}', "a.jsonl:2:end"),
        ('{"start": 3, "end": 2, "text": "x"}', "a.jsonl:2:end"),
        ('{"start": true, "end": 2, "text": "x"}', "a.jsonl:2:start"),
        ('{"start": 1, "end": 2, "text": "x", "score": "high"}', "a.jsonl:2:score"),
        ('{"start": 1, "end": 2, "text": "x", "notes": "n"}', "a.jsonl:2:notes"),
        ('{"start": 1, "end": 2, "text": "x", "movie": "other"}', "a.jsonl:2: is of another track"),
    ],
)
def test_json_lines_are_checked(tmp_path, line, where):
    path = tmp_path / "a.jsonl"
    path.write_text('{"start": 0, "end": 1, "text": "first"}\n' + line + "\n")
    with pytest.raises(BadInput) as caught:
        read_track(path)
    assert where in str(caught.value)


@pytest.mark.parametrize("suffix", [".srt", ".vtt"])
def test_many_cues_and_traps_take_no_long_time(tmp_path, suffix):
    begin = time.process_time()  # others may use the machine
    block = "".join(
        f"{n}\n00:{n // 600 % 60:02d}:{n // 10 % 60:02d}.{n % 10}00 --> 23:00:00.000\nHi\n\n" for n in range(20_000)
    )
    lines, _ = dialogue(tmp_path / f"a{suffix}", "WEBVTT\n\n" * (suffix == ".vtt") + block)
    assert len(lines) == 20_000
    head = "WEBVTT\n\n" * (suffix == ".vtt") + "00:00:01.000 --> 00:00:02.000\n"
    for trap in (
        "<" * 300_000,
        "<b>" * 50_000,
        "(" * 300_000,
        "[(" * 100_000,
        "&" * 300_000,
        "0:" * 300_000 + "-->",
        "{\\" * 99_999,
    ):
        dialogue(tmp_path / f"trap{suffix}", head + trap + "\n")
    assert time.process_time() - begin < 10


@needs_data
def test_real_subtitles():
    problems = []
    spoken = read_dialogue(DATA / "elephants_dream" / "captions.en.vtt", problems=problems)
    track = read_track(DATA / "elephants_dream" / "descriptions.en.vtt", problems=problems)
    assert (len(spoken), len(track.descriptions), problems) == (78, 63, [])
    assert spoken[-1].span.end == 539.867 and track.descriptions[-1].span.end == 653.0
    words = [word for one in track.descriptions for word in one.text.split() if any(c.isalnum() for c in word)]
    assert len(words) == 980
    assert sum(any(one.span.overlaps(line.span) for line in spoken) for one in track.descriptions) == 8
    found = gaps([line.span for line in spoken], 653.0)
    assert len(found) == 18 and int(sum(gap.seconds for gap in found)) == 423
    friday = read_dialogue(DATA / "videos" / "his_girl_friday_6s.en.vtt")
    assert len(friday) == 5 and gaps([line.span for line in friday], 6.166) == []


@needs_data
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_real_track_is_written_and_read_again(tmp_path, suffix):
    track = read_track(DATA / "elephants_dream" / "descriptions.en.vtt")
    write_track(tmp_path / f"a{suffix}", track)
    assert read_track(tmp_path / f"a{suffix}").descriptions == track.descriptions


def test_markdown_says_once_that_an_entry_is_left_out(tmp_path):
    reasons = ("left silent: others are worth more", "no words")
    left = [Description(Span(n + 1, n + 2), "", kind="dropped", reason=why) for n, why in enumerate(reasons)]
    write_track(tmp_path / "a.md", Track("a", (), dropped=tuple(left)))
    lines = (tmp_path / "a.md").read_text().splitlines()
    assert "  - left silent: others are worth more" in lines and "  - left out: no words" in lines


@pytest.mark.parametrize(
    ("suffix", "told"),
    [(".json", True), (".vtt", True), (".jsonl", True), (".dapt.ttml", True), (".srt", False), (".csv", False)],
)
def test_it_is_known_whether_a_file_tells_its_language(tmp_path, suffix, told):
    path = tmp_path / f"a{suffix}"
    write_track(path, Track("a", (Description(Span(1, 4), "Er rennt."),), "de"))
    found = read_track(path, problems=[])
    assert found.language_told == told and found.language == ("de" if told else "en")
    if suffix == ".vtt":
        path.write_text("WEBVTT\n\n00:01.000 --> 00:04.000\nEr rennt.\n")
        assert not read_track(path, problems=[]).language_told


@pytest.mark.parametrize(
    ("name", "language"),
    [
        *(("a.fr.srt", "fr"), ("a.por_BR.csv", "pt-BR"), ("a.GER.vtt", "de")),
        *(("a.ad.srt", ""), ("fr.srt", ""), ("a.fr.sdh.srt", "")),
        *(("a.fr.json", "de"), ("a.fr.dapt.ttml", "de")),
    ],
)
def test_the_name_of_a_file_tells_its_language_where_the_file_does_not(tmp_path, name, language):
    write_track(tmp_path / name, Track("a", (Description(Span(1, 4), "Er rennt."),), "de"))
    if name.endswith(".vtt"):
        (tmp_path / name).write_text("WEBVTT\n\n00:01.000 --> 00:04.000\nEr rennt.\n")
    found = read_track(tmp_path / name, problems=[])
    assert (found.language, found.language_told) == (language or "en", bool(language))
