"""Twenty-four ways of damaging a folder of checkpoints. Of the first nineteen plain orbax stops at nine, and trains
on from wrong numbers at two without a word.

Run:    python tests/endurance/damages.py --seeds=20 > damages.json
Gives:  for each way, whether the run ended at the bits of one that was left in peace, whether it said so, and where
        what is damaged lies now.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any


def files(step: Path) -> list[Path]:
    """All files of a step's folder, in the order of their names."""
    return sorted(path for path in step.rglob("*") if path.is_file())


def data(step: Path) -> list[Path]:
    """Those that hold the arrays' bytes, the largest first."""
    return sorted(
        (path for path in files(step / "state") if path.parent.name == "d"), key=lambda p: -p.stat().st_size
    )


def flip(path: Path, rng: random.Random) -> None:
    """Turns one bit over."""
    content = bytearray(path.read_bytes())
    place = rng.randrange(len(content))
    content[place] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def piped(path: Path) -> None:
    """Whoever opens it waits for somebody to write."""
    path.unlink()
    os.mkfifo(path)


def device(path: Path) -> None:
    """Reading it never ends."""
    path.unlink()
    path.symlink_to("/dev/zero")


def in_the_way(folder: Path, new: Path) -> None:
    """A file has the name of the folder for what is damaged, and something is."""
    (folder / "damaged").write_text("a note")
    cut(data(new)[0])


def swap(one: Path, other: Path) -> None:
    between = one.with_name("between")
    one.rename(between)
    other.rename(one)
    between.rename(other)


def emptied(step: Path) -> None:
    shutil.rmtree(step)
    step.mkdir()


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def aged(folder: Path, new: Path) -> None:
    """The newest step has the oldest time."""
    for path in (new, *new.rglob("*")):
        os.utime(path, (0, 0))
    for path in folder.iterdir():
        if path != new:
            os.utime(path, (4e9, 4e9))


def strays(folder: Path) -> None:
    """What people and programs leave lying about."""
    for name in ("notes", "99.bak", "007", "1e3"):
        (folder / name).mkdir()
    (folder / "98").write_text("not a folder")
    (folder / "12.orbax-checkpoint-tmp").mkdir()


Damage = Callable[[Path, Path, Path, random.Random], Any]
"""(the folder of checkpoints, its newest step, the one before, a source of chance)."""
DAMAGES: dict[str, Damage] = {
    "flip_bit_in_biggest": lambda folder, new, old, rng: flip(data(new)[0], rng),
    "flip_bit_in_any": lambda folder, new, old, rng: flip(
        rng.choice([p for p in files(new) if p.stat().st_size]), rng
    ),
    "truncate_biggest": lambda folder, new, old, rng: cut(data(new)[0]),
    "truncate_all": lambda folder, new, old, rng: [cut(path) for path in files(new)],
    "zero_biggest": lambda folder, new, old, rng: zeroed(data(new)[0]),
    "empty_biggest": lambda folder, new, old, rng: data(new)[0].write_bytes(b""),
    "delete_biggest": lambda folder, new, old, rng: data(new)[0].unlink(),
    "delete_state": lambda folder, new, old, rng: shutil.rmtree(new / "state"),
    "delete_state_metadata": lambda folder, new, old, rng: (new / "state" / "_METADATA").unlink(),
    "delete_meta": lambda folder, new, old, rng: shutil.rmtree(new / "meta"),
    "truncate_meta": lambda folder, new, old, rng: cut(new / "meta" / "metadata"),
    "delete_digest": lambda folder, new, old, rng: shutil.rmtree(new / "digest"),
    "delete_checkpoint_metadata": lambda folder, new, old, rng: (new / "_CHECKPOINT_METADATA").unlink(),
    "delete_commit_mark": lambda folder, new, old, rng: [p.unlink() for p in new.rglob("commit_success*")],
    "empty_step_folder": lambda folder, new, old, rng: emptied(new),
    "empty_newer_folder": lambda folder, new, old, rng: (folder / "99").mkdir(),
    "swap_steps": lambda folder, new, old, rng: swap(new, old),
    "odd_time_stamps": lambda folder, new, old, rng: aged(folder, new),
    "stray_folders": lambda folder, new, old, rng: strays(folder),
    "pipe_for_meta": lambda folder, new, old, rng: piped(new / "meta" / "metadata"),
    "pipe_for_digest": lambda folder, new, old, rng: piped(new / "digest" / "process_0.json"),
    "pipe_for_biggest": lambda folder, new, old, rng: piped(data(new)[0]),
    "device_for_biggest": lambda folder, new, old, rng: device(data(new)[0]),
    "file_named_damaged": lambda folder, new, old, rng: in_the_way(folder, new),
}


def run(folder: Path, trouble: Callable[[int], Any] = lambda step: None) -> dict[str, bytes]:
    """A small training of twelve steps that saves each third; its parameters' bytes."""
    import jax
    import numpy as np
    from small_training import small_fit

    tree = small_fit(folder, trouble)
    return {str(path): np.asarray(leaf).tobytes() for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def interrupted(folder: Path) -> None:
    """The same, up to step 10: steps 6 and 9 are saved."""

    def crash(step: int) -> None:
        if step == 10:
            raise MemoryError

    try:
        run(folder, crash)
    except MemoryError:
        return
    raise AssertionError("it ran to its end")


def suffered(name: str, before: Path, folder: Path, seed: int) -> dict[str, Any]:
    """What becomes of a copy of an interrupted run that is damaged in a way."""
    shutil.copytree(before, folder)
    checkpoints = folder / "checkpoints"
    new, old = (checkpoints / step for step in ("9", "6"))
    DAMAGES[name](checkpoints, new, old, random.Random(seed))
    begun: list[int] = []
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        bits = run(folder, begun.append)
    damaged = sorted(path.name for path in (checkpoints / "damaged").glob("*"))
    said = [str(one.message) for one in told if "checkpoints" in str(one.message)]
    return {"bits": bits, "from": begun[0], "damaged": damaged, "said": said}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    table: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="damages-") as name:
        wanted = run(Path(name) / "quiet")
        interrupted(Path(name) / "before")
        for way in DAMAGES:
            for seed in range(given.seeds if "flip" in way else 1):
                found = suffered(way, Path(name) / "before", Path(name) / f"{way}{seed}", seed)
                equal = found.pop("bits") == wanted
                table.setdefault(way, []).append({"equal": equal, **found})
    sound = sum(all(one["equal"] for one in told) for told in table.values())
    json.dump({"recovered": sound, "of": len(DAMAGES), "ways": table}, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
