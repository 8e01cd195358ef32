"""Batches out of memory: every row once an epoch, a new order each, and a position that is a function of the step."""

import numpy as np
import pytest

from distinctad_jax.data.arrays import ArrayBatches
from distinctad_jax.errors import BadInput

ROWS = {"row": np.arange(10), "square": np.arange(10) ** 2}


def drawn(batches, count):
    return [batches.next()["row"].tolist() for _ in range(count)]


def test_an_epoch_holds_each_row_once_and_the_next_is_in_another_order():
    a, b, c, d = drawn(ArrayBatches(ROWS, 5, 0), 4)
    first, second = [*a, *b], [*c, *d]
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


def test_arrays_stay_together():
    batch = ArrayBatches(ROWS, 5, 0).next()
    np.testing.assert_array_equal(batch["square"], batch["row"] ** 2)


def test_seeking_a_step_gives_what_running_to_it_gives():
    ran, sought = ArrayBatches(ROWS, 3, 7), ArrayBatches(ROWS, 3, 7)
    drawn(ran, 8)
    sought.seek(8)
    assert drawn(ran, 4) == drawn(sought, 4)


def test_hosts_share_a_batch_and_seeds_differ():
    whole = drawn(ArrayBatches(ROWS, 4, 1), 3)
    shares = [drawn(ArrayBatches(ROWS, 4, 1, host=host, hosts=2), 3) for host in (0, 1)]
    assert [sorted(a + b) for a, b in zip(*shares, strict=True)] == [sorted(batch) for batch in whole]
    assert drawn(ArrayBatches(ROWS, 4, 2), 3) != whole


def test_fewer_rows_than_a_batch_are_refused():
    with pytest.raises(BadInput, match="10 rows are fewer than a batch of 11"):
        ArrayBatches(ROWS, 11, 0)
    with pytest.raises(ValueError, match="one length"):
        ArrayBatches({"a": np.zeros(2), "b": np.zeros(3)}, 1, 0)
