"""Annotation tables: every row accounted for, every fault in one line."""

import pytest
from places import SHARED

from distinctad_jax.data.annotations import movies_from, read_annotations, read_splits
from distinctad_jax.data.cast import read_cast
from distinctad_jax.errors import BadInput, BadUsage
from distinctad_jax.movie.movie import Person

DATA = SHARED / "data" / "annotations"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared annotations are not here")
HEAD = "movie,start,end,text\n"


def table(tmp_path, text, name="rows.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refused(path, **options):
    with pytest.raises(BadInput) as caught:
        read_annotations(path, **options)
    assert "\n" not in str(caught.value) and caught.value.mend
    return str(caught.value)


def whole(report):
    return report.rows == report.used + sum(report.dropped.values())


@needs_data
@pytest.mark.parametrize(
    ("name", "encoding", "damaged"),
    [
        ("madeval_anno_utf8.csv", "utf-8", 0),
        ("madeval_anno.csv", "cp1252", 4),
        ("madeval_anno.csv", "latin-1", 4),
        ("madeval_anno.csv", "auto", 4),
    ],
)
def test_madeval_is_accounted_for(name, encoding, damaged):
    found = read_annotations(DATA / name, encoding=encoding)
    counts = found.report.counts()
    assert (found.report.kind, counts["rows"], counts["used"], counts["movies"]) == ("madeval", 6520, 6520, 10)
    assert (counts["unsorted"], counts["overlaps"], counts["placeholders"]) == (17, 82, 45)
    assert (counts["past_end"], counts["repeated_text"], counts["shared_text"]) == (0, 36, 72)
    assert (counts["short"], counts["long"], counts["shifted"]) == (46, 48, 749 + 437)
    assert (counts["fragments"], counts["unpunctuated"]) == (162, 303)
    assert (counts["quotes"], counts["double_blanks"]) == (16, 5)
    assert found.report.traps["damaged_text"] == ((5725, 5742, 5847, 5923) if damaged else ())
    assert whole(found.report)
    assert 4492 in found.report.traps["unsorted"]  # the largest jump back, 288 s
    movies = movies_from(found)
    assert [len(movie.clips) for movie in movies] == [778, 749, 540, 898, 660, 566, 568, 751, 437, 573]
    for movie in movies:
        assert [clip.span for clip in movie.clips] == sorted(clip.span for clip in movie.clips)
        assert movie.duration is not None and movie.clips[-1].span.end <= movie.duration
    cast = read_cast(DATA / "MAD_charbank_2023mar.json")
    assert all(movie.cast for movie in movies_from(found, cast=cast))
    names = read_cast(DATA / "cast_list_for_eval.json")
    assert all(row.imdb.startswith("tt") for row in found.rows) and len(names) == 98
    assert read_splits(DATA / "mad_split.json")["EVAL"] == tuple(sorted(movie.key for movie in movies))


@needs_data
def test_a_table_in_another_encoding_is_refused_with_the_line():
    line = refused(DATA / "madeval_anno.csv", encoding="utf-8")
    assert ":5725: byte 0x80 is not utf-8" in line and "--encoding" in line


def test_a_table_with_more_than_a_few_damaged_lines_is_refused(tmp_path):
    rows = [f"m,{n},{n + 1},He waits {n}.\n".encode() for n in range(400)]
    some = [row.replace(b"He", b"H\xe9") if n % 100 == 7 else row for n, row in enumerate(rows)]
    found = read_annotations(table(tmp_path, HEAD.encode() + b"".join(some)))
    assert found.report.traps["damaged_text"] == (9, 109, 209, 309) and found.report.used == 400
    many = [row.replace(b"He", b"H\xe9") if n % 50 == 7 else row for n, row in enumerate(rows)]
    assert "byte 0xe9 is not utf-8" in refused(table(tmp_path, HEAD.encode() + b"".join(many)))


@needs_data
@pytest.mark.parametrize(
    ("name", "times", "overlaps"),
    [
        ("tvad_anno.csv", "stated", 0),
        ("tvad_anno.csv", "auto", 191),
        ("tvad_anno_with_face_0.2_0.4.csv", "scaled", 191),
    ],
)
def test_tvad_is_accounted_for(name, times, overlaps):
    found = read_annotations(DATA / name, times=times)
    counts = found.report.counts()
    assert (found.report.kind, counts["rows"], counts["used"], counts["movies"]) == ("tvad", 2983, 2983, 100)
    assert (counts["unsorted"], counts["overlaps"]) == (0, overlaps) and whole(found.report)
    assert (counts["unpunctuated"], counts["damaged_text"]) == (3, 1)  # r??sum??
    assert counts["padded"] == sum(row.stated < 2 for row in found.rows if row.stated is not None)
    assert counts["no_faces"] == (219 if "face" in name else 0)
    assert all(len(row.numbers) == 16 for row in found.rows)
    lengths = [len(movie.clips) for movie in movies_from(found, cast=read_cast(DATA / "tvad_charbank.json"))]
    assert (min(lengths), max(lengths), sum(length < 16 for length in lengths)) == (7, 76, 14)
    if times != "stated":
        assert min(row.end - row.start for row in found.rows) >= 2.0 - 1e-6


@needs_data
def test_a_table_without_times_names_its_columns():
    line = refused(DATA / "tvad_train.csv")
    assert "found index, text_gt, text_gt_wo_char" in line and "movie" in line


CMDAD = "text,start,end,movie,scaled_start,scaled_end,cmd_filename,imdbid,movie_title,cmd_clip_idx\n"


def test_cmdad_in_one_file_keeps_the_film(tmp_path):
    rows = "He waits.,10,11,m1,9.5,11.5,m1,tt1,A,0\nShe comes.,12,15,m1,12,15,m1,tt1,A,1\n"
    found = read_annotations(table(tmp_path, CMDAD + rows))
    assert (found.report.kind, found.report.times) == ("cmdad", "scaled")
    assert [(row.movie, row.film, row.start, row.end, row.video, row.imdb) for row in found.rows] == [
        ("m1", "m1", 9.5, 11.5, "m1", "tt1"),
        ("m1", "m1", 12.0, 15.0, "m1", "tt1"),
    ]
    stated = read_annotations(table(tmp_path, CMDAD + rows), times="stated")
    assert [(row.start, row.end) for row in stated.rows] == [(10.0, 11.0), (12.0, 15.0)]


def test_cmdad_in_several_files_makes_a_movie_of_each(tmp_path):
    rows = "He waits.,1000,1001,m1,0,2,2014/aa,tt1,A,0\nShe comes.,5012,5015,m1,12,15,2014/bb,tt1,A,1\n"
    found = read_annotations(table(tmp_path, CMDAD + rows))
    assert [(row.movie, row.film, row.video) for row in found.rows] == [
        ("m1_0", "m1", "2014/aa"),
        ("m1_1", "m1", "2014/bb"),
    ]
    people = {"m1": (Person("Ada"),)}
    assert [movie.cast for movie in movies_from(found, cast=people)] == [people["m1"]] * 2
    stated = read_annotations(table(tmp_path, CMDAD + rows), times="stated")
    assert [(row.movie, row.video, row.start) for row in stated.rows] == [("m1", None, 1000.0), ("m1", None, 5012.0)]


def test_cmdad_keeps_two_films_of_one_name_apart(tmp_path):
    rows = "He waits.,1,2,Carrie,0,2,1976/aa,tt1,A,0\nShe comes.,1,2,Carrie,0,2,2013/bb,tt2,A,0\n"
    found = read_annotations(table(tmp_path, CMDAD + rows))
    assert [(row.movie, row.video) for row in found.rows] == [
        ("Carrie_1976_aa", "1976/aa"),
        ("Carrie_2013_bb", "2013/bb"),
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", ",movie,start,end,text,,\n0,m,1,2.5,He waits.,,\n"),
        ("a.csv", "movie,start,end,text\nm,0:00:01,00:00:02.500,He waits.\n"),
        ("a.csv", "Film, Begin ,stop,Caption\nm,1,2.5,He waits.\n"),
        ("a.csv", "\ufeffmovie,start,end,text\r\nm,1,2.5,He waits.\r\n\r\n"),
        ("a.csv", 'movie,start,end,sentence\nm,1e0,2.5,"He\nwaits."\n'),
        ("a.tsv", "movie\tstart\tend\ttext\nm\t1\t2.5\tHe waits.\n"),
        ("a.jsonl", '{"movie": "m", "start": 1, "end": 2.5, "text": "He waits."}\n\n'),
        ("a.jsonl", '{"movie": "m", "start": "1", "end": "2.5", "ad": "He waits."}\n'),
        ("a.json", '{"7": {"movie": "m", "timestamps": [1, 2.5], "sentence": "He waits.", "movie_duration": 9}}'),
        ("a.json", '[{"movie": "m", "start": 1, "end": 2.5, "text": "He waits."}]'),
    ],
)
def test_generic_tables_in_many_dresses(tmp_path, name, text):
    found = read_annotations(table(tmp_path, text, name))
    assert [(row.movie, row.start, row.end, row.text) for row in found.rows] == [("m", 1.0, 2.5, "He waits.")]
    assert found.report.kind == "generic" and whole(found.report)


