"""Claims: every claim of the method on made-up movies, over seeds and variants, with intervals and verdicts.

Run:    python -m distinctad_jax.main --config=configs/claims.py
Gives:  docs/claims.md with its figures, from the stored results of the grid; what is finished is kept.
Try:    --config.claims.seeds=0,1, of a grid that is not finished, for the seeds that are; --config.claims.docs= to
        write the page into the workdir alone.
"""

from ml_collections import ConfigDict

from distinctad_jax.config import choose, earlier

# A world as hard as the default one, but small: many variants have to fit into the time.
MOVIES = {"train": 48, "val": 1, "test": 14, "scenes": (3, 3), "clips": (6, 8), "stills": 0}
MOVIES |= {"width": 64, "height": 48, "frames_per_second": 4}
STILLS = {"train": 0, "val": 0, "test": 0, "stills": 24_576, "still_size": 48, "workers": 2}
SIZES = {"image_size": 48, "vision_width": 96, "vision_layers": 4, "projection": 96, "text_width": 96}
SIZES |= {"language_width": 96, "language_layers": 3, "language_length": 64, "vocab": 800}
SMALL = {
    "render": MOVIES,
    "pack": {"image_size": 48, "frames": 4},
    "pretrain": {
        "sizes": SIZES,
        "world": STILLS,
        "seed": 0,
        "towers": {"steps": 700, "save_every": 2_000},
        "language": {"steps": 150, "batch": 64, "save_every": 2_000},
    },
    "stage1": {"frames": 4, "training": {"steps": 160, "batch": 32, "save_every": 2_000}},
    "probe": {
        "training": {"steps": 100, "batch": 64, "save_every": 2_000},
        "decoding": {"max_tokens": 20},
        "rows": 48,
    },
    "stage2": {
        "frames": 4,
        "prompt_length": 18,
        "text_length": 20,
        "seeing": {"tokens": 4, "heads": 4, "bases": 12, "layers": 1},
        "training": {"steps": 300, "batch": 8, "save_every": 2_000, "optimiser": {"peak": 2e-3}},
    },
    "evaluate": {"windows": 12, "decoding": {"max_tokens": 20}},
}
TINY = {"pretrain": {"seed": 0, "world": {"seed": 0, "train": 0, "val": 0, "test": 0, "stills": 64, "workers": 1}}}
TINY |= {"render": {"stills": 0}}


SEEDS = {"toy": (0, 1, 2, 3, 4), "tiny": (0, 1)}
FEW_SEEDS = {"toy": 2, "tiny": 1}


NO_EM = {"seeing": {"fusion": "none"}}
NO_LOSS = {"loss": {"distinctive": 0.0}}
BAN, PENALTY = {"no_repeat_across": 3}, {"neighbour_penalty": 2.0}
NO_FRAME_WORD = {"loss": {"frame_word": 0.0}}
WEIGHTS = {"half": 0.5, "4": 4.0}
FUSIONS, STARTS = ("recon", "add", "residual", "xattn"), ("learned", "data")
RETRIEVAL = {"arms": ()}  # clips and descriptions are matched, nothing is fitted
ORACLE = {"tower": "oracle"}


