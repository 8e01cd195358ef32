"""How fast our models are on this machine, beside Hugging Face's in PyTorch on the same machine in the same run.

Run:    python benchmarks/models.py --torch-python=PYTHON > models.json       (PYTHON has torch and transformers)
        python benchmarks/models.py --device=gpu --torch-python=python > models.json
Gives:  one JSON object on standard output, and a table on standard error.
Needs:  for us jax, flax, optax, einops and jaxtyping. Without --torch-python our side is measured alone.

On a CPU: float32, one thread, both sides pinned to one core and told to keep the memory that they free; a run of ours
and one of the peer in turn, CPU seconds, and the median of their ratios over --pairs pairs. On an accelerator:
bfloat16, wall seconds, all our runs and then all of the peer's, since both want the whole memory. Beside each figure
stands the share that it is of the side's own product of large matrices, measured in between, or, for decoding on an
accelerator, of the bandwidth floor.
Sizes and bars stand in workloads.py; compilation and first runs are not in any figure.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from workloads import PEAK, Workload, decode_floor, of_accelerator, of_cpu

HERE = Path(__file__).parent
# Large pages, and what was freed is kept. Else the kernel clears gigabytes of new pages a step, and on a virtual
# machine whose host takes back what is free each of them is dear after a pause, as the other side's turn is one.
KEEPING = "glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1:glibc.malloc.mmap_max=0"
KEEPING += ":glibc.malloc.trim_threshold=17179869184"
SHORT = 0.5  # seconds: what is done sooner is repeated within a run


class NotReady(RuntimeError):
    """A side could not make a workload ready: too large for the device, say."""


class Side:
    """A process that holds one workload at a time ready, ours or the peer's."""

    def __init__(self, python: str, script: str, device: str):
        environment = os.environ | {"PYTHONPATH": str(HERE)}
        if device == "cpu":
            one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
            environment |= one | {"JAX_PLATFORMS": "cpu", "GLIBC_TUNABLES": KEEPING}
        else:
            environment.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.92")
        self.process = subprocess.Popen(
            [python, str(HERE / script), device],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=pin if device == "cpu" else None,
        )
        self.about: dict[str, Any] = self.ask(about=True)

    def ask(self, **request: Any) -> dict[str, float]:
        """Errors: SystemExit if the process has ended."""
        assert self.process.stdin and self.process.stdout
        print(json.dumps(request), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"error: {self.process.args[1]} ended; its own words stand above")  # type: ignore[index]
        return json.loads(answer)

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def pin() -> None:
    """This process to the last core that it may use; XLA and torch take their thread counts from it."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def timed(side: Side, workload: Workload, device: str) -> tuple[int, float]:
    """Makes a workload ready: how often to run it at a time, and the seconds that making it ready took."""
    answer: dict[str, Any] = side.ask(prepare=workload.kind, sizes=workload.sizes)
    if "failed" in answer:
        raise NotReady(answer["failed"])
    once = side.ask(run=1)["wall" if device == "gpu" else "cpu"]
    return max(1, round(SHORT / max(once, 1e-4))), answer["prepared"]


def in_turn(ours: Side, peer: Side | None, workload: Workload, pairs: int) -> dict[str, Any]:
    """CPU seconds of both sides, run in turn."""
    times, compiling = timed(ours, workload, "cpu")
    peer_times = timed(peer, workload, "cpu")[0] if peer else 0
    mine, theirs, products = [], [], []
    for _ in range(pairs):
        mine.append(ours.ask(run=times)["cpu"])
        if peer:
            theirs.append(peer.ask(run=peer_times)["cpu"])
            products.append(peer.ask(matmul=True)["cpu"])
        else:
            products.append(ours.ask(matmul=True)["cpu"])
    ratios = [there / here for here, there in zip(mine, theirs, strict=False)]
    return row(workload, mine, theirs, ratios, statistics.median(products), compiling)


def row(
    workload: Workload, mine: list[float], theirs: list[float], ratios: list[float], product: float, compiling: float
) -> dict[str, Any]:
    """One line of the results; `ratios` above 1 say that we are faster."""
    seconds = statistics.median(mine)
    made = {
        "workload": workload.name,
        "seconds": seconds,
        "per_second": workload.count / seconds,
        "unit": workload.unit,
        "tera_operations_per_second": workload.flops() / seconds / 1e12,
        "share_of_matmul": workload.flops() / seconds / product,
        "compile_seconds": round(compiling, 1),
        "runs": mine,
    }
    if theirs:
        other = statistics.median(theirs)
        made |= {"peer_seconds": other, "peer_per_second": workload.count / other, "peer_runs": theirs}
        made |= {"ratio": statistics.median(ratios), "ratios": ratios}
    return made | {"least": workload.least, "aim": workload.aim}


def on_accelerator(side: Side, workload: Workload, runs: int) -> tuple[list[float], float]:
    """Wall seconds of the runs of one side, and of making it ready; no runs if it could not be made ready."""
    try:
        times, prepared = timed(side, workload, "gpu")
    except NotReady as reason:
        print(f"{workload.name}: {reason}", file=sys.stderr, flush=True)
        return [], 0.0
    seconds = [side.ask(run=times)["wall"] for _ in range(runs)]
    print(f"{workload.name}: {statistics.median(seconds):.4g} s", file=sys.stderr, flush=True)
    return seconds, prepared


def accelerated(
    workloads: list[Workload], torch_python: str | None, runs: int
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """All of ours, then all of the peer's; and what they ran on."""
    ours = Side(sys.executable, "jax_models.py", "gpu")
    product = statistics.median(ours.ask(matmul=True)["wall"] for _ in range(3))
    mine = [on_accelerator(ours, workload, runs) for workload in workloads]
    ours.close()
    about = {"ours": ours.about}
    theirs: list[list[float]] = [[] for _ in workloads]
    if torch_python:
        peer = Side(torch_python, "torch_models.py", "gpu")
        theirs = [on_accelerator(peer, workload, runs)[0] for workload in workloads]
        peer.close()
        about["peer"] = peer.about
    made = []
    for workload, (seconds, compiling), others in zip(workloads, mine, theirs, strict=True):
        if not seconds:
            continue
        ratios = [statistics.median(others) / statistics.median(seconds)] if others else []
        line = row(workload, seconds, others, ratios, product, compiling)
        if workload.kind in ("greedy", "beam"):
            line["share_of_floor"] = decode_floor(workload.sizes) / line["seconds"]
        else:
            line["share_of_peak"] = workload.flops() / line["seconds"] / PEAK
        made.append(line)
    return made, about


