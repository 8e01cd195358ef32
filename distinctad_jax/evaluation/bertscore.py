"""BERTScore-F1 on any JAX device, for just the pairs that windows ask for: the official similarity of R@k/N.

Each sentence is read once, in batches of like length; each pair is matched once, however many windows it is in.
`counters` says how many. Source: BERTScore (arXiv 1904.09675) as the package bert_score 0.3.13 computes it for
English (roberta-large, layer 17, no IDF, rescaled), which AutoAD-II's R@k/N calls.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from distinctad_jax.checkpoints.published import load_roberta
from distinctad_jax.checkpoints.weights import assemble, flat
from distinctad_jax.errors import BadInput
from distinctad_jax.files import read_bytes
from distinctad_jax.metrics.corpus import Corpus
from distinctad_jax.metrics.recall import windows_of
from distinctad_jax.metrics.scores import Policy
from distinctad_jax.metrics.similarity import Compare
from distinctad_jax.models.roberta import Roberta, RobertaConfig
from distinctad_jax.text.roberta import RobertaTokenizer, load_roberta_tokenizer

Baseline = tuple[float, float, float]
LARGE: dict[int, Baseline] = {17: (0.83150584, 0.8314941, 0.83122575)}
"""Mean P, R and F of unrelated English sentences under roberta-large, by layer: bert_score's published baseline."""
LARGE_SIZES = {"vocab": 50265, "width": 1024, "heads": 16}
STEP = 8
"""Sentences are padded to a multiple of so many pieces, so that few shapes are compiled."""
PIECES, PAIRS = 8192, 256
"""How many pieces are read, and how many pairs matched, at once."""


