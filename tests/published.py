"""What the established tools say of made-up predictions, as fixtures; skipped where it is not to be had."""

import csv
import gzip
import json

import pytest
from places import SHARED

REFERENCE = SHARED / "data" / "metrics_reference"


class Published:
    """The pseudo-predictions of one benchmark, and what the established tools say of them."""

    def __init__(self, name: str):
        with gzip.open(REFERENCE / f"{name}_predictions.csv.gz", "rt", encoding="utf-8", newline="") as file:
            self.rows = list(csv.DictReader(file))
        self.scores = json.loads((REFERENCE / f"{name}_scores.json").read_text())["sets"]
        recall = REFERENCE / f"{name}_recall.json"
        self.recall = json.loads(recall.read_text())["values"] if recall.exists() else {}
        self.references = [row["reference"] for row in self.rows]
        self.groups = [row["group"] for row in self.rows]

    def predictions(self, name: str) -> list[str]:
        if name == "constant":
            return ["He looks at her."] * len(self.rows)
        return self.references if name == "identical" else [row[f"pred_{name}"] for row in self.rows]


@pytest.fixture(scope="session", params=["madeval", "tvad"])
def published(request):
    if not (REFERENCE / f"{request.param}_predictions.csv.gz").exists():
        pytest.skip("no reference values beside the repository")
    return Published(request.param)


@pytest.fixture(scope="session")
def published_tv():
    """The smaller one of `published`."""
    if not (REFERENCE / "tvad_predictions.csv.gz").exists():
        pytest.skip("no reference values beside the repository")
    return Published("tvad")


@pytest.fixture(scope="session")
def awkward_captions():
    """(caption, tokens of the Java tool) for captions with awkward tokens inserted."""
    path = REFERENCE / "ptb_token_pairs.csv.gz"
    if not path.exists():
        pytest.skip("no reference values beside the repository")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return [(row["caption"], row["tokens"]) for row in csv.DictReader(file)]
