"""A drafter that says what a test wants, and counts what it was asked."""

from distinctad_jax.drafting.drafts import Draft
from distinctad_jax.narration.schedule import Candidate

WORDS = [
    "dog",
    "cat",
    "car",
    "tree",
    "boy",
    "lamp",
    "river",
    "stone",
    "door",
    "bridge",
    "hat",
    "wall",
    "ship",
    "horse",
]
VERBS = ["stands", "falls", "waits", "glows", "turns", "breaks", "fades", "shakes"]


class StubDrafter:
    """`say(number, clip, room)` gives the texts of a clip, best first."""

    def __init__(self, say=None, stop_after=None):
        self.say, self.stop_after, self.asked = say or self.usual, stop_after, 0
        self.models, self.options, self.names = {"narrator": "0" * 64}, {"stub": 1}, ()

    @staticmethod
    def usual(number, clip, room):
        noun, other = WORDS[number % len(WORDS)], WORDS[(number * 7 + 3) % len(WORDS)]
        verb = VERBS[number % len(VERBS)]
        return [
            f"A {noun} {verb} beside the {other} while another {WORDS[(number + 5) % len(WORDS)]} passes by slowly.",
            f"A {noun} {verb} near a {other}.",
            f"A {noun} {verb}.",
        ]

    def draft(self, asked, store, report, problems):
        found = []
        for number, clip in enumerate(asked.clips):
            if number not in store.said:
                if self.stop_after is not None and self.asked >= self.stop_after:
                    raise KeyboardInterrupt
                self.asked += 1
                texts = self.say(number, clip, asked.room[number])
                store.keep(number, [(text, -0.5 - 0.3 * place) for place, text in enumerate(texts)])
            some = tuple(Candidate(text, score) for text, score in store.said[number])
            found.append(Draft(clip, (clip.start,), some, (number * 37 % 11) / 10))
        return found
