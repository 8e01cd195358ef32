"""No step for too long: the stacks of all threads are written, and the run ends."""

import threading
import time

from distinctad_jax.endurance.watchdog import Watchdog


def test_a_run_that_hangs_is_ended_with_its_stacks(tmp_path):
    told, ended = [], threading.Event()

    def end(line):
        told.append(line)
        ended.set()

    with Watchdog(tmp_path, 0.2, end) as dog:
        dog.beat()
        assert ended.wait(10)
    assert "no step for" in told[0] and "run the same command" in told[0]
    assert "test_a_run_that_hangs" in (tmp_path / "stacks.txt").read_text()


def test_the_first_step_may_take_its_time_and_so_may_what_is_paused(tmp_path):
    told = []
    with Watchdog(tmp_path, 0.2, told.append) as dog:
        time.sleep(0.5)  # compiling
        dog.beat()
        with dog.paused():
            time.sleep(0.5)
    assert not told


def test_slow_steps_get_ten_times_their_median(tmp_path):
    dog = Watchdog(tmp_path, 1.0, lambda line: None)
    assert dog.limit == 1.0
    dog._steps.extend([0.5, 0.5, 30.0])
    assert dog.limit == 5.0
