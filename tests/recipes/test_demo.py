"""The tiny demo: its report holds every table, it is made once, and what is missing of it is made again."""

import csv
import html.parser
import json
import math
import shutil
import time
from pathlib import Path

import pytest

from distinctad_jax.metrics.scores import Row, score_rows
from distinctad_jax.models.em_attention import WATCHED
from distinctad_jax.recipes.demo import watched
from distinctad_jax.recipes.workshop import Artefact
from distinctad_jax.tracks import read_track
from distinctad_jax.training.logbook import Logbook, read_logbook

SYSTEMS = {"full", "no_em_attention", "no_distinctive_loss", "no_context"}
BASELINES = {"constant", "copy previous", "copy next", "reference"}
SCORES = {"CIDEr-D", "ROUGE-L", "R@1/5", "distinctive-word recall", "repeated words", "same as neighbour"}


@pytest.fixture(scope="module")
def results(demo):
    return json.loads((demo / "demo" / "report" / "results.json").read_text(encoding="utf-8"))


def artefacts(folder: Path) -> dict[str, dict]:
    """What every artefact of a workdir says of itself, by its folder."""
    return {
        str(path.parent.relative_to(folder)): json.loads(path.read_text()) for path in folder.rglob("artefact.json")
    }


def finite(value) -> bool:
    if isinstance(value, dict):
        return all(finite(each) for each in value.values())
    return not isinstance(value, float) or math.isfinite(value)


def test_the_report_holds_every_table(results):
    assert set(results["probe"]) == {"text", "vision before Stage I", "vision after Stage I"}
    assert all(set(arm) == {"cider_d", "rouge_l"} for arm in results["probe"].values())
    assert set(results["retrieval"]) == {"before", "after"}
    assert set(results["stage2"]) == SYSTEMS | BASELINES
    assert all(set(scores) >= SCORES for scores in results["stage2"].values())
    assert set(results["gains"]) == SYSTEMS - {"full"}
    assert finite(results)
    rows = results["data"]["check"]
    assert rows["used"] == rows["rows"] == rows["rows_in_windows"]
    assert sum(results["data"]["pack"]["clips"].values()) == rows["used"]


def test_a_reference_that_describes_itself_has_the_best_scores(results):
    best = results["stage2"]["reference"]
    assert best["ROUGE-L"] == pytest.approx(100) and best["distinctive-word recall"] == pytest.approx(100)
    assert all(best["CIDEr-D"] >= scores["CIDEr-D"] for scores in results["stage2"].values())


def test_scores_are_those_of_the_predictions_that_were_written(demo, results):
    found = []
    for path in demo.glob("evaluate/*/predictions.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            table = list(csv.DictReader(file))
        rows = [Row(r["vid"], float(r["start"]), float(r["end"]), r["text_gen"], r["text_gt"]) for r in table]
        found.append(score_rows(rows, window=3, recall=((1, 5), (5, 16)), similarity="unigram_f1"))
    assert len(found) == len(SYSTEMS)
    for name in SYSTEMS:
        wanted = results["stage2"][name]
        assert any(all(math.isclose(each[score], wanted[score], abs_tol=1e-9) for score in SCORES) for each in found)


class Page(html.parser.HTMLParser):
    """Counts elements and checks that each is closed in its turn."""

    VOID = frozenset(("meta", "img", "br", "hr", "link", "input", "col"))

    def __init__(self):
        super().__init__()
        self.open, self.count, self.text = [], {}, []

    def handle_starttag(self, tag, attrs):
        self.count[tag] = self.count.get(tag, 0) + 1
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_is_sound_and_prints_the_runs_numbers(demo, results):
    page = Page()
    page.feed((demo / "demo" / "report" / "index.html").read_text(encoding="utf-8"))
    page.close()
    assert not page.open
    assert page.count["table"] >= 4 and page.count["img"] >= 4
    text = " ".join(page.text)
    for name in SYSTEMS:
        assert f"{results['stage2'][name]['CIDEr-D']:.1f}" in text
    for heading in ("Stage I", "Stage II", "Examples", "share", "losses"):
        assert heading in text


def test_an_account_names_all_files_and_what_the_artefact_was_made_of(demo):
    made = artefacts(demo)
    assert {about["recipe"] for about in made.values()} == {
        *(
            "render",
            "check",
            "pack",
            "pretrain",
            "stage1",
            "probe",
            "extract",
            "stage2",
            "evaluate",
            "narrate",
            "demo",
        )
    }
    keys = {about["key"] for about in made.values()}
    for folder, about in made.items():
        files = {str(path.relative_to(demo / folder)) for path in (demo / folder).rglob("*") if path.is_file()}
        assert set(about["files"]) == files - {"artefact.json"}
        assert set(about["needs"].values()) <= keys
    assert not [path for path in demo.rglob("*") if ".partial" in path.name or "incomplete" in path.name]


def test_the_narrated_toy_movie_has_cues_in_its_gaps_and_three_equal_tracks(demo):
    folder = next(demo.glob("narrate/*/artefact.json")).parent
    tracks = [read_track(path) for path in sorted(folder.glob("tc*"))]
    assert len(tracks) == 3
    cues = [
        [(round(each.span.start, 3), round(each.span.end, 3), each.text) for each in t.descriptions] for t in tracks
    ]
    assert cues[0] == cues[1] == cues[2]


def test_a_finished_demo_is_kept_and_starts_quickly(demo, command, capsys):
    before = {path: path.stat().st_mtime_ns for path in demo.rglob("*")}
    began = time.monotonic()
    assert command("demo", demo) == 0
    assert time.monotonic() - began < 10
    assert capsys.readouterr().err == f"demo: kept, {demo / 'demo'}\n"
    assert {path: path.stat().st_mtime_ns for path in demo.rglob("*")} == before


@pytest.mark.parametrize(
    ("recipe", "damage"), [("check", "removed"), ("check", "cut"), ("check", "account"), ("demo", "removed")]
)
def test_a_file_that_is_missing_or_cut_makes_just_its_artefact_again(workdir, command, capsys, recipe, damage):
    name = {"check": "report.json", "demo": "results.json"}[recipe]
    path = next(each for each in workdir.glob(f"{recipe}/**/{name}"))
    content, before = path.read_bytes(), artefacts(workdir)
    if damage == "removed":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[:-2])
    else:
        (path.parent / "artefact.json").write_text("{}")
    assert command(recipe, workdir) == 0
    told = capsys.readouterr().err.splitlines()
    kept = {line.split(":")[0] for line in told if ": kept, " in line}
    made = [line.split(":")[0] for line in told if ": made in " in line]
    assert "is missing or has changed" in told[0]
    assert made == [recipe]
    # A finished artefact asks for nothing, so the demo does not look at toy cinema.
    assert kept == ({"render"} if recipe == "check" else {a["recipe"] for a in before.values()} - {"demo", "render"})
    assert values(path.read_bytes()) == values(content)
    after = artefacts(workdir)
    assert {name: set(a["files"]) for name, a in after.items()} == {
        name: set(a["files"]) for name, a in before.items()
    }
    assert {name: a["key"] for name, a in after.items()} == {name: a["key"] for name, a in before.items()}


