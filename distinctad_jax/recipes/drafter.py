"""The trained narrator as a drafter of films: it looks at their clips, and says several sentences of each."""

from __future__ import annotations

import dataclasses

import numpy as np

from distinctad_jax.data.video import moments, read_frames
from distinctad_jax.drafting.drafts import Asked, Draft, Report, Store, changes
from distinctad_jax.drafting.model_folder import Shelf
from distinctad_jax.files import fingerprint
from distinctad_jax.movie.window import PADDING, Window, evaluation_windows
from distinctad_jax.narration.decoding import DecodingConfig
from distinctad_jax.narration.schedule import Candidate
from distinctad_jax.recipes.extract import frame_encoder
from distinctad_jax.recipes.models import open_aligner, open_narrator, read_learnt_names
from distinctad_jax.recipes.speaking import Speaker
from distinctad_jax.text.prompt import prompt_ids

CHARACTERS_OF_A_WORD = 6.0
"""Its blank counted: 160 words a minute are 16 characters a second."""
_TOGETHER = 16  # clips whose frames are encoded at once


@dataclasses.dataclass(frozen=True)
class DraftingConfig:
    """How the narrator is asked; policy: how windows lie over the film's clips; windows: so many at once."""

    candidates: int = 5
    beams: int = 5
    max_tokens: int = 40
    policy: str = "block"
    windows: int = 2

    def __post_init__(self) -> None:
        if not 1 <= self.candidates <= self.beams or min(self.max_tokens, self.windows) < 1:
            raise ValueError(f"needs 1 <= candidates <= beams, max_tokens and windows >= 1, got {self}")

    def decoding(self) -> DecodingConfig:
        """The search for sentences."""
        return DecodingConfig(beams=self.beams, max_tokens=self.max_tokens, candidates=self.candidates)


class NarratorDrafter:
    """The narrator and its tower, ready to draft any film.

    Errors: BadInput if a part is missing or broken; BadUsage if what is to be said does not fit into the model.
    """

    def __init__(self, shelf: Shelf, config: DraftingConfig):
        self.config, self.trained = config, shelf.trained
        aligner, _ = open_aligner(shelf.tower)
        narrator, self.tokenizer = open_narrator(shelf.narrator)
        self.names = read_learnt_names(shelf.narrator)
        self.encode, self.size = frame_encoder(aligner), aligner.config.vision.image_size
        self.width = aligner.config.vision.projection
        self.speak = Speaker(
            narrator,
            self.tokenizer,
            config.decoding(),
            prompt_length=shelf.trained["prompt_length"],
            where="--max-tokens",
        )
        self.models = {
            "narrator": fingerprint(shelf.narrator / "narrator" / "model.safetensors"),
            "tower": fingerprint(shelf.tower / "aligner" / "model.safetensors"),
        }
        self.options = dataclasses.asdict(config)

    def draft(self, asked: Asked, store: Store, report: Report, problems: list[str]) -> list[Draft]:
        """As `drafting.drafts.Drafter` has it."""
        kept = store.seen()
        if kept is None:
            kept = self._see(asked, report, problems)
            store.keep_seen(*kept)
        features, times, real = kept
        seen = [int(clip) for clip in np.flatnonzero(real)]
        self._say(asked, seen, features, store, report)
        store.flush()
        new = changes(features[seen])
        return [
            Draft(
                asked.clips[clip],
                tuple(float(time) for time in times[clip]),
                tuple(Candidate(text, score) for text, score in store.said.get(clip, ())),
                new[place],
            )
            for place, clip in enumerate(seen)
        ]

    def _see(self, asked: Asked, report: Report, problems: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The features of all clips, float16 as in the records that the narrator was trained on."""
        frames, count = self.trained["frames"], len(asked.clips)
        features = np.zeros((count, frames, self.width), np.float16)
        times = np.array([moments(clip, frames) for clip in asked.clips], np.float32)
        real = np.zeros(count, bool)
        waiting: list[tuple[int, np.ndarray]] = []

        def encode() -> None:
            pictures = np.stack([one for _, one in waiting])
            missing = _TOGETHER - len(pictures)  # one shape, one compilation
            encoded = self.encode(np.pad(pictures, ((0, missing), *((0, 0),) * (pictures.ndim - 1))))
            for (clip, _), feature in zip(waiting, np.asarray(encoded), strict=False):
                features[clip], real[clip] = feature.astype(np.float16), True
            waiting.clear()

        for clip, pictures, shown in read_frames(asked.video, asked.clips, frames, self.size, problems=problems):
            waiting.append((clip, pictures))
            times[clip] = shown
            if len(waiting) == _TOGETHER:
                encode()
            report(int(real.sum()), count, "clips seen")
        if waiting:
            encode()
        return features, times, real

    def _say(self, asked: Asked, seen: list[int], features: np.ndarray, store: Store, report: Report) -> None:
        """Asks for what the store does not have, some windows at a time."""
        size = self.trained["clips"]
        windows = evaluation_windows(len(seen), size, self.config.policy)
        windows = [window for window in windows if not self._done(window, seen, store)]
        for first in range(0, len(windows), self.config.windows):
            some = windows[first : first + self.config.windows]
            rows = np.full((self.config.windows, size), PADDING)
            targets = np.zeros(rows.shape, bool)
            for place, window in enumerate(some):
                rows[place] = [PADDING if member == PADDING else seen[member] for member in window.members]
                targets[place] = window.targets
            wanted = [int(row) if target else None for row, target in zip(rows.flat, targets.flat, strict=True)]
            budgets = [None if one is None else max(int(asked.room[one] / CHARACTERS_OF_A_WORD), 1) for one in wanted]
            stories = [None if one is None else asked.video.name for one in wanted]
            found, _ = self.speak(self._batch(rows, asked, features), stories, budgets)
            for clip, said in zip(wanted, found, strict=True):
                if clip is not None:
                    store.keep(clip, [(one.text, float(one.score)) for one in said])
            report(len(store.said), len(seen), "clips told")

    @staticmethod
    def _done(window: Window, seen: list[int], store: Store) -> bool:
        pairs = zip(window.members, window.targets, strict=True)
        return all(seen[member] in store.said for member, target in pairs if target)

    def _batch(self, rows: np.ndarray, asked: Asked, features: np.ndarray) -> dict[str, np.ndarray]:
        """The narrator's input for windows of clips, -1 where there is none."""
        trained, length = self.trained, self.trained["prompt_length"]
        batch = {
            "features": np.zeros((*rows.shape, trained["frames"], self.width), np.float32),
            "frames_real": np.zeros((*rows.shape, trained["frames"]), bool),
            "clips_real": rows != PADDING,
            "prompt_ids": np.full((*rows.shape, length), self.tokenizer.end, np.int32),
            "prompt_real": np.zeros((*rows.shape, length), bool),
        }
        for place in map(tuple, np.argwhere(rows != PADDING)):
            clip = int(rows[place])
            names = () if trained["names"]["source"] == "none" else asked.names[clip]
            prompt = prompt_ids(self.tokenizer, names, length, trained["names"]["limit"])
            batch["features"][place], batch["frames_real"][place] = features[clip], True
            batch["prompt_ids"][place][: len(prompt)], batch["prompt_real"][place][: len(prompt)] = prompt, True
        return batch
