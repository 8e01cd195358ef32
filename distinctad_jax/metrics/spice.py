"""SPICE through its own Java program."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from distinctad_jax.errors import BadEnvironment


def spice(predictions: Sequence[str], references: Sequence[Sequence[str]], jar: Path) -> tuple[float, list[float]]:
    """SPICE, the mean over rows, and of each row.

    Units:  fractions 0..1.
    Errors: BadEnvironment if the program fails, as it does without CoreNLP's models in `lib/` beside it.
    Source: SPICE 1.0 (Anderson et al., arXiv 1607.08822).
    """
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "asked.json", Path(folder) / "answered.json"
        items = [
            {"image_id": row, "test": text, "refs": list(each)}
            for row, (text, each) in enumerate(zip(predictions, references, strict=True))
        ]
        asked.write_text(json.dumps(items), encoding="utf-8")
        command = ["java", "-jar", "-Xmx8G", str(jar), str(asked), "-out", str(answered), "-silent"]
        done = subprocess.run(command, cwd=jar.parent, capture_output=True, text=True, check=False)
        if done.returncode or not answered.is_file():
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            mend = "put CoreNLP 3.6.0 and its models into lib/ beside the jar"
            raise BadEnvironment(f"the program failed: {last[:200]}", where=jar, mend=mend)
        found = {one["image_id"]: one["scores"]["All"]["f"] for one in json.loads(answered.read_text("utf-8"))}
    rows = [float(found[row]) for row in range(len(items))]
    return sum(rows) / len(rows), rows