class BertScore:
    """A model with its vocabulary, and what it has read so far.

    `baseline` rescales F: (F - baseline) / (1 - baseline), which changes no R@k/N. `counters`: sentences given,
    sentences embedded (each text once, so fewer if some are alike), and pairs matched.
    """

    def __init__(
        self, model: Roberta, tokenizer: RobertaTokenizer, *, baseline: Baseline | None = None, name: str = "RoBERTa"
    ):
        self.model, self.tokenizer, self.baseline = model, tokenizer, baseline
        rescaled = f"rescaled by F = {baseline[2]}" if baseline else "not rescaled"
        device = jax.devices()[0]
        self.identity = (
            f"BERTScore-F1 by {name}, layer {model.config.layers}, {rescaled}, no IDF, {model.config.dtype} in JAX "
            f"{jax.__version__} on {device.device_kind}"
        )
        self.counters = {"sentences": 0, "sentences embedded": 0, "pairs matched": 0}
        self._known: dict[str, np.ndarray] = {}
        graph, state = nnx.split(model)

        @jax.jit
        def read(state: nnx.State, ids: Array, real: Array) -> Array:
            with jax.default_matmul_precision("highest"):
                hidden = nnx.merge(graph, state)(ids, real).astype(jnp.float32)
            return hidden / jnp.linalg.norm(hidden, axis=-1, keepdims=True)

        self._read = lambda ids, real: read(state, ids, real)

    @classmethod
    def load(cls, folder: Path, *, layer: int = 17, baseline: Path | None = None) -> BertScore:
        """A folder with config.json, safetensors and the vocabulary as published; nothing is downloaded.

        The baseline is read from a file (a table LAYER,P,R,F), or known for roberta-large at layer 17.
        Errors: BadInput or BadUsage for files that do not fit.
        """
        fields, params = load_roberta(folder, layer)
        config = RobertaConfig(**fields)
        tokenizer = load_roberta_tokenizer(folder)
        if tokenizer.size > config.vocab:
            what = f"{tokenizer.size} pieces, but the model has {config.vocab}"
            raise BadInput(what, where=folder, mend="use the vocabulary of these weights")
        model = assemble(lambda: Roberta(config, rngs=nnx.Rngs(0)), flat(params), folder)
        known = LARGE.get(layer) if all(fields[name] == size for name, size in LARGE_SIZES.items()) else None
        return cls(
            model,
            tokenizer,
            baseline=read_baseline(baseline, layer) if baseline else known,
            name=folder.resolve().name,
        )

    def embed(self, texts: Iterable[str]) -> None:
        """Reads the sentences that have not been read, long ones together with long ones.

        A sentence of more pieces than the model has positions is cut there, as bert_score does.
        """
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        waiting: dict[int, list[tuple[str, list[int]]]] = defaultdict(list)
        for text in new:
            ids = self.tokenizer.encode(text, self.model.config.length)
            waiting[self._padded(len(ids))].append((text, ids))
        for length, sentences in sorted(waiting.items()):
            batch = max(PIECES // length, 1)
            for at in range(0, len(sentences), batch):
                self._embed_batch(sentences[at : at + batch], batch, length)
        self.counters["sentences embedded"] += len(new)

    def _padded(self, pieces: int) -> int:
        return min(math.ceil(pieces / STEP) * STEP, self.model.config.length)

    def _embed_batch(self, sentences: Sequence[tuple[str, list[int]]], batch: int, length: int) -> None:
        ids = np.full((batch, length), self.tokenizer.padding, np.int32)
        real = np.zeros((batch, length), bool)
        for row, (_, each) in enumerate(sentences):
            ids[row, : len(each)] = each
            real[row, : len(each)] = True
        real[len(sentences) :, 0] = True  # rows that only fill the batch look at something
        vectors = np.asarray(self._read(ids, real))
        for row, (text, each) in enumerate(sentences):
            self._known[text] = vectors[row, : len(each)].copy()

    def match(self, predictions: Sequence[str], references: Sequence[str]) -> Float[np.ndarray, " pairs"]:
        """F of each pair, rescaled if there is a baseline; 0 before rescaling where a side is empty."""
        self.embed([*predictions, *references])
        found = np.zeros(len(predictions))
        like: dict[tuple[int, int], list[int]] = defaultdict(list)
        for pair, (said, wanted) in enumerate(zip(predictions, references, strict=True)):
            like[self._padded(len(self._known[said])), self._padded(len(self._known[wanted]))].append(pair)
        for (said_length, wanted_length), pairs in sorted(like.items()):
            size = max(PAIRS // max(said_length * wanted_length // 1024, 1), 1)
            for at in range(0, len(pairs), size):
                some = pairs[at : at + size]
                said = self._stacked([predictions[pair] for pair in some], size, said_length)
                wanted = self._stacked([references[pair] for pair in some], size, wanted_length)
                found[some] = np.asarray(greedy_f1(*said, *wanted))[: len(some)]
        self.counters["pairs matched"] += len(predictions)
        return (found - self.baseline[2]) / (1 - self.baseline[2]) if self.baseline else found

    def _stacked(self, texts: Sequence[str], size: int, length: int) -> tuple[np.ndarray, np.ndarray]:
        vectors = np.zeros((size, length, self.model.config.width), np.float32)
        pieces = np.zeros(size, np.int32)
        for row, text in enumerate(texts):
            known = self._known[text]
            vectors[row, : len(known)] = known
            pieces[row] = len(known)
        return vectors, pieces

    def similarity(self, corpus: Corpus, policy: Policy) -> tuple[Compare, Float[np.ndarray, " rows"]]:
        """The similarity of every pair that some window of the policy holds, and of each row with its own reference.

        The similarity it returns knows no other pairs.
        """
        count = len(corpus.rows)
        needed = [np.arange(count) * (count + 1)]
        for window in sorted({n for _, n in policy.recall}):
            for movie in corpus.movies:
                for rows in windows_of(movie, window, policy.tail, policy.short):
                    inside = np.arange(rows.start, rows.stop)
                    needed.append((inside[:, None] * count + inside).reshape(-1))
        pairs = np.unique(np.concatenate(needed))
        said, wanted = np.divmod(pairs, count)
        self.counters["sentences"] += 2 * count
        scores = self.match([corpus.predictions[row] for row in said], [corpus.references[row] for row in wanted])

        def compare(rows: range) -> Float[np.ndarray, "rows rows"]:
            inside = np.arange(rows.start, rows.stop)
            return scores[np.searchsorted(pairs, inside[:, None] * count + inside)]

        return compare, scores[np.searchsorted(pairs, np.arange(count) * (count + 1))]


@jax.jit
def greedy_f1(
    said: Float[Array, "pairs pieces width"],
    said_pieces: Int[Array, " pairs"],
    wanted: Float[Array, "pairs others width"],
    wanted_pieces: Int[Array, " pairs"],
) -> Float[Array, " pairs"]:
    """Each piece goes to the piece most like it on the other side; P and R are means without the sentence's two ends.

    The ends may be gone to, and padding may not. 0 if a side has nothing between its ends.

    Shapes: vectors of length 1; `*_pieces` counts those that are real, the ends among them.
    """
    alike = jnp.einsum("pmw,pnw->pmn", said, wanted, precision="highest")
    here, there = _below(said_pieces, said.shape[1]), _below(wanted_pieces, wanted.shape[1])
    alike = jnp.where(here[:, :, None] & there[:, None, :], alike, -1.0)

    def mean(best: Array, pieces: Array) -> Array:
        inner = (jnp.arange(best.shape[1]) > 0) & _below(pieces - 1, best.shape[1])
        return jnp.sum(jnp.where(inner, best, 0), axis=1) / jnp.maximum(pieces - 2, 1)

    precision, recall = mean(alike.max(2), said_pieces), mean(alike.max(1), wanted_pieces)
    both = precision + recall
    empty = (said_pieces <= 2) | (wanted_pieces <= 2) | (both == 0)
    return jnp.where(empty, 0.0, 2 * precision * recall / jnp.where(both == 0, 1.0, both))


def _below(pieces: Int[Array, " pairs"], length: int) -> Bool[Array, "pairs length"]:
    return jnp.arange(length) < pieces[:, None]


def read_baseline(path: Path, layer: int) -> Baseline:
    """P, R and F of a layer from a table LAYER,P,R,F.

    Errors: BadInput if the layer is not there, or not with three numbers below 1.
    """
    text = read_bytes(path).decode("utf-8", errors="replace")
    for line, row in enumerate(csv.reader(text.splitlines()), start=1):
        if row and row[0].strip() == str(layer):
            try:
                p, r, f = (float(value) for value in row[1:])
            except ValueError:
                p = r = f = math.nan
            if not (p < 1 and r < 1 and f < 1):
                raise BadInput("no three numbers below 1", where=f"{path}:{line}", mend="write LAYER,P,R,F")
            return p, r, f
    raise BadInput(f"no layer {layer}", where=path, mend="write a line LAYER,P,R,F for it")
