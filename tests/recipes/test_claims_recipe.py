"""The claims grid: cells in order, work shared, results read as they were stored, the page written again alike."""

import copy
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import jax
import pytest
from places import config_argument

from distinctad_jax.claims.verdicts import Claim
from distinctad_jax.errors import BadInput, BadUsage
from distinctad_jax.files import read_json, write_json, write_text
from distinctad_jax.main import read_flags
from distinctad_jax.recipes.book import RECIPES, read_spec
from distinctad_jax.recipes.claims import ClaimsConfig, Variant, beyond, needs, probed, told
from distinctad_jax.recipes.claims import run as make_page
from distinctad_jax.recipes.console import Voice
from distinctad_jax.recipes.workshop import Artefact, Countdown, Run, Workshop
from distinctad_jax.training.mesh import MeshConfig, make_mesh


def claims(size="toy"):
    return read_spec(read_flags([config_argument(f"claims:{size}")])[0])[1]


def test_the_grid_goes_seed_by_seed_and_few_seeds_run_the_sweeps():
    settings = claims().section("claims")
    cells = list(settings.cells().values())
    assert [seed for seed, _ in cells] == sorted(seed for seed, _ in cells)
    counts = Counter(seed for seed, _ in cells)
    always = sum(not variant.few for variant in settings.variants.values())
    assert counts == {0: len(settings.variants), 1: len(settings.variants), 2: always, 3: always, 4: always}
    for label, need in needs(settings).items():
        seed, name = settings.cells()[label]
        assert need.seed == need.changes["render"]["seed"] == seed
        assert need.recipe == settings.variants[name].recipe


def test_what_can_be_shared_is_made_once(tmp_path):
    spec = claims()
    settings = spec.section("claims")
    workshop = Workshop(tmp_path, RECIPES, make_mesh(MeshConfig(), jax.devices()[:1]), Voice(quiet=True))
    made = Counter(name for name, _ in workshop.unmade("claims", spec))
    worlds = {str(v.changes.get("render", {})) for v in settings.variants.values()}
    assert made["pretrain"] == 1  # for all seeds and worlds
    assert made["render"] == made["pack"] + 1 == len(settings.seeds) + settings.few_seeds * (len(worlds) - 1) + 1
    assert made["claims"] == 1 and made["evaluate"] > made["stage2"]  # remedies at decoding train nothing


def test_every_claim_of_the_method_is_on_the_page():
    settings = claims().section("claims")
    asked = {name for claim in settings.claims for name in claim.of}
    groups = Counter(claim.group for claim in settings.claims)
    assert len(groups) == 9 and all(count >= 6 for count in groups.values())
    made = {name for name, variant in settings.variants.items() if variant.recipe == "evaluate"}
    assert made <= asked  # every narrator is judged
    seen = {name.removeprefix("oracle ") for name in asked if name.startswith("oracle ")}
    assert {"full", "no EM", "no loss", "one clip", "loss and penalty"} <= seen & asked  # by either's features
    assert "average" in asked and {"self-attention", "content words", "form B", "form C", "ban", "penalty"} <= seen
    assert {"probe: text with noise", "global only: after", "frame-word only: after"} <= asked


def test_narrators_of_a_group_differ_in_what_their_names_say_alone():
    spec = claims()
    wanted = needs(spec.section("claims"))
    told = {name: wanted[f"0 {name}"].of(spec) for name in ("full", "oracle full", "oracle no EM", "oracle one clip")}
    assert (
        told["full"].section("extract").tower == "stage1" and told["oracle full"].section("extract").tower == "oracle"
    )
    stage2 = {name: each.section("stage2") for name, each in told.items()}
    assert stage2["oracle full"] == stage2["full"]
    no_em, one = stage2["oracle no EM"], stage2["oracle one clip"]
    assert no_em == replace(stage2["full"], seeing=replace(stage2["full"].seeing, fusion="none"))
    content = wanted["0 oracle content words"].of(spec).section("stage2")
    assert content == replace(stage2["full"], distinct=replace(stage2["full"].distinct, min_count=99))
    assert one.clips * one.training.batch == no_em.clips * no_em.training.batch and one.loss.distinctive == 0


def test_a_claim_about_nobody_is_refused():
    config = copy.deepcopy(read_flags([config_argument("claims:tiny")])[0])
    with config.unlocked():
        config.claims.claims = ({"group": "g", "says": "s", "metric": "m", "of": ("ghost",)},)
    with pytest.raises(BadUsage, match="a claim is about 'ghost', which no variant makes"):
        read_spec(config)


def stored(workdir: Path, recipe: str, key: str, needs: dict[str, str], files: dict[str, str]) -> Artefact:
    """A finished artefact with an account of its own, as the workshop leaves them."""
    folder = workdir / recipe / key
    for name, text in files.items():
        write_text(folder / name, text)
    made_by = {"commit": "abc", "device": "1 x cpu", "jax": "1"}
    account = {"recipe": recipe, "key": key, "needs": needs, "seconds": 60.0, "made_by": made_by, "files": {}}
    write_json(folder / "artefact.json", account)
    return Artefact(folder, key, {})