def windows(count: int, **stage2) -> dict:
    """Changes for windows of `count` clips, as many clips a step as otherwise."""
    return {
        "stage2": {"clips": count, "training": {"batch": 32 // count}, **stage2},
        "evaluate": {"windows": 48 // count},
    }


def narrators() -> dict:
    """Narrators to set side by side: those of a tower's features, and the same with an oracle's in their place."""
    core = {"full": {}, "no EM": {"stage2": NO_EM}, "no loss": {"stage2": NO_LOSS}}
    core["one clip"] = windows(1, **NO_LOSS)
    core["loss and penalty"] = {"evaluate": {"decoding": PENALTY}}
    more = {
        "self-attention": {"stage2": {"seeing": {"fusion": "self_attention"}}},
        # More neighbours than there are would have to use a word before it does not count: all content words do.
        "content words": {"stage2": {"distinct": {"min_count": 99}}},
        "one clip, content words": windows(1),
        "form B": {"stage2": {"loss": {"form": "B"}}},
        "form C": {"stage2": {"loss": {"form": "C"}}},
        "ban": {"stage2": NO_LOSS, "evaluate": {"decoding": BAN}},
        "penalty": {"stage2": NO_LOSS, "evaluate": {"decoding": PENALTY}},
        "loss and ban": {"evaluate": {"decoding": BAN}},
    }
    seen = {f"oracle {name}": {"extract": ORACLE, **changes} for name, changes in {**core, **more}.items()}
    return {name: {"changes": changes} for name, changes in {**core, **seen}.items()}


def always() -> dict:
    """What every seed runs."""
    arms = ("text", "text with noise", "vision before Stage I", "vision after Stage I")
    one = {"loss": {"clip_sentence": 0.0}}
    return {
        "probe": {"recipe": "probe", "changes": {"probe": {"arms": arms}}},
        "global only": {"recipe": "probe", "changes": {"stage1": NO_FRAME_WORD, "probe": RETRIEVAL}},
        "frame-word only": {"recipe": "probe", "changes": {"stage1": one, "probe": RETRIEVAL}},
        **narrators(),
    }


def world(dials: dict, **sections) -> dict:
    """A variant in another world, for the first seeds alone."""
    return {"changes": {"render": {"dials": dials}, **sections}, "few": True}


def sweeps() -> dict:
    """What the first seeds run besides: worlds, then switches of narrators with an oracle's features."""
    found = {}
    for share in (0.5, 0.25):
        dials = {"evidence": share}
        found[f"evidence {share:.0%}, both"] = {"recipe": "probe", **world(dials, probe=RETRIEVAL)}
        one = {"recipe": "probe", **world(dials, probe=RETRIEVAL, stage1=NO_FRAME_WORD)}
        found[f"evidence {share:.0%}, global only"] = one
    for share in (0.5, 0.0):
        dials = {"redundancy": share}
        found[f"redundancy {share:.0%}, full"] = world(dials, extract=ORACLE)
        found[f"redundancy {share:.0%}, no EM"] = world(dials, extract=ORACLE, stage2=NO_EM)
    # Descriptions of the hard world have up to sixteen words.
    longer = {"text_length": 28}
    long = {"decoding": {"max_tokens": 28}}
    found["hard world, full"] = world({"preset": "hard"}, stage2=longer, evaluate=long)
    found["hard world, no EM"] = world({"preset": "hard"}, stage2={**longer, **NO_EM}, evaluate=long)
    switches = {f"K={count}": {"stage2": {"seeing": {"bases": count}}} for count in (4, 64)}
    switches |= {f"R={count}": {"stage2": {"seeing": {"rounds": count}}} for count in (1, 9)}
    switches |= {f"fusion {name}": {"stage2": {"seeing": {"fusion": name}}} for name in FUSIONS}
    switches |= {f"init {name}": {"stage2": {"seeing": {"init": name}}} for name in STARTS}
    switches["average"] = {"stage2": {"seeing": {"fusion": "average"}}}
    switches["gradient unroll"] = {"stage2": {"seeing": {"gradient": "unroll"}}}
    switches |= {f"weight {name}": {"stage2": {"loss": {"distinctive": weight}}} for name, weight in WEIGHTS.items()}
    for count in (2, 8):
        switches[f"N={count}"] = windows(count)
        switches[f"N={count}, no EM"] = windows(count, **NO_EM)
    return found | {name: {"changes": {"extract": ORACLE, **own}, "few": True} for name, own in switches.items()}


def claim(group: str, says: str, metric: str, *of: str, **rest) -> dict:
    """One row of the page."""
    return {"group": group, "says": says, "metric": metric, "of": of, **rest}


WORDS, FIRST = "distinctive-word recall", "R@1/5"
SEES = ("oracle full", "full")
REPEATING = ("no loss", "full", "loss and penalty")
EYES = {"Tower": "", "Oracle": "oracle "}


def stage1_claims() -> list[dict]:
    """Stage I and the probe."""
    group, text, noise = "The gap between text and vision", "probe: text", "probe: text with noise"
    before, after = "probe: vision before Stage I", "probe: vision after Stage I"
    gap = [
        claim(group, "There is a gap: text reconstructs better than vision before Stage I", "CIDEr-D", text, before),
        claim(
            group,
            "The gap is no matter of exactness: text with as much noise still beats vision",
            "CIDEr-D",
            noise,
            before,
        ),
        claim(group, "Noise costs the text arm something", "CIDEr-D", text, noise),
        claim(group, "Stage I makes vision reconstruct better", "CIDEr-D", after, before),
        claim(group, "Stage I closes part of the gap (%)", "CIDEr-D", after, before, text),
        claim(group, "Stage I closes half of the gap (%)", "CIDEr-D", after, before, text, bar=50.0),
        claim(
            group,
            "After Stage I a clip finds its description more often",
            "R@1 in movie",
            "probe: after",
            "probe: before",
        ),
    ]
    group = "Frame-word matching"
    for metric in ("R@1 in movie", "R@10 in movie"):
        gap.append(
            claim(group, "Frame-word matching adds to global matching", metric, "probe: after", "global only: after")
        )
        gap.append(
            claim(
                group, "Global matching adds to frame-word matching", metric, "probe: after", "frame-word only: after"
            )
        )
        for share in (0.5, 0.25):
            pair = f"evidence {share:.0%}, both: after", f"evidence {share:.0%}, global only: after"
            gap.append(claim(group, f"It adds where {share:.0%} of the frames show what is told", metric, *pair))
            more = f"It adds more where {share:.0%} of the frames show it than where all do"
            gap.append(claim(group, more, metric, *pair, "probe: after", "global only: after"))
    return gap


def seeing_claims() -> list[dict]:
    """What a narrator is shown: other features, and neighbours."""
    group, rows = "What a narrator sees", []
    for metric in ("CIDEr-D", FIRST, WORDS):
        rows.append(claim(group, "An oracle's features beat a tower's", metric, *SEES))
        for title, eyes in EYES.items():
            pair = f"{eyes}full", f"{eyes}one clip"
            says = f"{title}: windows with the loss beat one clip"
            rows.append(claim(group, says, metric, *pair))
            pair = f"{eyes}no loss", f"{eyes}one clip"
            rows.append(claim(group, f"{title}: windows alone beat one clip", metric, *pair))
    return rows


def sharing_claims() -> list[dict]:
    """EM attention."""
    group, rows = "EM attention", []
    rivals = {"oracle self-attention": "self-attention with as many parameters and operations"}
    rivals["average"] = "the average of the window"
    for metric in (FIRST, WORDS):
        for title, eyes in EYES.items():
            pair = f"{eyes}full", f"{eyes}no EM"
            rows.append(claim(group, f"{title}: it adds to a narrator without it", metric, *pair))
        for name, what in rivals.items():
            rows.append(claim(group, f"Oracle: it beats {what}", metric, "oracle full", name))
    group = "EM attention and the world"
    for metric in (FIRST, WORDS):
        for share in (0.5, 0.0):
            pair = f"redundancy {share:.0%}, full", f"redundancy {share:.0%}, no EM"
            rows.append(claim(group, f"It adds where redundancy is {share:g}", metric, *pair))
            more = f"It adds more where redundancy is 1 than where it is {share:g}"
            rows.append(claim(group, more, metric, "oracle full", "oracle no EM", *pair))
        says = "Tower: it adds in the hard world"
        rows.append(claim(group, says, metric, "hard world, full", "hard world, no EM"))
    for metric in ("CIDEr-D", FIRST):
        says = "Tower: the hard world is harder for the full model"
        rows.append(claim(group, says, metric, "full", "hard world, full"))
    group = "Switches of EM attention"
    for count in (2, 8):
        rows.append(claim(group, f"It adds in windows of {count}", FIRST, f"N={count}", f"N={count}, no EM"))
    says = "It adds more in windows of 8 than in windows of 2"
    rows.append(claim(group, says, FIRST, "N=8", "N=8, no EM", "N=2", "N=2, no EM"))
    others = {
        "K=4": "12 bases beat 4",
        "K=64": "12 bases beat 64",
        "R=1": "3 rounds beat 1",
        "R=9": "3 rounds beat 9",
    }
    others |= {f"fusion {name}": f"recon+xattn beats {name}" for name in FUSIONS}
    others |= {f"init {name}": f"Init buffer beats {name}" for name in STARTS}
    others["gradient unroll"] = "No gradient through the rounds beats one"
    return rows + [claim(group, says, FIRST, "oracle full", name) for name, says in others.items()]


def loss_claims() -> list[dict]:
    """The distinctive-word loss, and repetition."""
    group, rows = "The distinctive-word loss", []
    costs = "costs no more than one point of CIDEr-D"
    for title, eyes, name, form in (
        ("Tower", "", "full", "A"),
        ("Oracle", "oracle ", "full", "A"),
        ("Oracle", "oracle ", "form B", "B"),
        ("Oracle", "oracle ", "form C", "C"),
    ):
        pair = f"{eyes}{name}", f"{eyes}no loss"
        for metric in (WORDS, FIRST):
            rows.append(claim(group, f"{title}: form {form} adds to the next-word loss", metric, *pair))
        rows.append(claim(group, f"{title}: form {form} {costs}", "CIDEr-D", *pair, bar=-1.0))
    for metric in (WORDS, FIRST, "CIDEr-D"):
        for name in ("content words", "one clip, content words"):
            where = "" if name == "content words" else ", in one clip"
            says = f"Oracle: it beats weight on all content words{where}"
            rows.append(claim(group, says, metric, "oracle full", f"oracle {name}"))
    for name, weight in WEIGHTS.items():
        says = f"Oracle: a weight of {weight:g} adds to the next-word loss"
        rows.append(claim(group, says, WORDS, f"weight {name}", "oracle no loss"))
    group = "The loss beside remedies at decoding"
    for metric in (WORDS, FIRST):
        for name, of in {
            "The loss beats a ban of past 3-grams": ("full", "ban"),
            "The loss beats a penalty on words of the context": ("full", "penalty"),
            "The ban adds to the loss": ("loss and ban", "full"),
            "The penalty adds to the loss": ("loss and penalty", "full"),
        }.items():
            rows.append(claim(group, name, metric, *(f"oracle {each}" for each in of)))
    group = "Repetition"
    limits = {"same main verb": ("the main verb of the description before", 3.0)}
    limits["repeated words"] = ("words of the window", 39.3)
    limits["no distinctive word"] = ("others so far as to have no word of its own", 7.3)
    for metric, (what, most) in limits.items():
        for name in ("full", "loss and penalty", "oracle full", "oracle loss and penalty"):
            says = f"'{name}' repeats {what} no more often than people (at most {most:g} %)"
            rows.append(claim(group, says, metric, name, bar=most, holds="below"))
        for title, eyes in EYES.items():
            says, pair = f"{title}: the loss makes narrators repeat {what} less", (f"{eyes}full", f"{eyes}no loss")
            rows.append(claim(group, says, metric, *pair, holds="below"))
    return rows


NOTES = (
    "**Two pairs of eyes.** A narrator says no more than its features show it, and the tower of this grid is "
    "small and briefly trained. *oracle* systems are in all else the same and have, in place of a tower's "
    "features, what the screenplay says that a frame shows (`extract.tower=oracle`): what they do not say is not "
    "for want of sight. The sweeps of redundancy and all switches are of oracle systems. *one clip* sees no "
    "neighbours and has the next-word loss alone. *content words* puts the weight of the distinctive-word loss on "
    "all words that are no stop-words, whatever neighbours say (`stage2.distinct.min_count`).",
)


def get_config(size: str = "toy") -> ConfigDict:
    """The config of a size."""
    config = earlier(__file__, "evaluate", size)
    config.probe = earlier(__file__, "probe", size).probe
    config.update(choose({"toy": SMALL, "tiny": TINY}, size, __file__))
    config.update(
        {
            "recipe": "claims",
            "claims": {
                "seeds": SEEDS[size],
                "few_seeds": FEW_SEEDS[size],
                "variants": {**always(), **sweeps()},
                "claims": tuple(stage1_claims() + seeing_claims() + sharing_claims() + loss_claims()),
                "repeating": tuple(f"{eyes}{name}" for eyes in EYES.values() for name in REPEATING),
                "docs": {"toy": "docs", "tiny": ""}[size],
                "small": "",
                "notes": NOTES,
            },
        }
    )
    return config
