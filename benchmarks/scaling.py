"""How much longer a training step compiles for many devices than for few, the batch growing with them.

Run:    python benchmarks/scaling.py --few=8 --many=64 > scaling.json
Gives:  processor seconds of tracing and compiling for each number of fake CPU devices, and their ratio (our aim is
        at most 1.5). Processor seconds, because others may use the machine too; each in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def planned(config: str, devices: int) -> dict[str, Any]:
    """What `distinctad plan` finds for so many devices, four along `fsdp`, one row a device."""
    line = [
        sys.executable,
        "-m",
        "distinctad_jax",
        "plan",
        f"--config={ROOT / 'configs' / config}",
        "--json",
        "--quiet",
    ]
    stage = config.partition(".")[0]
    line += [f"--topology=cpu-{devices}", f"--config.{stage}.training.batch={devices}", "--config.mesh.fsdp=4"]
    # Nothing may be found in a cache of compiled programs.
    there = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    done = subprocess.run(
        line, cwd=ROOT, env=there | {"JAX_PLATFORMS": "cpu"}, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description="Compile time for few devices and for many.")
    parser.add_argument("--config", default="stage2.py:tiny")
    parser.add_argument("--few", type=int, default=8)
    parser.add_argument("--many", type=int, default=64)
    given = parser.parse_args()
    found = {count: planned(given.config, count)["compile_cpu_seconds"] for count in (given.few, given.many)}
    ratio = round(found[given.many] / found[given.few], 2)
    json.dump({"config": given.config, "compile_cpu_seconds": found, "ratio": ratio}, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
