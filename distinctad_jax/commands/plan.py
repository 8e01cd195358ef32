"""Compile a training step for chips that you do not have: memory of a device, operations, time, what does not fit.

distinctad plan --config=configs/stage2.py:large --topology=v5e-64 [--config.KEY=VALUE ...]
"""

from __future__ import annotations

import argparse
import os
from typing import Any

from distinctad_jax.commands.voice import Voice

TAKES_CONFIG = True
"""What the parser does not know is the config's."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The chips, and sizes of models whose weights are not there. The config is read as `main` reads it."""
    parser.add_argument("--topology", required=True, metavar="KIND-N", help="v5e-64, v4-32, h100-8, cpu-8, ...")
    parser.add_argument("--clip", default="vit-b-16", help="size of CLIP where the config names no folder")
    parser.add_argument(
        "--gpt2", default="gpt2", help="size of GPT-2 or of a Llama (llama-3-8b) where the config names no folder"
    )


def run(given: argparse.Namespace, voice: Voice) -> dict[str, Any]:
    """Prints the plan and returns it. Errors: BadUsage; with --strict, BadInput if something does not fit."""
    from distinctad_jax.main import read_flags
    from distinctad_jax.training.chips import read_topology

    config = read_flags([word for word in given.rest if word != "--"]).config
    topology = read_topology(given.topology)
    # Before JAX looks for devices: nothing is computed, so the fake ones of a CPU do.
    flag = f"--xla_force_host_platform_device_count={topology.devices}"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flag}".strip()
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    from distinctad_jax.recipes.plan import make_plan, plain_plan, sentences

    plan = make_plan(config, topology, clip=given.clip, gpt2=given.gpt2)
    for line in sentences(plan, topology):
        print(line)
    if plan.problems and voice.strict:
        voice.warn(plan.problems[0])  # raises
    return plain_plan(plan)
