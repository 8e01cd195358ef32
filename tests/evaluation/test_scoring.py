"""`score` and `compare`, from files to tables: what is read, what is refused, and that no input breaks them."""

import csv
import io
import json
import math
import random
import subprocess
import sys

import numpy as np
import pytest
from places import REPOSITORY

from distinctad_jax.commands.book import main
from distinctad_jax.errors import BadInput, BadUsage
from distinctad_jax.evaluation import compare, score, written
from distinctad_jax.evaluation.predictions import matched, read_predictions
from distinctad_jax.evaluation.scoring import Setup
from distinctad_jax.metrics.corpus import Row
from distinctad_jax.metrics.scores import Policy

WORDS = ["anna", "ben", "opens", "shuts", "red", "door", "letter", "dog", "lamp", "slowly", "outside", "the", "a"]
HEAD = ["vid", "start", "end", "text_gt", "text_gen"]
FAST = Setup(resamples=0)


def made(count: int = 50, movies: int = 2, seed: int = 1) -> list[Row]:
    draw = random.Random(seed)
    found = []
    for at in range(count):
        text = " ".join(draw.sample(WORDS, 6)) + f" thing{at}"
        said = " ".join(text.split()[: draw.randint(1, 7)])
        movie, place = f"movie{at * movies // count}", at % (count // movies)
        found.append(Row(movie, float(place), place + 0.5, said, text))
    return found


def table(rows, head=HEAD) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(head)
    writer.writerows([row.movie, row.start, row.end, row.reference, row.prediction] for row in rows)
    return file.getvalue()


@pytest.fixture
def put(tmp_path):
    def write(name: str, content: str | bytes):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_a_table_gives_the_scores_of_its_rows_in_any_order(put):
    rows = made()
    wanted = score(rows, setup=FAST).values
    shuffled = random.Random(4).sample(rows, len(rows))
    assert score(shuffled, setup=FAST).values == pytest.approx(wanted, nan_ok=True)
    assert score(put("p.csv", table(shuffled)), setup=FAST).values == pytest.approx(wanted)
    lines = [dict(zip(HEAD, [r.movie, r.start, r.end, r.reference, r.prediction], strict=True)) for r in shuffled]
    jsonl = put("p.jsonl", "\n".join(map(json.dumps, lines)))
    assert score(jsonl, setup=FAST).values == pytest.approx(wanted)


def test_file_order_keeps_what_time_would_sort(put):
    rows = made(20, 1)
    flipped = put("p.csv", table(rows[::-1]))
    sort, keep = (score(flipped, setup=Setup(file_order=order, resamples=0)) for order in (False, True))
    assert sort.header["order"] == "movie, start, end" and keep.header["order"] == "of the file"
    assert score(rows[::-1], setup=Setup(file_order=True, resamples=0)).values == pytest.approx(keep.values)
    assert sort.values["CIDEr-D"] == pytest.approx(keep.values["CIDEr-D"])


@pytest.mark.parametrize("form", ["bom", "crlf", "tsv", "other names", "no times"])
def test_files_as_programs_write_them(put, form):
    rows = made(20, 1)
    wanted = score(rows, setup=FAST).values
    text, columns = table(rows), None
    untimed = "".join(f"m,{row.reference},{row.prediction}\n" for row in rows)
    path = {
        "bom": lambda: put("p.csv", b"\xef\xbb\xbf" + text.encode()),
        "crlf": lambda: put("p.csv", text.replace("\r\n", "\n").replace("\n", "\r\n")),
        "tsv": lambda: put("p.tsv", text.replace(",", "\t")),
        "other names": lambda: put("p.csv", table(rows, ["film", "start", "end", "truth", "ours"])),
        "no times": lambda: put("p.csv", "movie,text_gt,text_gen\n" + untimed),
    }[form]()  # fmt: skip
    if form == "other names":
        columns = {"movie": "film", "reference": "truth", "prediction": "ours"}
    found = score(path, setup=FAST, columns=columns).values
    timed = {"fits its time", "coverage"}
    assert found == pytest.approx({k: v for k, v in wanted.items() if form != "no times" or k not in timed})


def test_cp1252_is_refused_by_line_and_read_when_named(put):
    path = put("p.csv", table(made(6, 1)).encode() + "movie0,9,10,A caf\u00e9.,A caf\u00e9.\r\n".encode("cp1252"))
    with pytest.raises(BadInput, match=r"p\.csv:8: byte 0xe9 is not utf-8.*--encoding cp1252"):
        score(path)
    assert score(path, encoding="cp1252", setup=FAST).header["rows"] == "7 in 1 movies"


def test_every_bad_row_has_a_line_and_none_is_dropped_in_silence(put, capsys):
    path = put("p.csv", table(made(6, 1)) + 'm,nan,1,a,b\nm,2,1,a,b\n,3,4,a,b\nm,5\nm,inf,9,"a\nb",c\nm,6,7,a,b\n')
    told = []
    with pytest.raises(BadInput, match=r"p\.csv:8:start: 'nan' is no time in seconds \(5 rows cannot be used\)"):
        score(path, say=told.append)
    assert [line.split(": ")[0].removeprefix(str(path)) for line in told[:5]] == [
        ":8:start", ":9:end", ":10:vid", ":11", ":12:start",
    ]  # fmt: skip
    found = score(path, drop_bad_rows=True, setup=FAST)
    assert found.header["rows"] == "7 in 2 movies" and len(found.bad) == 5
    assert main(["score", str(path), "--bad-rows", "drop", "--resamples", "0", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out.splitlines()[-1])["bad_rows"]) == 5
    assert main(["score", str(path)]) == 3


@pytest.mark.parametrize(
    "odd",
    [
        ("", "A man runs."), ("A man runs.", ""), ("", ""), ("nan", "A man runs."),
        ("\U0001f600", "A \U0001f600 man."),
        ("word " * 10_000, "A man runs."), ("...", "?!"), ("a\u2028b\x0bc", "a b c"), ("=cmd|x", "<script>&"),
    ],
)  # fmt: skip
def test_odd_sentences_are_scored(put, odd):
    said, wanted = odd
    rows = [*made(20, 1), Row("movie0", 99.0, 99.5, said, wanted)]
    path = put("p.jsonl", "\n".join(
        json.dumps(dict(zip(HEAD, [r.movie, r.start, r.end, r.reference, r.prediction], strict=True))) for r in rows
    ))  # fmt: skip
    found = score(path, with_baselines=True, setup=Setup(resamples=20))
    for form in ("markdown", "latex", "csv", "json"):
        assert written(found, form)
    assert all(value is None or math.isfinite(value) for value in found.values.values())
    assert "<script>" not in written(found, "markdown")


def test_an_empty_prediction_scores_zero_and_stays():
    rows = made(20, 1)
    rows[3] = rows[3]._replace(prediction="")
    found = score(rows, setup=FAST)
    assert found.header["rows"] == "20 in 1 movies" and found.values["coverage"] == pytest.approx(95)


@pytest.mark.parametrize(("count", "movies"), [(1, 1), (2, 1), (4, 2), (3, 3)])
def test_few_rows_have_scores_but_no_recall(count, movies):
    found = score(made(count, movies), with_baselines=True)
    assert found.values["R@1/5"] is None and found.values["ROUGE-L"] is not None
    if count == 1:
        assert found.values["CIDEr-D"] == 0
    if movies == 1:
        assert all(one.interval is None for one in found.systems["predictions"].values())
    single = score(made(count, movies), setup=Setup(Policy(short="single"), resamples=0))
    assert single.values["R@1/5"] is not None


def test_several_references_a_row(put):
    path = put(
        "p.csv", "movie,start,end,text_gt,text_gt_2,text_gen\nm,0,1,a dog,the cat,the cat\nm,1,2,a man,,a man\n"
    )
    rows = read_predictions([path]).rows
    assert [row.references for row in rows] == [("a dog", "the cat"), ("a man",)]
    assert score(path, setup=FAST).values["ROUGE-L"] == pytest.approx(100)
    both = put(
        "p.jsonl", '{"movie": 1, "start": 0, "end": 1, "text_gt": ["a dog", "the cat"], "text_gen": "the cat"}'
    )
    assert read_predictions([both]).rows == [Row("1", 0.0, 1.0, "the cat", "a dog", ("the cat",))]


def test_predictions_meet_their_references_by_id_and_never_by_sentence(put):
    truth = put("t.csv", "id,movie,start,end,text_gt\n1,m,0,1,He runs.\n2,m,1,2,He runs.\n3,n,0,1,She sits.\n")
    said = put("s.csv", "id,movie,text_gen\n3,n,third\n1,m,first\n2,m,second\n")
    rows = read_predictions([said], references=truth).rows
    assert sorted((row.movie, row.start, row.prediction) for row in rows) == [
        ("m", 0, "first"), ("m", 1, "second"), ("n", 0, "third"),
    ]  # fmt: skip
    short = put("s.csv", "id,movie,text_gen\n3,n,third\n1,m,first\n9,m,nobody\n")
    with pytest.raises(BadInput, match=r"row 9 has no reference \(2 rows"):
        score(short, references=truth)


def test_rows_at_the_same_time_meet_in_order():
    one = [Row("m", 0.0, 1.0, text, "r") for text in ("a", "b")]
    pairs, alone, other = matched(one, [row._replace(prediction=row.prediction * 2) for row in [*one, one[0]]])
    assert [(a.prediction, b.prediction) for a, b in pairs] == [("a", "aa"), ("b", "bb")]
    assert not alone and len(other) == 1


def test_tracks_meet_an_annotation_table_in_time(put):
    truth = put("t.csv", "movie,start,end,text\nfilm,0,2,He runs.\nfilm,4,6,She sits.\nfilm,8,9,A dog.\n")
    track = put("film.vtt", "WEBVTT\n\n00:01.000 --> 00:05.000\nShe sits.\n\n00:05.500 --> 00:06.500\nLate.\n\n"
                            "00:20.000 --> 00:21.000\nNobody.\n")  # fmt: skip
    found = read_predictions([track], references=truth)
    assert [(row.prediction, row.said) for row in found.rows] == [
        ("She sits.", (1.0, 5.0)),
        ("Late.", (5.5, 6.5)),
        ("", None),
    ]
    assert {kind: len(lines) for kind, lines in found.odd.items()} == {
        "rows without a description": 1, "descriptions without a row": 1,
    }  # fmt: skip
    assert score(track, references=truth, setup=FAST).values["coverage"] == pytest.approx(100 * 2.5 / 5)
    with pytest.raises(BadUsage, match="no references"):
        score(track)


def test_dialogue_and_cast_add_their_scores(put, capsys):
    rows = put("p.csv", "movie,start,end,text_gt,text_gen\nm,0,2,Anna runs.,Anna sits.\nm,4,6,Ben sits.,He runs.\n")
    cast = put("cast.json", '{"m": ["Anna", "Ben"]}')
    srt = put("m.srt", "1\n00:00:01,000 --> 00:00:05,000\nHello!\n")
    line = ["score", str(rows), "--cast", str(cast), "--dialogue", str(srt), "--json", "--resamples", "0"]
    assert main(line) == 0
    scores = json.loads(capsys.readouterr().out.splitlines()[-1])["scores"]
    assert scores["CRITIC"] == 50 and scores["over dialogue"] == pytest.approx(50)


def test_baselines_stand_beside_the_system(put, capsys):
    path, training = put("p.csv", table(made())), put("train.csv", "text\nanna opens the door\nben\n")
    assert main(["score", str(path), "--with-baselines", "--train", str(training), "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    names = list(found["systems"])
    assert names[0] == "predictions" and len(names) == 6 and "nearest training" in names[-1]
    constant = found["systems"][next(name for name in names if name.startswith("constant"))]
    assert constant["R@1/5"]["value"] == pytest.approx(20) and constant["R@5/16"]["value"] == pytest.approx(31.25)


def test_a_judge_is_named_with_its_score():
    class Judge:
        identity = "a coin, temperature 0"

        def __call__(self, prediction, reference):
            return 2

    found = score(made(20, 1), setup=Setup(judges=[Judge()], resamples=0))
    assert found.values["LLM-AD-eval (a coin, temperature 0)"] == 2 and "a coin" in found.header["judge"]
    assert "a coin" in written(found, "markdown")


def test_an_action_judge_looks_for_the_actions_of_a_row():
    class Judge:
        identity = "equal words"

        def phrases(self, text):
            return text.split(" and ")

        def verb(self, phrase):
            return phrase.split()[0]

        def similarity(self, actions, phrases):
            return np.array([[float(one == other) for other in phrases] for one in actions])

    rows = [Row("m", at, at + 1.0, "runs and eats", "x", actions=(("runs",), ("sits",), ())[at]) for at in range(3)]
    found = score(rows, setup=Setup(judges=[Judge()], resamples=0))
    # Of three rows one has no actions; one action is told, one is not: the mean of (1 - .25) * 2 and (0 - .25) * 2.
    assert found.values["action score (equal words)"] == pytest.approx(50)
    assert "equal words" in written(found, "markdown") and "equal words" in found.header["judge"]


def test_forms_agree_and_are_written_where_asked(put, tmp_path, capsys):
    path = put("p.csv", table(made()))
    outs = [tmp_path / f"scores{suffix}" for suffix in (".md", ".tex", ".csv", ".json")]
    assert main(["score", str(path), *(word for out in outs for word in ("--out", str(out)))]) == 0
    value = json.loads(outs[3].read_text())["scores"]["ROUGE-L"]
    lines = list(csv.DictReader(outs[2].open()))
    assert float(next(r["value"] for r in lines if r["score"] == "ROUGE-L" and not r["movie"])) == value
    assert f"{value:.2f}" in outs[0].read_text() and f"{value:.2f}" in outs[1].read_text()
    assert outs[0].read_text() == capsys.readouterr().out
    assert main(["score", str(path), "--out", "x.pdf"]) == 2 and main(["score", str(path), "--recall", "6/5"]) == 2


def test_two_systems_are_compared_row_by_row(put, capsys):
    rows = made(60, 3)
    better = [row._replace(prediction=row.reference) if row.start < 5 else row for row in rows]
    a, b = put("a.csv", table(rows)), put("b.csv", table(random.Random(2).sample(better, 60)))
    found = compare(a, b)
    change = found.changes["ROUGE-L"]
    assert change.change > 0 and change.interval.low > 0 and change.p == pytest.approx(2 / 8)
    assert found.best[0].change > 0 and found.best[0].other == found.best[0].reference and not found.worst
    assert found.rows == 60 and found.same >= 45
    back = compare(b, a)
    assert back.changes["ROUGE-L"].change == pytest.approx(-change.change) and not back.best
    same = compare(a, a, setup=Setup(resamples=10))
    assert all(one.change in (0, None) and one.p in (1, None) for one in same.changes.values())
    for form in ("markdown", "latex", "csv", "json"):
        assert written(found, form)
    assert main(["compare", str(a), str(b), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["changes"]["ROUGE-L"]["p"] == change.p


def test_rows_that_only_one_has_are_named_and_other_references_refused(put):
    rows = made(20, 1)
    found = compare(rows, rows[1:])
    assert len(found.alone) == 1 and found.rows == 19
    with pytest.raises(BadInput, match="other references"):
        compare(rows, [row._replace(reference="x") for row in rows])
    with pytest.raises(BadInput, match="no row is in both"):
        compare(rows, [row._replace(movie="x") for row in rows])


def test_missing_columns_and_empty_tables_are_refused(put):
    for text, what in (
        ("movie,start,end,text_gt\nm,0,1,a\n", "no column text_gen"),
        ("start,end,text_gt,text_gen\n0,1,a,b\n", "no column movie/vid"),
        ("movie,start,text_gt,text_gen\nm,0,a,b\n", "no column end"),
        ("movie,start,end,text_gt,text_gen\n", "not one row"),
        ("", "empty"),
    ):
        with pytest.raises(BadInput, match=what):
            score(put("p.csv", text))
    with pytest.raises(BadUsage, match="'film'"):
        score(put("p.csv", table(made(4, 1))), columns={"film": "vid"})


def test_a_benchmark_scores_as_the_reference_tools_say(published_tv, put):
    rows = [["vid", "text_gt", "text_gen"]]
    said = published_tv.predictions("mix")
    rows += [[row["group"], row["reference"], text] for row, text in zip(published_tv.rows, said, strict=True)]
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    found = score(put("p.csv", file.getvalue()), setup=Setup(resamples=0, file_order=True)).values
    wanted = published_tv.scores["mix"]
    for ours, theirs in (
        ("CIDEr-D", "CIDEr"),
        ("ROUGE-L", "ROUGE_L"),
        *((f"BLEU-{n}", f"Bleu_{n}") for n in (1, 2, 3, 4)),
    ):
        assert found[ours] == pytest.approx(100 * wanted[theirs], abs=1e-7)
    recall = published_tv.recall["unigram_f1|mix|N=16|tail=drop|short=skip"]["expected"]
    for name in ("R@1/16", "R@5/16"):
        assert found[name] == pytest.approx(100 * recall[name]["pooled"], abs=1e-9)


def test_scoring_waits_for_no_jax(put):
    path = put("p.csv", table(made(20, 1)))
    code = (
        f"import sys; from distinctad_jax.evaluation import score; score({str(path)!r}); print('jax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


def test_what_is_there_is_not_written_over_and_what_is_read_never(put, tmp_path, capsys):
    path = put("p.csv", table(made()))
    before = path.read_bytes()
    out, link = tmp_path / "scores.md", tmp_path / "link.md"
    link.symlink_to("secret.md")
    line = ["score", str(path), "--resamples=0", "--out"]
    assert main([*line, str(out)]) == 0 and main([*line, str(out)]) == 2 and main([*line, str(out), "--force"]) == 0
    assert main([*line, str(path), "--force"]) == 2 and main([*line, str(link), "--force"]) == 2
    assert main(["compare", str(path), str(path), "--out", str(path), "--force"]) == 2
    told = capsys.readouterr().err
    assert "scores.md: is there already" in told and "p.csv: is read, and" in told and "link.md: is a link" in told
    assert path.read_bytes() == before and not (tmp_path / "secret.md").exists()


@pytest.mark.parametrize("form", ["markdown", "latex", "csv"])
def test_names_steer_no_terminal_and_no_spreadsheet(put, capsys, form):
    rows = [("\x1b[31ma\x07", 1, 2, "x y", "y"), ("\t=1+1", 1, 2, "x", "y")]
    lines = [",".join(map(str, row)) for row in [("movie", "start", "end", "text_gt", "text_gen"), *rows]]
    path = put("p.csv", "\n".join(lines) + "\n")
    assert main(["score", str(path), "--format", form, "--resamples=0"]) == 0
    out = capsys.readouterr().out
    assert all(c.isprintable() or c == "\n" for c in out)
    assert not any(cell.strip().startswith("=") for line in out.splitlines() for cell in line.split(","))


@pytest.mark.parametrize("flag", ["--seed=-1", "--encoding=undefined"])
def test_wrong_values_are_wrong_usage(put, flag, capsys):
    assert main(["score", str(put("p.csv", table(made()))), flag]) == 2 and "error: " in capsys.readouterr().err
