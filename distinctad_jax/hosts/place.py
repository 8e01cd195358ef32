"""Which of how many processes this one is, told by flags or by the environment, and how they meet."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from distinctad_jax.errors import BadEnvironment, BadUsage

FLAGS = "--coordinator=HOST:PORT --processes=N --process=I"
VARIABLES = ("DISTINCTAD_COORDINATOR", "DISTINCTAD_PROCESSES", "DISTINCTAD_PROCESS")


class HostFlags(NamedTuple):
    """What a command line says of the other processes.

    Units: heartbeat, the silence after which a process counts as gone, and join_timeout, how long to wait for all to
      come, in seconds.
    """

    coordinator: str = ""
    processes: int | None = None
    process: int | None = None
    pod: bool = False
    heartbeat: int = 30
    join_timeout: int = 300


class Place(NamedTuple):
    """One of several processes. Only `plain` ones know more than their kind before they join: JAX finds out."""

    kind: Literal["plain", "slurm", "ompi", "tpu"]
    coordinator: str = ""
    count: int = 0
    index: int = 0


def find_place(flags: HostFlags, environment: Mapping[str, str]) -> Place | None:
    """The place of this process, or None if it is alone. Flags go before DISTINCTAD_*, these before a launcher.

    Errors: BadUsage if something is missing or makes no sense.
    """
    if min(flags.heartbeat, flags.join_timeout) < 1:
        raise BadUsage("heartbeat and join_timeout are at least 1 second", where="command line", mend="raise them")
    launcher = _launcher(environment)
    coordinator = flags.coordinator or environment.get(VARIABLES[0], "")
    if coordinator:
        count = _number(flags.processes, environment, VARIABLES[1], launcher and launcher[1])
        index = _number(flags.process, environment, VARIABLES[2], launcher and launcher[2])
        host, _, port = coordinator.rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
            raise BadUsage(f"{coordinator!r} is no HOST:PORT", where="--coordinator", mend="correct it")
        if not 0 <= index < count:
            raise BadUsage(f"there is no process {index} of {count}", where="--process", mend="count from 0")
        return Place("plain", coordinator, count, index) if count > 1 else None
    if flags.processes is not None or flags.process is not None:
        raise BadUsage("--processes and --process need --coordinator", where="command line", mend=f"give {FLAGS}")
    if launcher is not None and int(environment[launcher[1]]) > 1:
        if launcher[0] == "ompi" and "OMPI_MCA_orte_hnp_uri" not in environment:  # Open MPI 5 has no such variable
            mend = "mpirun -x DISTINCTAD_COORDINATOR=HOST:PORT, with the first host and a free port of it"
            raise BadUsage("Open MPI does not say where process 0 is", where=VARIABLES[0], mend=f"start with {mend}")
        return Place(launcher[0])
    if flags.pod or "," in environment.get("TPU_WORKER_HOSTNAMES", ""):
        return Place("tpu")
    return None


def _launcher(environment: Mapping[str, str]) -> tuple[Literal["slurm", "ompi"], str, str] | None:
    """The launcher that started this process, and its variables for the number of processes and this one's."""
    if {"SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID"} <= set(environment):
        return "slurm", "SLURM_NTASKS", "SLURM_PROCID"
    if {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK"} <= set(environment):
        return "ompi", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"
    return None


def _number(flag: int | None, environment: Mapping[str, str], *names: str | None) -> int:
    if flag is not None:
        return flag
    name = next((name for name in names if name and environment.get(name)), None)
    if name is None:
        raise BadUsage(f"a coordinator alone says too little: {names[0]} is missing", mend=f"give {FLAGS}")
    if not (environment[name].isascii() and environment[name].isdigit()):
        raise BadUsage(f"{environment[name]!r} is no number", where=name, mend="correct it")
    return int(environment[name])


def join(place: Place, *, heartbeat: int, timeout: int) -> None:
    """Meets the other processes; has to come before anything else of JAX.

    Errors: BadEnvironment within `timeout` seconds or little more if they do not come, with the address and what was
      expected there.
    """
    import jax

    given: dict[str, Any] = {"initialization_timeout": timeout, "heartbeat_timeout_seconds": heartbeat}
    if place.kind == "plain":
        given |= {"coordinator_address": place.coordinator, "num_processes": place.count, "process_id": place.index}
        began = time.monotonic()
        _port_is_free(place) if place.index == 0 else _somebody_answers(place, timeout)
        given["initialization_timeout"] = max(int(timeout - (time.monotonic() - began)), 1)
    elif place.kind != "tpu":
        given["cluster_detection_method"] = place.kind
    try:
        jax.distributed.initialize(**given)
    except (RuntimeError, ValueError, OSError) as error:
        told = (str(error).splitlines() or [""])[0]
        expected = f"{place.count} processes" if place.count else "the processes of this job"
        raise BadEnvironment(
            f"{expected} did not meet within {timeout} s: {told}",
            where=place.coordinator or place.kind,
            mend="start all of them, each with its own number, or raise --join_timeout",
        ) from error


def _port_is_free(place: Place) -> None:
    host, _, port = place.coordinator.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", int(port)))
        except OSError as error:
            raise BadEnvironment(
                f"process 0 cannot listen there: {error.strerror}",
                where=place.coordinator,
                mend="choose another port for all processes, or end what holds this one",
            ) from None


def _somebody_answers(place: Place, timeout: int) -> None:
    """Waits until process 0 listens: JAX itself would end this process without a word that a user understands."""
    host, _, port = place.coordinator.rpartition(":")
    deadline, told = time.monotonic() + timeout, "no answer"
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
            return
        except OSError as error:
            told = error.strerror or str(error)
        time.sleep(min(0.5, max(deadline - time.monotonic(), 0)))
    raise BadEnvironment(
        f"process 0 of {place.count} does not answer within {timeout} s ({told})",
        where=place.coordinator,
        mend="start it, correct --coordinator, or raise --join_timeout",
    )