def test_json_may_hold_halves_of_characters(tmp_path):
    text = '{"movie": "10142", "start": "100:00:01,5", "end": 360003, "text": "He \\ud83d waits."}\n'
    found = read_annotations(table(tmp_path, text, "a.jsonl"))
    assert [(row.movie, row.start, row.text) for row in found.rows] == [("10142", 360001.5, "He \ufffd waits.")]
    assert found.report.traps["damaged_text"] == (1,)


def test_utf16_with_a_mark_is_read(tmp_path):
    assert read_annotations(table(tmp_path, (HEAD + "m,1,2,Ça va.\n").encode("utf-16"))).rows[0].text == "Ça va."


def test_lines_are_those_of_the_file(tmp_path):
    text = HEAD + 'm,1,2,"one\ntwo\nthree"\nm,3,4,four\n\nm,5,x,five\n'
    assert ":7:end" in refused(table(tmp_path, text))
    found = read_annotations(table(tmp_path, text), bad_rows="drop")
    assert [row.line for row in found.rows] == [2, 5]


@pytest.mark.parametrize(
    ("row", "where", "says"),
    [
        ("m,nan,2,x", ":2:start", "nan"),
        ("m,1,inf,x", ":2:end", "inf"),
        ("m,1,1e309,x", ":2:end", "not a finite"),
        ("m,1," + "9" * 500 + ",x", ":2:end", "not a finite"),
        ("m,,2,x", ":2:start", "''"),
        ("m,one,2,x", ":2:start", "'one'"),
        ("m,1_0,20,x", ":2:start", "1_0"),
        ("m,٣,20,x", ":2:start", "is not a number"),
        ('m,"1,5",2,x', ":2:start", "decimal point"),
        ("m,2,1,x", ":2:end", "from 2.0 to 1.0 s"),
        ("m,2,2,x", ":2:end", "start < end"),
        ("m,-1,2,x", ":2:end", "0 <= start"),
        ("m,1,2", ":2:", "3 fields, but the header has 4"),
        ("m,1,2,x,y", ":2:", "5 fields"),
        ("../m,1,2,x", ":2:movie", "no movie name inside a folder"),
        ("a/../../m,1,2,x", ":2:movie", "inside a folder"),
        ("/etc/m,1,2,x", ":2:movie", "inside a folder"),
        ("http://h/m,1,2,x", ":2:movie", "inside a folder"),
        ("c:\\m,1,2,x", ":2:movie", "inside a folder"),
        (",1,2,x", ":2:movie", "inside a folder"),
        ("m" * 300 + ",1,2,x", ":2:movie", "inside a folder"),
        ("m,1:02,1:03,x", ":2:start", "'1:02' is not a number"),
        ("m,00:00:01:12,9,x", ":2:start", "is not a number"),
        ("m,00:61:01,9999,x", ":2:start", "is not a number"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path, row, where, says):
    path = table(tmp_path, f"{HEAD}{row}\nm,5,6,fine\n")
    line = refused(path)
    assert line.startswith(f"{path}{where}") and says in line and "rows cannot be used" not in line
    found = read_annotations(path, bad_rows="drop")
    assert found.report.dropped == {"cannot be used": 1} and len(found.rows) == 1 and whole(found.report)


def test_many_bad_rows_are_counted_in_one_line(tmp_path):
    path = table(tmp_path, HEAD + "m,5,6,fine\n" + "m,2,1,x\n" * 30)
    line = refused(path)
    assert "30 rows cannot be used" in line and "on lines 4, 5, 6" in line and line.count(",") < 60
    assert ", 22, ..." in line and " 23" not in line


@pytest.mark.parametrize(
    ("text", "where", "says"),
    [
        ("", "", "empty"),
        ("  \n\n", "", "empty"),
        (HEAD, "", "not one row"),
        ("start,end,text\n1,2,x\n", ":1", "no column movie"),
        ("movie,start,text\nm,1,x\n", ":1", "no column end"),
        ("movie,start,end,text,start\nm,1,2,x,1\n", ":1", "'start' stands there twice"),
        ("movie;start;end;text\nm;1;2;x\n", ":1", "separate columns by commas"),
        (HEAD + 'm,1,2,"open\nm,3,4,x\n', ":2", "never closed"),
        (HEAD + 'm,1,2,fine\nm,3,4,"a" b\n', ":3", "no CSV"),
        (HEAD + "m,1,2,a\0b\n", ":2", "NUL"),
        (HEAD + "m,1,2," + "x" * 140_000 + "\n", ":2", "field larger than field limit"),
        (HEAD.encode() + b"m,1,2,fine\nm,3,4,caf\xe9\n", ":3", "0xe9 is not utf-8"),
        (CMDAD.replace("text,", "") + "1,2,m,1,2,f,tt,A,0\n", ":1", "no column text for kind cmdad"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(tmp_path, text, where, says):
    path = table(tmp_path, text)
    line = refused(path)
    assert line.startswith(f"{path}{where}: ") and says in line


@pytest.mark.parametrize(
    ("name", "text", "where", "says"),
    [
        ("a.jsonl", '{"movie": "m", "start": 1, "end": 2, "text": "x"}\n{\n', ":2", "no JSON"),
        ("a.jsonl", "[]\n", ":1", "object"),
        ("a.jsonl", '{"movie": "m", "start": NaN, "end": 2, "text": "x"}\n', ":1", "NaN"),
        ("a.jsonl", '{"movie": "m", "start": true, "end": 2, "text": "x"}\n', ":1:start", "True"),
        ("a.jsonl", '{"movie": "m", "start": 1, "end": 1%s, "text": "x"}\n' % ("0" * 400), ":1:end", "finite"),
        ("a.jsonl", '{"movie": 5, "start": 1, "end": 2, "text": "x"}\n', ":1:movie", "5"),
        ("a.jsonl", '{"movie": "m", "start": 1, "end": 2, "text": ["x"]}\n', ":1:text", "not text"),
        ("a.json", '{"a": [}', ":1:8", "no JSON"),
        ("a.json", "5", "", "neither a list"),
        ("a.json", "[" * 100_000, "", "JSON"),
        ("a.json", '[{"movie": "m", "timestamps": [1], "text": "x"}]', ":1:timestamps", "not a number"),
    ],
)
def test_json_that_cannot_be_used_is_named(tmp_path, name, text, where, says):
    path = table(tmp_path, text, name)
    line = refused(path)
    assert line.startswith(f"{path}{where}: ") and says in line


def test_rows_are_dropped_for_counted_reasons(tmp_path):
    text = "movie,start,end,text,movie_duration\n" + "\n".join(
        [
            "m,1,2,one,10",
            "m,3,4,  ,10",
            "m,1,2,one,10",
            "m,10,11,late,10",
            "m,9,11,long,10",
            "m,0.5,1,one,10",
            "n,1,2,one,10",
        ]
    )
    found = read_annotations(table(tmp_path, text))
    assert [row.text for row in found.rows] == ["one", "long", "one", "one"]
    assert found.report.dropped == {
        "no text": 1,
        "repeats another row": 1,
        "starts after the end of the movie": 1,
    }
    assert whole(found.report)
    assert found.report.traps["past_end"] == (6,) and found.report.traps["unsorted"] == (7,)
    assert found.report.traps["repeated_text"] == (7,) and found.report.traps["overlaps"] == (7,)
    told = found.report.sentences()
    assert told[0].endswith("4 of 7 rows used, in 2 movies (generic)")
    assert "1 rows start before the row above them in their movie (lines 7)" in told


def test_traps_in_texts(tmp_path):
    text = HEAD + "m,1,2,SOMEONE waits.\nm,2,3,someone\nm,3,4,caf\ufffd\nm,4,5,?\x80?\n"
    traps = read_annotations(table(tmp_path, text)).report.traps
    assert traps["placeholders"] == (2,) and traps["damaged_text"] == (4, 5)


def test_options_are_checked(tmp_path):
    path = table(tmp_path, HEAD + "m,1,2,x\n")
    for wrong in ({"kind": "mad"}, {"times": "late"}, {"bad_rows": "keep"}):
        with pytest.raises(ValueError, match="must be one of"):
            read_annotations(path, **wrong)
    with pytest.raises(BadUsage, match="klingon"):
        read_annotations(path, encoding="klingon")
    assert "scaled_start" in refused(path, times="scaled")
    assert "no such file" in refused(tmp_path / "none.csv")
    assert "cannot be read" in refused(tmp_path)


def test_a_video_that_climbs_is_refused(tmp_path):
    rows = CMDAD + "He waits.,10,11,m1,9.5,11.5,../secret,tt1,A,0\n"
    assert "no file name inside a folder" in refused(table(tmp_path, rows))
