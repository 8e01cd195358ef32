"""What the demo shows a person: tables, curves, a heat map and examples, made of artefacts."""

from __future__ import annotations

import csv
from typing import Any

from distinctad_jax.data.datasets import Records
from distinctad_jax.data.pipeline import decode_frames
from distinctad_jax.metrics.scores import meaning
from distinctad_jax.models.em_attention import WATCHED
from distinctad_jax.recipes.demo_pictures import NEIGHBOURS, Inside, spread
from distinctad_jax.recipes.inside import distinctive_of
from distinctad_jax.recipes.workshop import Run
from distinctad_jax.report.page import Column, Figure, Prose, Said, Section, Strip, Table, render_page
from distinctad_jax.report.pictures import bars, frame_strip, loss_curves
from distinctad_jax.training.logbook import read_logbook

LABELS = {
    "full": "DistinctAD, full",
    "no_em_attention": "without EM attention",
    "no_distinctive_loss": "without distinctive-word loss",
    "no_context": "no context (windows of one clip)",
    "reference": "the reference itself",
}
SHOWN = ("CIDEr-D", "ROUGE-L", "R@1/5", "R@5/16", "distinctive-word recall", "repeated words", "same as neighbour")
NO_EM = "The full model of this run has no EM attention."
NO_LOSS = "This run has no model without the distinctive-word loss to compare with."
JUDGED = ("CIDEr-D", "R@1/5", "distinctive-word recall")


def label(name: str) -> str:
    """A system's name as the report prints it."""
    return LABELS.get(name, name)


def demo_page(results: dict[str, Any], settings: Any, run: Run, inside: Inside) -> str:
    """The demo's report as one HTML page."""
    rows = _predictions(run, settings)
    lead = (
        "Toy cinema, both stages, on unseen movies. Every number on this page comes from this run; one seed, "
        "so small differences mean little."
    )
    sections = [
        Section("What was described", [_data(results)]),
        Section(
            "Stage I: does the vision tower learn what describers say?",
            [*_probe(results), _retrieval(results), *inside.fits],
        ),
        Section("Stage II: descriptions of unseen movies", [_scores(results), _gains(results), _bars(results)]),
        Section("Examples", _examples(settings, run, rows)),
        Section("EM attention: what the clips of a window share", [*inside.shared, _sharing(results)]),
        Section("The distinctive-word loss: how sure the model is", inside.sure or [Prose([NO_LOSS])]),
        Section("How the losses fell", _curves(settings, run)),
    ]
    about = {**results["made_by"], "seed": run.seed, "evaluation windows": results["policy"], "demo key": run.key}
    return render_page("DistinctAD on toy cinema", lead, sections, about)


def _predictions(run: Run, settings: Any) -> dict[str, list[dict[str, str]]]:
    found = {}
    for name in settings.variants:
        with (run.needs[f"evaluate {name}"].folder / "predictions.csv").open(encoding="utf-8", newline="") as file:
            found[name] = list(csv.DictReader(file))
    return found


def _data(results: dict[str, Any]) -> Prose:
    pack, check = results["data"]["pack"], results["data"]["check"]
    movies, clips = pack["movies"], pack["clips"]
    counts = ", ".join(f"{clips[name]} clips of {movies[name]} movies ({name})" for name in movies)
    return Prose(
        [
            f"{check['used']} of {check['rows']} annotation rows were used: {counts}.",
            f"{check['distinctive_share']:.2f} of the word types of a description are used by no other in its window "
            "of 8; in real audio description it is 0.60.",
        ]
    )


def _probe(results: dict[str, Any]) -> list[Table | Prose]:
    arms = results["probe"]
    before, after = arms["vision before Stage I"]["cider_d"], arms["vision after Stage I"]["cider_d"]
    gap = arms["text"]["cider_d"] - before
    closed = (
        f"Stage I closes {100 * (after - before) / gap:.0f} % of the gap." if gap > 0 else "There is no gap to close."
    )
    table = Table(
        "Reconstruction probe: GPT-2 says a description again from one vector",
        ["from", Column("CIDEr-D", "higher"), Column("ROUGE-L", "higher")],
        [(arm, each["cider_d"], each["rouge_l"]) for arm, each in arms.items()],
        note="The probe is fitted to training clips and asked about unseen movies.",
    )
    return [table, Prose([closed])]


