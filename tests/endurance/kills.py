"""Kills a training again and again at random moments, and compares what it ends at with a run that was left in peace.

Run:    python tests/endurance/kills.py --kills=50 --seed=0 > kills.json       (about ten minutes on two cores)
        --cases=stage1:float32 takes a part of it; --workdir=FOLDER keeps what is made between parts.
Gives:  for each stage and type, how many kills there were, how many of them inside a save, and whether the bytes of
        the model, every batch's hash and the log are those of the quiet run, and the most steps that a kill cost.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
STEPS, SAVE_EVERY = 24, 4
CASES = ("stage1:float32", "stage1:bfloat16", "stage2:float32", "stage2:bfloat16")
LIMIT = 200.0
"""Seconds for a process to reach a moment, or to end, on a busy machine."""
Start = Callable[[str, Path], subprocess.Popen]


def settings(case: str) -> list[str]:
    """The words of a case's command, but for its workdir."""
    stage, _, dtype = case.partition(":")
    training = {"steps": STEPS, "save_every": SAVE_EVERY, "log_every": 1, "optimiser.peak": 0.001}
    words = [f"--config={ROOT / 'configs' / stage}.py:tiny", f"--config.{stage}.dtype={dtype}"]
    words += [f"--config.{stage}.training.{name}={value}" for name, value in training.items()]
    return [*words, "--config.stage2.dropout=0.1"] if stage == "stage2" else words


def start(case: str, workdir: Path) -> subprocess.Popen:
    """The command, as a user gives it."""
    line = [sys.executable, "-m", "distinctad_jax.main", *settings(case), f"--config.workdir={workdir}"]
    return subprocess.Popen(line, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def prepared(workdir: Path) -> Path:
    """A workdir with all that both stages build on."""
    if not list(workdir.glob("extract/*/artefact.json")):
        line = [sys.executable, "-m", "distinctad_jax.main", f"--config={ROOT / 'configs' / 'stage2.py'}:tiny"]
        subprocess.run([*line, f"--config.workdir={workdir}"], cwd=ROOT, check=True, capture_output=True)
        shutil.rmtree(workdir / "stage2")
    return workdir


def training(workdir: Path, case: str) -> Path | None:
    """The folder of the one training of these settings, once it has begun."""
    found = [path.parent for path in workdir.glob(f"{case.partition(':')[0]}/*/*/batches.jsonl")]
    # The stage I that extract was made with has taken two steps.
    found = [path for path in found if last_step(path) > 2 or not (path.parent / "artefact.json").exists()]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def lines(path: Path) -> list[dict]:
    """The whole lines of a file of JSON lines."""
    found = []
    for text in path.read_text().splitlines() if path.is_file() else ():
        try:
            found.append(json.loads(text))
        except ValueError:
            break
    return found


def last_step(folder: Path | None) -> int:
    """The last step that a training has told of."""
    told = lines(folder / "batches.jsonl") if folder else []
    return told[-1]["step"] if told else 0


def saved(folder: Path) -> int:
    """The newest step that is on disk whole."""
    steps = [int(path.name) for path in (folder / "checkpoints").glob("*") if path.name.isdigit()]
    return max(steps, default=0)


def at_step(step: int) -> Callable[[Path], bool]:
    return lambda folder: last_step(folder) >= step


def inside_a_save(folder: Path) -> bool:
    """Orbax writes a step under another name and renames it in the end."""
    return any("tmp" in path.name for path in folder.glob("checkpoints/*"))


def killed(process: subprocess.Popen, workdir: Path, case: str, moment: Callable[[Path], bool], delay: float) -> bool:
    """Kills it so many seconds after the moment; False if it had ended before. It is gone when this returns."""
    deadline, began = time.monotonic() + LIMIT, time.time()
    while process.poll() is None:
        folder = training(workdir, case)
        # What an earlier process wrote is no moment of this one.
        if folder is not None and (folder / "batches.jsonl").stat().st_mtime > began and moment(folder):
            time.sleep(delay)
            break
        assert time.monotonic() < deadline, "the moment did not come"
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=LIMIT)
    return process.returncode == -signal.SIGKILL


def finished(process: subprocess.Popen) -> None:
    """Waits for a process that is left in peace."""
    told = process.communicate(timeout=LIMIT)[1]
    assert process.returncode == 0, told


def outcome(folder: Path) -> dict[str, object]:
    """What has to be the same: the model's bytes, every batch, and a log in which each step stands once."""
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    log = [(line["step"], line["loss"]) for line in lines(folder / "log.jsonl")]
    return {"model": digest, "batches": lines(folder / "batches.jsonl"), "log": log}


def moments(kills: int, inside: int, rng: random.Random) -> Iterator[tuple[Callable[[Path, int], bool], float, bool]]:
    """So many moments, `inside` of them within a save, in random order; each as (moment, delay, inside)."""
    kinds = [True] * inside + [False] * (kills - inside)
    rng.shuffle(kinds)
    for within in kinds:
        if within:
            yield (
                (lambda folder, begun: inside_a_save(folder) and last_step(folder) > begun),
                rng.uniform(0, 0.1),
                True,
            )
        else:
            ahead = rng.randint(1, 2 * SAVE_EVERY)
            yield (lambda folder, begun, ahead=ahead: last_step(folder) >= begun + ahead), rng.uniform(0, 0.05), False


def storm(
    case: str, base: Path, kills: int, inside: int, rng: random.Random, start: Start = start
) -> dict[str, object]:
    """Kills runs of a case until there were so many kills, and compares each run that came to its end.

    Errors: AssertionError with what differs.
    """
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        quiet = Path(shutil.copytree(base, Path(name) / "quiet"))
        finished(start(case, quiet))
        folder = training(quiet, case)
        assert folder is not None
        wanted, done, within, most, runs = outcome(folder), 0, 0, 0, 0
        waiting = list(moments(kills, inside, rng))
        while waiting:
            runs += 1
            stormy = Path(shutil.copytree(base, Path(name) / f"stormy{runs}"))
            while waiting and last_step(training(stormy, case)) < STEPS - 1:
                moment, delay, kind = waiting.pop()
                begun = saved(there) if (there := training(stormy, case)) else 0
                hit = killed(start(case, stormy), stormy, case, functools.partial(moment, begun=begun), delay)
                there = training(stormy, case)
                if not hit or there is None:  # it was over before
                    waiting.insert(0, (moment, delay, kind))
                    break
                done += 1
                within += inside_a_save(there)
                most = max(most, last_step(there) - saved(there))
            finished(start(case, stormy))
            there = training(stormy, case)
            assert there is not None and outcome(there) == wanted, f"{case}, run {runs}: not the quiet run's numbers"
            shutil.rmtree(stormy)
    assert most <= SAVE_EVERY, f"{case}: {most} steps were lost"
    return {
        "case": case,
        "kills": done,
        "inside_a_save": within,
        "runs": runs,
        "most_steps_lost": most,
        "equal": True,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--workdir", type=Path)
    given = parser.parse_args()
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    cases, rng = given.cases.split(","), random.Random(given.seed)
    with tempfile.TemporaryDirectory(prefix="kills-base-") as name:
        base = prepared(given.workdir or Path(name))
        told = []
        for place, case in enumerate(cases):
            kills = given.kills // len(cases) + (place < given.kills % len(cases))
            told.append(storm(case, base, kills, -(-kills // 2), rng))
            print(json.dumps(told[-1]), file=sys.stderr, flush=True)
    json.dump({"steps": STEPS, "save_every": SAVE_EVERY, "seed": given.seed, "cases": told}, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
