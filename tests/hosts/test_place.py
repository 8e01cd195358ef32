"""Which process this is: flags before our variables, these before a launcher's; and nothing at all means alone."""

import socket
import time

import pytest

from distinctad_jax.errors import BadEnvironment, BadUsage
from distinctad_jax.hosts.place import HostFlags, Place, find_place, join

SLURM = {
    "SLURM_JOB_ID": "7",
    "SLURM_STEP_NODELIST": "node[1-2]",
    "SLURM_NTASKS": "2",
    "SLURM_PROCID": "1",
    "SLURM_LOCALID": "0",
}
MPI = {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_LOCAL_RANK": "1"}
URI = {"OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://10.96.0.1:34911"}
OURS = {"DISTINCTAD_COORDINATOR": "a:1", "DISTINCTAD_PROCESSES": "2", "DISTINCTAD_PROCESS": "1"}


@pytest.mark.parametrize(
    ("flags", "environment", "wanted"),
    [
        (HostFlags(), {}, None),
        (HostFlags("h:80", 2, 1), {}, Place("plain", "h:80", 2, 1)),
        (HostFlags("[::1]:80", 2, 0), {}, Place("plain", "[::1]:80", 2, 0)),
        (HostFlags("h:80", 1, 0), {}, None),
        (HostFlags(), OURS, Place("plain", "a:1", 2, 1)),
        (HostFlags("h:80", 3, 2), OURS, Place("plain", "h:80", 3, 2)),
        (HostFlags(), SLURM, Place("slurm")),
        (HostFlags("h:80"), SLURM, Place("plain", "h:80", 2, 1)),
        (HostFlags(), SLURM | {"SLURM_NTASKS": "1"}, None),
        (HostFlags(), {name: SLURM[name] for name in SLURM if name != "SLURM_STEP_NODELIST"}, None),  # no srun
        (HostFlags(), MPI | URI, Place("ompi")),
        (HostFlags(), MPI | {"DISTINCTAD_COORDINATOR": "h:80"}, Place("plain", "h:80", 4, 3)),  # Open MPI 5
        (HostFlags(), {"TPU_WORKER_HOSTNAMES": "a,b"}, Place("tpu")),
        (HostFlags(), {"TPU_WORKER_HOSTNAMES": "a"}, None),
        (HostFlags(pod=True), {}, Place("tpu")),
    ],
)
def test_a_place_is_found(flags, environment, wanted):
    assert find_place(flags, environment) == wanted


@pytest.mark.parametrize(
    ("flags", "environment", "told"),
    [
        (HostFlags("h", 2, 0), {}, "HOST:PORT"),
        (HostFlags("h:99999", 2, 0), {}, "HOST:PORT"),
        (HostFlags("h:80", 2, 2), {}, "no process 2 of 2"),
        (HostFlags("h:80"), {}, "DISTINCTAD_PROCESSES is missing"),
        (HostFlags("h:80", 2), {"DISTINCTAD_PROCESS": "x"}, "DISTINCTAD_PROCESS"),
        (HostFlags(processes=2), {}, "need --coordinator"),
        (HostFlags(), MPI, "Open MPI does not say"),
        (HostFlags(heartbeat=0), {}, "at least 1"),
    ],
)
def test_what_makes_no_sense_is_refused(flags, environment, told):
    with pytest.raises(BadUsage, match=told):
        find_place(flags, environment)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_a_coordinator_that_does_not_answer_is_named_in_time():
    place, began = Place("plain", f"127.0.0.1:{free_port()}", 2, 1), time.monotonic()
    with pytest.raises(BadEnvironment, match=r"process 0 of 2 does not answer within 1 s") as caught:
        join(place, heartbeat=10, timeout=1)
    assert place.coordinator in str(caught.value) and time.monotonic() - began < 10


def test_a_port_that_is_taken_is_named():
    with socket.create_server(("", 0)) as server:
        place = Place("plain", f"127.0.0.1:{server.getsockname()[1]}", 2, 0)
        with pytest.raises(BadEnvironment, match="cannot listen there"):
            join(place, heartbeat=10, timeout=1)