def values(content: bytes):
    """A JSON file without the sentences, which name the workdir."""
    return {name: value for name, value in json.loads(content).items() if name != "sentences"}


def test_what_a_user_keeps_in_the_demos_folder_is_not_swept_away(workdir, command):
    mine = workdir / "demo" / "notes.txt"
    mine.write_text("mine")
    (workdir / "demo" / "report" / "index.html").unlink()
    assert command("demo", workdir) == 0
    assert mine.read_text() == "mine" and (workdir / "demo" / "report" / "index.html").is_file()


def test_leftovers_of_a_stopped_run_are_swept_and_never_taken_for_results(workdir, command, capsys):
    folder = next(workdir.glob("check/*"))
    (folder / "artefact.json").unlink()
    (folder / "report.json").write_text("half")
    (folder / "stray").mkdir()
    (folder / "stray" / ".x.partial").touch()
    assert command("check", workdir) == 0
    assert "check: made in" in capsys.readouterr().err
    assert {path.name for path in folder.iterdir()} == {"artefact.json", "report.json"}
    assert json.loads((folder / "report.json").read_text())["rows"] == 48


def test_a_changed_setting_has_a_folder_of_its_own(workdir, command, capsys):
    assert command("check", workdir, "--config.check.clips=4") == 0
    told = capsys.readouterr().err
    assert "check: made in" in told and "render: kept" in told
    assert len(list(workdir.glob("check/*"))) == 2
    shutil.rmtree(workdir / "render")
    assert command("check", workdir, "--config.check.clips=4") == 0  # a finished artefact asks for nothing
    assert "render" not in capsys.readouterr().err


def test_what_em_attention_did_is_of_a_step_that_was_a_number(tmp_path):
    seen = dict.fromkeys(WATCHED, 0.5)
    with Logbook(tmp_path / "narrator") as logbook:
        logbook.write(1, {"caption": 1.0, **seen})
        logbook.write(2, {"caption": math.nan, **dict.fromkeys(WATCHED, math.nan)})
    assert watched(Artefact(tmp_path, "key", {})) == seen


def test_what_em_attention_does_is_logged_and_reported(demo, results):
    logs = {path.parent.name: read_logbook(path) for path in demo.glob("stage2/*/narrator")}
    watched = {name: log for name, log in logs.items() if "base_similarity" in log[-1]}
    assert watched and len(watched) < len(logs)
    for line in (line for log in watched.values() for line in log):
        assert line["base_usage_entropy"] >= 0 and 0 <= line["reconstruction_error"] <= 2
        assert all(
            abs(line[name]) <= 1.0001
            for name in ("base_similarity", "clip_similarity_before", "clip_similarity_after")
        )
    assert set(results["em_attention"]) == SYSTEMS - {"no_em_attention", "no_context"}  # a clip alone shares nothing
    last = results["em_attention"]["full"]
    assert any(log[-1]["base_similarity"] == last["base_similarity"] for log in watched.values())
    assert "base similarity" in (demo / "demo" / "report" / "index.html").read_text(encoding="utf-8")


def test_a_narrator_says_which_names_it_may_know(demo):
    casts = [json.loads(path.read_text()) for path in demo.glob("render/*/cast.json")]
    (people,) = casts
    characters = {person["role"].lower() for cast in people.values() for person in cast}
    for path in demo.glob("stage2/*/narrator/names.json"):
        names = json.loads(path.read_text())
        assert names and set(names) <= characters
