"""Process 0 decides, the others follow; what fails there fails everywhere with the same line and code."""

import os
import threading
import time

import pytest

from distinctad_jax.errors import BadEnvironment, BadInput, Problem
from distinctad_jax.hosts import board as boards
from distinctad_jax.hosts.board import Board


def both(folder, leader, follower):
    """Runs both sides at once; what the follower came to."""
    found = []

    def follow():
        try:
            found.append(follower(Board(folder, 1, 2)))
        except Problem as problem:
            found.append(problem)

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        leader(Board(folder, 0, 2))
    finally:
        thread.join(timeout=20)
    return found[0]


def test_alone_it_only_decides():
    assert Board().agree(lambda: 3) == 3 and Board().leads


def test_the_others_follow_decision_by_decision(tmp_path):
    folder = tmp_path / ".hosts" / "job"

    def lead(board):
        board.agree(lambda: {"kept": False})
        time.sleep(0.3)  # the other waits
        board.agree(lambda: None)

    seen = both(folder, lead, lambda board: [board.agree(lambda: pytest.fail("decided")) for _ in range(2)])
    assert seen == [{"kept": False}, None]
    Board(folder, 0, 2).close()
    assert not folder.exists()


def test_what_fails_for_one_fails_for_all(tmp_path):
    def refuse():
        raise BadInput("no such column", where="clips.csv:1", mend="name it")

    def lead(board):
        with pytest.raises(BadInput):
            board.agree(refuse)

    problem = both(tmp_path / ".hosts" / "job", lead, lambda board: board.agree(lambda: None))
    assert str(problem) == "clips.csv:1: no such column; name it" and problem.code == BadInput.code


def test_hosts_that_share_no_folder_are_told_so(tmp_path, monkeypatch):
    monkeypatch.setattr(boards, "SEEN_WITHIN", 0.3)
    with pytest.raises(BadEnvironment, match="process 1 does not see") as caught:
        Board(tmp_path / ".hosts" / "job", 1, 2)
    assert str(tmp_path) in str(caught.value)


def test_only_old_boards_are_swept(tmp_path):
    for name, age in (("old", boards.OLD + 60), ("new", 60)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, times=(time.time() - age,) * 2)
    Board(tmp_path / "mine", 0, 2)
    assert {path.name for path in tmp_path.iterdir()} == {"new", "mine"}
