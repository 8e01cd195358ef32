"""Numbers to disk: one JSON line a step, and TensorBoard's event files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter


class Logbook:
    """Appends the metrics of steps to `folder/log.jsonl` and to event files beside it.

    A run that goes on from step `s` drops the lines of later steps, so that no step is there twice. Of several
    processes one `writes`.
    """

    def __init__(self, folder: Path, step: int = 0, *, writes: bool = True):
        self.file = self.events = None
        if not writes:
            return
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "log.jsonl"
        kept = [line for line in read_logbook(folder) if line["step"] <= step]
        self.file = path.open("w", encoding="utf-8")
        for line in kept:
            self.file.write(json.dumps(line) + "\n")
        self.events = SummaryWriter(logdir=str(folder / "events"), purge_step=step + 1, write_to_disk=True)

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """One line; `metrics` are Python numbers."""
        if self.file is None or self.events is None:
            return
        self.file.write(json.dumps({"step": step, **metrics}) + "\n")
        self.file.flush()
        for name, value in metrics.items():
            self.events.add_scalar(name, value, step)

    def close(self) -> None:
        """Ends both files."""
        for opened in (self.file, self.events):
            if opened is not None:
                opened.close()


def read_logbook(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's logbook; one cut short by a crash is left out."""
    path, lines = folder / "log.jsonl", []
    if path.is_file():
        for text in path.read_text(encoding="utf-8").splitlines():
            try:
                lines.append(json.loads(text))
            except json.JSONDecodeError:
                continue
    return lines