def measure(device: str, torch_python: str | None, pairs: int, only: str) -> dict[str, Any]:
    """All figures. Errors: NotReady on a CPU, where every workload fits."""
    chosen = [each for each in (of_accelerator() if device == "gpu" else of_cpu()) if only in each.name]
    if not chosen:
        raise SystemExit(f"error: --only={only}: no such workload")
    if device == "gpu":
        rows, about = accelerated(chosen, torch_python, pairs)
    else:
        ours = Side(sys.executable, "jax_models.py", "cpu")
        peer = Side(torch_python, "torch_models.py", "cpu") if torch_python else None
        rows = []
        for workload in chosen:
            rows.append(in_turn(ours, peer, workload, pairs))
            # A run of many minutes should not look dead.
            print(f"{workload.name}: {rows[-1]['seconds']:.4g} s", file=sys.stderr, flush=True)
        sides = {"ours": ours} | ({"peer": peer} if peer else {})
        for side in sides.values():
            side.close()
        about = {name: side.about for name, side in sides.items()}
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True).stdout.strip()
    return {"device": device, "commit": commit, **about, "workloads": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description="Times our models beside Hugging Face's in PyTorch.")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--torch-python", help="an interpreter with torch and transformers; without it, ours alone")
    parser.add_argument("--pairs", type=int, default=5, help="runs of each side that are counted (default: 5)")
    parser.add_argument("--only", default="", help="workloads whose names hold this text")
    given = parser.parse_args()
    if given.pairs < 1:
        parser.error("--pairs is at least 1")
    results = measure(given.device, given.torch_python, given.pairs, given.only)
    show(results)
    json.dump(results, sys.stdout, indent=2)
    print()


def show(results: dict[str, Any]) -> None:
    """The figures as a table."""
    table = Table(title=f"Ours beside Hugging Face torch, {results['device']}")
    for heading in ("workload", "ours", "peer", "ratio", "bar", "aim", "of matmul", "of floor"):
        table.add_column(heading, justify="left" if heading == "workload" else "right")
    for line in results["workloads"]:
        share = line.get("share_of_floor", line.get("share_of_peak"))
        peer = f"{line['peer_per_second']:.4g}" if "ratio" in line else ""
        table.add_row(
            line["workload"],
            f"{line['per_second']:.4g} {line['unit']}/s",
            peer,
            f"{line['ratio']:.3f}" if "ratio" in line else "",
            "" if line["least"] is None else f"{line['least']:g}",
            "" if line["aim"] is None else f"{line['aim']:g}",
            f"{line['share_of_matmul']:.2f}",
            "" if share is None else f"{share:.2f}",
        )
    Console(stderr=True, width=120).print(table)


if __name__ == "__main__":
    main()
