"""What accelerators can do, from their makers' data sheets, and how their slices are named and laid out."""

from __future__ import annotations

import re
from typing import NamedTuple

from distinctad_jax.errors import BadUsage

GIB = float(1 << 30)


class Chip(NamedTuple):
    """One chip as JAX sees it (for TPUs: one device).

    Units: memory in GiB; flops in dense bfloat16 operations per second; memory_speed and link_speed in bytes per
      second, links all together and one way.
    """

    name: str
    memory: float
    flops: float
    memory_speed: float
    link_speed: float
    cores: int = 1  # in names like v4-8 a number counts these, not chips
    host: int = 8  # chips of a host


# Sources: cloud.google.com/tpu/docs (system architecture of each version); NVIDIA's data sheets of the SXM variants,
# whose links are NVLink within a host. One figure stands for a machine without accelerator, and is our guess.
CHIPS: dict[str, Chip] = {
    "v4": Chip("TPU v4", 32, 275e12, 1228e9, 300e9, cores=2, host=4),
    "v5e": Chip("TPU v5e", 16, 197e12, 819e9, 200e9, host=8),
    "v5p": Chip("TPU v5p", 95, 459e12, 2765e9, 600e9, cores=2, host=4),
    "v6e": Chip("TPU v6e", 32, 918e12, 1640e9, 448e9, host=8),
    "a100": Chip("A100 80 GB", 80, 312e12, 2039e9, 300e9),
    "h100": Chip("H100 SXM", 80, 989e12, 3350e9, 450e9),
    "h200": Chip("H200 SXM", 141, 989e12, 4800e9, 450e9),
    "cpu": Chip("CPU core", 4, 1e11, 10e9, 10e9),
}
GRIDS = {  # of chips, as Cloud TPU lays slices out
    "v5e": {1: "1x1", 4: "2x2", 8: "2x4", 16: "4x4", 32: "4x8", 64: "8x8", 128: "8x16", 256: "16x16"},
    "v4": {4: "2x2x1", 8: "2x2x2", 16: "2x2x4", 32: "2x4x4", 64: "4x4x4", 128: "4x4x8", 256: "4x8x8", 512: "8x8x8"},
}
GRIDS["v6e"], GRIDS["v5p"] = GRIDS["v5e"], GRIDS["v4"]


class Slice(NamedTuple):
    """So many chips of a kind; `grid` as libtpu names it, `v5e:8x8`, empty if there is no such name."""

    name: str
    chip: Chip
    devices: int
    grid: str


def read_topology(name: str) -> Slice:
    """`v5e-64`, `v5litepod-64`, `v4-32` (a number of cores, as Cloud TPU counts them), `h100-8`, `cpu-8`.

    Errors: BadUsage for what is not known, with what is.
    """
    found = re.fullmatch(r"([a-z][a-z0-9]*)-([1-9][0-9]{0,4})", name.lower().replace("v5litepod", "v5e"))
    known = ", ".join(f"{kind}-N" for kind in CHIPS)
    if found is None or found[1] not in CHIPS:
        raise BadUsage(f"no topology {name!r}", where="--topology", mend=f"choose one of {known}")
    kind, chip = found[1], CHIPS[found[1]]
    devices, rest = divmod(int(found[2]), chip.cores)
    grids = GRIDS.get(kind, {})
    if rest or (grids and devices not in grids):
        sizes = ", ".join(f"{kind}-{count * chip.cores}" for count in grids)
        raise BadUsage(f"there is no slice {name!r}", where="--topology", mend=f"choose one of {sizes}")
    return Slice(name, chip, devices, f"{kind}:{grids[devices]}" if grids else "")