def test_stored_results_are_judged_and_written_twice_alike(tmp_path):
    head, said, wanted = "vid,start,end,text_gt,text_gen\n", "Ann runs home fast.", "Bob sits on a red box."
    rows = [
        f"m{movie},{row},{row + 1},{wanted if row % 2 else said},{said}\n" for movie in range(4) for row in range(6)
    ]
    clips = {"movie": ["m0", "m0", "m1", "m1"], "reference": [said, wanted] * 2}
    ranks = {**clips, "before": [9, 9, 9, 9], "after": [0, 0, 0, 0]}
    stored(tmp_path, "stage2", "s2", {}, {})
    run = Run(
        tmp_path / "claims",
        "k",
        0,
        {
            "0 full": stored(tmp_path, "evaluate", "e", {"stage2": "s2"}, {"predictions.csv": head + "".join(rows)}),
            "0 probe": stored(
                tmp_path,
                "probe",
                "p",
                {"other": "s2"},
                {"ranks.json": json.dumps(ranks), "reconstructions.json": json.dumps(clips)},
            ),
        },
        make_mesh(MeshConfig(), jax.devices()[:1]),
        Voice(quiet=True),
    )
    settings = ClaimsConfig(
        seeds=(0,),
        few_seeds=0,
        variants={"full": Variant(), "probe": Variant(recipe="probe")},
        claims=(
            Claim("Words", "It beats the reference", "CIDEr-D", ("full", "reference")),
            Claim("Stage I", "Clips are found after Stage I", "R@1 in movie", ("probe: after", "probe: before")),
        ),
        repeating=("full",),
        docs=str(tmp_path / "docs"),
    )
    assert make_page(settings, run) == {"verdicts": {"refuted": 1, "shown": 1}}
    page = (tmp_path / "docs" / "claims.md").read_bytes()
    assert page == (tmp_path / "claims" / "claims.md").read_bytes() and b"3 in 3 minutes" in page and b"abc" in page
    told = read_json(tmp_path / "claims" / "results.json")
    assert [each["verdict"] for each in told["claims"]] == ["refuted", "shown"]
    assert told["scores"]["0"]["reference"]["CIDEr-D"] > 100 > told["scores"]["0"]["full"]["R@1/5"]
    (tmp_path / "docs" / "claims.md").unlink()
    make_page(settings, run)
    assert (tmp_path / "docs" / "claims.md").read_bytes() == page


def test_stored_results_are_read_and_a_broken_one_is_named(tmp_path):
    write_text(tmp_path / "predictions.csv", "vid,start,end,text_gt,text_gen\na,0,1,Ann runs.,Ann runs.\na,1,2,B,C\n")
    found = told("full", tmp_path)
    assert set(found) == {"full", "reference"} and found["full"].asked == found["reference"].asked
    stored = {"reference": ["Ann runs.", "Bob sits."], "movie": ["a", "a"]}
    write_json(tmp_path / "reconstructions.json", {**stored, "text": ["Ann runs.", "Bob sits."]})
    write_json(tmp_path / "ranks.json", {**stored, "before": [0, 9], "after": [0, 0]})
    read = probed("probe", tmp_path)
    assert set(read) == {"probe: text", "probe: before", "probe: after"}
    assert read["probe: after"].score("R@1 in movie") == 100 and read["probe: before"].score("R@1 in movie") == 50
    write_text(tmp_path / "predictions.csv", "vid,start\na,soon\n")
    with pytest.raises(BadInput, match=r"predictions\.csv: cannot be read"):
        told("full", tmp_path)


def test_a_run_beyond_toys_is_told_of_or_said_to_be_missing(tmp_path):
    assert "has not been run" in beyond("")
    scores = {"CIDEr-D": 12.34, "R@1/5": 45.0, "distinctive-word recall": 6.0}
    write_json(
        tmp_path / "results.json", {"stage2": {"full": scores}, "made_by": {"commit": "abc", "device": "1 x H100"}}
    )
    assert "| full | 12.3 | 45.0 | 6.0 |" in beyond(str(tmp_path / "results.json"))


def test_a_countdown_knows_what_is_left_and_what_it_has_not_timed():
    left = Countdown({("a", "1"): None, ("a", "2"): None, ("b", "3"): None}, {"a": [60.0]})
    assert left.past("a", "1", 180.0) == "1 of 3 made, about 4 min left (no b timed yet)"
    assert left.past("b", "3", 30.0) == "2 of 3 made, about 2 min left"
    assert left.past("a", "2", 1.0) == ""


def test_a_variant_is_a_narrator_unless_it_says_another():
    assert Variant().recipe == "evaluate" and not Variant().few
