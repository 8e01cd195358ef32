"""Windows of clips and the edges of a movie."""

import pytest

from distinctad_jax.movie.window import PADDING, Window, evaluation_windows, training_windows


def real(window):
    return [member for member in window.members if member != PADDING]


def targets(windows):
    return [m for window in windows for m, wanted in zip(window.members, window.targets, strict=True) if wanted]


@pytest.mark.parametrize("count", range(12))
@pytest.mark.parametrize("size", [1, 2, 5, 8])
@pytest.mark.parametrize("policy", ["block", "centered", "causal"])
def test_evaluation_scores_each_clip_exactly_once_and_in_order(count, size, policy):
    windows = evaluation_windows(count, size, policy)
    assert targets(windows) == list(range(count))
    for window in windows:
        members = real(window)
        assert len(window.members) == size
        assert members == list(range(members[0], members[0] + len(members))) and members[-1] < count
        assert window.members[len(members) :] == (PADDING,) * (size - len(members))


@pytest.mark.parametrize("count", range(12))
@pytest.mark.parametrize(("size", "stride"), [(1, 1), (3, 1), (3, 2), (4, 3), (8, 8)])
def test_training_leaves_no_clip_out(count, size, stride):
    windows = training_windows(count, size, stride)
    assert set(targets(windows)) == set(range(count))
    assert all(len(window.members) == size for window in windows)
    assert all(len(real(window)) == min(count, size) for window in windows)  # padding only if the movie is too short
    assert all(len(targets([window])) == len(real(window)) for window in windows)
    assert len(set(windows)) == len(windows)


def test_training_windows_with_a_stride():
    starts = [window.members[0] for window in training_windows(10, 4, 3)]
    assert starts == [0, 3, 6]
    assert [window.members[0] for window in training_windows(9, 4, 3)] == [
        0,
        3,
        5,
    ]  # the last one ends at the last clip


def test_a_movie_shorter_than_a_window_is_padded():
    assert training_windows(2, 4) == [Window((0, 1, -1, -1), (True, True, False, False))]
    assert evaluation_windows(2, 4, "block") == [Window((0, 1, -1, -1), (True, True, False, False))]


def test_centered_windows_stay_full_at_the_edges():
    windows = evaluation_windows(6, 4, "centered")
    assert [window.members[0] for window in windows] == [0, 0, 0, 1, 2, 2]
    assert all(PADDING not in window.members for window in windows)


def test_causal_windows_see_nothing_of_what_follows():
    for clip, window in enumerate(evaluation_windows(7, 3, "causal")):
        assert max(real(window)) == clip and len(real(window)) == min(clip + 1, 3)


@pytest.mark.parametrize("wrong", [(-1, 3, 1), (3, 0, 1), (3, 2, 3), (3, 2, 0)])
def test_training_windows_refuse_what_would_skip_clips(wrong):
    with pytest.raises(ValueError):
        training_windows(*wrong)


def test_an_unknown_policy_names_the_known_ones():
    with pytest.raises(ValueError, match="block, centered, causal"):
        evaluation_windows(3, 2, "middle")


def test_padding_is_never_a_target():
    with pytest.raises(ValueError, match="target"):
        Window((0, -1), (True, True))
    with pytest.raises(ValueError, match="targets"):
        Window((0, 1), (True,))
