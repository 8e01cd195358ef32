"""Batches out of arrays that lie in memory: stills and captions, embeddings and descriptions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from distinctad_jax.errors import BadInput


class ArrayBatches:
    """Rows of equally long arrays, shuffled anew each epoch; an epoch's last rows that fill no batch are left out.

    Position is a function of the step. Each of `hosts` processes gets its own rows of the same global batch.
    Errors: BadInput if there are fewer rows than a batch holds.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], batch: int, seed: int, *, host: int = 0, hosts: int = 1):
        rows = {len(array) for array in arrays.values()}
        if len(rows) != 1:
            raise ValueError(f"arrays need one length, got {sorted(rows)}")
        self.arrays, self.batch, self.seed, self.count = dict(arrays), batch, seed, rows.pop()
        self.host, self.hosts, self.step = host, hosts, 0
        if self.count < batch:
            raise BadInput(f"{self.count} rows are fewer than a batch of {batch}", mend="lower the batch or add data")

    def seek(self, step: int) -> None:
        """Goes to the batch of `step` (the first is 0)."""
        self.step = step

    def next(self) -> dict[str, np.ndarray]:
        """The batch of this step."""
        epoch, place = divmod(self.step, self.count // self.batch)
        order = np.random.default_rng((self.seed, epoch)).permutation(self.count)
        rows = order[place * self.batch : (place + 1) * self.batch]
        share = self.batch // self.hosts
        rows = rows[self.host * share : (self.host + 1) * share]
        self.step += 1
        return {name: array[rows] for name, array in self.arrays.items()}

    def close(self) -> None:
        """Nothing is open."""
