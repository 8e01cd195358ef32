"""A narrator at work: windows of features in, candidate sentences for each clip out, mindful of what was said."""

from __future__ import annotations

import dataclasses
from collections import defaultdict, deque
from collections.abc import Hashable, Sequence
from typing import Any

import jax
import numpy as np

from distinctad_jax.config import refused
from distinctad_jax.models.narrator import Narrator
from distinctad_jax.narration.decoding import DecodingConfig, decode
from distinctad_jax.narration.rules import Rules
from distinctad_jax.narration.wording import Brief, Candidate, Wording
from distinctad_jax.recipes.models import check_room
from distinctad_jax.text.tokenizers import Tokenizer
from distinctad_jax.training.step import compiled

SEEN = ("features", "frames_real", "clips_real", "prompt_ids", "prompt_real")
"""What of a batch the narrator needs to speak."""
USED = 24
"""Room for so many ids that begin words of one neighbour; a word has up to three (`door`, `Door`, as it stood)."""


class Speaker:
    """Describes windows of clips, one compilation per shape.

    Args:
      prompt_length: ids of the names prompt, as the narrator was trained.
      memory: how many descriptions before a clip's own count as its neighbours, if `decoding` looks around.
      forbidden, spared: words that are never said, and words that neighbours may share (see `Wording`).
      forced: names that every description has to say.
    Errors: BadUsage at `where` if what is to be said does not fit into the language model after the prompt.
    """

    def __init__(
        self,
        narrator: Narrator,
        tokenizer: Tokenizer,
        decoding: DecodingConfig,
        *,
        prompt_length: int,
        where: str,
        seed: int = 0,
        memory: int = 8,
        forbidden: Sequence[str] = (),
        spared: Sequence[str] = (),
        forced: Sequence[str] = (),
    ):
        language, tokens = narrator.config.language, narrator.config.bridge.tokens
        check_room(language, prompt_length + tokens, decoding.max_tokens, f"{where}.decoding.max_tokens")
        self.decoding, self.forced = decoding, tuple(forced)
        self._key, self._calls = jax.random.key(seed), 0
        self._told: dict[Hashable, deque[str]] = defaultdict(lambda: deque(maxlen=memory))
        room = memory if decoding.looks_around() else 0
        with refused(where):
            self.wording = Wording(
                tokenizer,
                forbidden=forbidden,
                spared=spared,
                names=len(self.forced),
                pieces=decoding.max_tokens,
                earlier=room * decoding.max_tokens if decoding.no_repeat_across else 0,
                neighbours=room * USED if decoding.neighbour_penalty else 0,
                vocab=language.vocab,
            )
            self.wording.rules([Brief(forced=self.forced)])

        def see(model: Narrator, *fields: Any) -> Any:
            features, frames_real, clips_real, prompt_ids, prompt_real = fields
            visual, em = model.see(features, frames_real, clips_real, train=False)
            return *model.prefix(visual, prompt_ids, prompt_real), None if em is None else em.responsibilities

        def speak(model: Narrator, embeddings: Any, real: Any, rules: Rules, key: Any) -> Any:
            return decode(model.language, embeddings, real, decoding, tokenizer.end, rules=rules, key=key)

        self._see, self._speak = compiled(narrator, see), compiled(narrator, speak)

    def __call__(
        self,
        batch: dict[str, np.ndarray],
        stories: Sequence[Hashable | None],
        budgets: Sequence[int | None] | None = None,
    ) -> tuple[list[list[Candidate]], np.ndarray | None]:
        """Candidates for each row of the batch, and the responsibilities of EM attention if there are any.

        Rows are the clips of all windows in order. `stories` tells which film each belongs to; a row whose story is
        None is there for its neighbours only, and gets no candidates. If `decoding` looks around, rows are described
        one after the other, each knowing the descriptions that its story had before; otherwise all at once.
        `budgets` are the most words of each row.
        """
        embeddings, real, responsibilities = self._see(*(batch[name] for name in SEEN))
        briefs = [Brief(budget=budget, forced=self.forced) for budget in budgets or [None] * len(stories)]
        if self.decoding.looks_around():
            found = self._in_turn(embeddings, real, stories, briefs)
        else:
            said = self._decoded(embeddings, real, briefs)
            found = [[] if story is None else row for story, row in zip(stories, said, strict=True)]
        return found, None if responsibilities is None else np.asarray(responsibilities)

    def _in_turn(
        self, embeddings: Any, real: Any, stories: Sequence[Hashable | None], briefs: Sequence[Brief]
    ) -> list[list[Candidate]]:
        found: list[list[Candidate]] = [[] for _ in stories]
        for place, (story, brief) in enumerate(zip(stories, briefs, strict=True)):
            if story is not None:
                told = self._told[story]
                around = dataclasses.replace(brief, earlier=tuple(told), neighbours=tuple(told))
                [found[place]] = self._decoded(embeddings[place : place + 1], real[place : place + 1], [around])
                told.extend(each.text for each in found[place][:1])
        return found

    def _decoded(self, embeddings: Any, real: Any, briefs: Sequence[Brief]) -> list[list[Candidate]]:
        self._calls += 1
        key = jax.random.fold_in(self._key, self._calls)
        return self.wording.sentences(self._speak(embeddings, real, self.wording.rules(briefs), key))