def _retrieval(results: dict[str, Any]) -> Table:
    return Table(
        "Given a clip, its description among those of its movie",
        ["vision tower", Column("R@1", "higher"), Column("R@5", "higher"), Column("R@10", "higher")],
        [(f"{when} Stage I", *each.values()) for when, each in results["retrieval"].items()],
        note="Share in percent; neighbouring clips are the hard negatives.",
    )


def _scores(results: dict[str, Any]) -> Table:
    columns = [Column(name, meaning(name).better) for name in SHOWN]  # type: ignore[arg-type]
    systems = results["stage2"]
    return Table(
        "Scores on unseen movies",
        ["system", *columns],
        [(label(name), *(each.get(score) for score in SHOWN)) for name, each in systems.items()],
        note="R@k/N: is the reference among the k most similar of N neighbours (similarity: unigram F1). "
        + "; ".join(f"{name}: {meaning(name).says}" for name in SHOWN if not name.startswith("R@"))
        + ".",
        apart=[label("reference")],
    )


def _gains(results: dict[str, Any]) -> Table:
    def verdict(gain: dict[str, float]) -> str:
        helped = [name for name in JUDGED if gain.get(name, 0) > 0]
        missed = [name for name in JUDGED if name in gain and gain[name] <= 0]
        told = [f"helps {', '.join(helped)}"] if helped else []
        return "; ".join(told + ([f"does not help {', '.join(missed)}"] if missed else []))

    return Table(
        "What the full model gains over each ablation",
        ["against", *(Column(name) for name in JUDGED), "in this run, the part"],
        [
            (label(name), *(gain.get(score) for score in JUDGED), verdict(gain))
            for name, gain in results["gains"].items()
        ],
        note="One seed and ten movies: a sign, not a proof.",
    )


def _sharing(results: dict[str, Any]) -> Table | Prose:
    if not results["em_attention"]:
        return Prose([NO_EM])
    return Table(
        "What EM attention did, at the last step of training that was logged",
        ["system", *(Column(name.replace("_", " ")) for name in WATCHED)],
        [(label(name), *(seen[name] for name in WATCHED)) for name, seen in results["em_attention"].items()],
        note="Means over the batch's windows. base usage entropy: in nats; base similarity: mean cosine of two, "
        "1 where all are the window's mean; clip similarity: mean cosine of two clips' mean tokens; reconstruction "
        "error: 1 - cosine of a token and what the bases make of it.",
    )


def _bars(results: dict[str, Any]) -> Figure:
    values = {label(name): float(each["CIDEr-D"]) for name, each in results["stage2"].items() if name != "reference"}
    return Figure(
        "CIDEr-D of all systems", bars(values, "CIDEr-D"), "Bars of CIDEr-D for each system, as in the table."
    )


def _examples(settings: Any, run: Run, rows: dict[str, list[dict[str, str]]]) -> list[Strip]:
    records = Records(run.needs["pack"].folder / "records", "test")
    distinct = distinctive_of(records, NEIGHBOURS)
    strips = []
    for row in spread(len(records), settings.examples):
        clip, entry = records.get([row])[0], records.index[row]
        size = run.needs["pack"].results["image_size"]
        said = [Said(label(name), table[row]["text_gen"], distinct[row]) for name, table in rows.items()]
        strips.append(
            Strip(
                f"{entry.movie}, {entry.start:.1f} s",
                frame_strip(decode_frames(clip, size)),
                f"Frames of a clip of which the reference says: {entry.text}",
                entry.text,
                said,
                distinct[row],
            )
        )
    return strips


def _curves(settings: Any, run: Run) -> list[Figure]:
    def points(folder: Any, name: str) -> list[tuple[int, float]]:
        return [(int(line["step"]), float(line[name])) for line in read_logbook(folder) if name in line]

    stage1 = run.needs["stage1"].folder / "aligner"
    pictures = {
        "Stage I": {name: points(stage1, name) for name in ("clip_sentence", "frame_word")},
        "Stage II, next word": {
            label(name): points(run.needs[f"stage2 {name}"].folder / "narrator", "caption")
            for name in settings.variants
        },
        "Pretraining": {
            name: points(run.needs["pretrain"].folder / part, "loss")
            for name, part in (("towers", "aligner"), ("language model", "language"))
        },
    }
    return [
        Figure(
            title,
            loss_curves({k: v for k, v in series.items() if v}, title),
            f"Curves of the losses of {title} by step.",
        )
        for title, series in pictures.items()
        if any(series.values())
    ]
