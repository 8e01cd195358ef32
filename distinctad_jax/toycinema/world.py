"""What there is in the toy world: places, people and props, as plain data.

Drawings are lists of shapes in *units*: the picture is 96 units high and its central square, which CLIP's
preprocessing keeps, spans x = 0..96. A shape is `(kind, numbers, colour)`: `box` and `oval` by two corners, `poly` by
its corners, `line` by its points with the width in front. Props and people have their own origin.
"""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[int, int, int]
Number = float | int
Shape = tuple[str, tuple[Number, ...], Colour]

GROUND = 83.0  # where feet stand
SLOTS = (17.0, 48.0, 79.0)  # where people stand: left, middle, right


@dataclass(frozen=True)
class Spot:
    """A place for a prop: its centre, and the slots that it adjoins."""

    x: Number
    y: Number
    high: bool
    adjoins: tuple[int, ...]


SPOTS = (
    Spot(17, 35, True, (0,)),
    Spot(48, 35, True, (1,)),
    Spot(79, 35, True, (2,)),
    Spot(33, 77, False, (0, 1)),
    Spot(63, 77, False, (1, 2)),
)


@dataclass(frozen=True)
class Place:
    """Where a scene plays: `nouns` by day and by dusk or night, `where` is its preposition."""

    nouns: tuple[str, str]
    where: str
    indoors: bool
    wall: Colour
    floor: Colour
    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Character:
    """A person with looks that stay the same in all movies; stature 1 is 45 units tall."""

    name: str
    actor: str
    woman: bool
    stature: float
    skin: Colour
    hair: str
    hair_style: str  # long, short, bun, curly, bald
    coat: str
    hat: str = ""
    beard: bool = False

    @property
    def pronoun(self) -> str:
        return "she" if self.woman else "he"


@dataclass(frozen=True)
class Prop:
    """A thing to name: `nouns` indoors and outdoors, `large` is said of its large variant."""

    nouns: tuple[str, str]
    large: str
    shapes: tuple[Shape, ...]  # within -10..10 in both directions, y downwards


COLOURS: dict[str, Colour] = {
    "red": (205, 40, 40),
    "orange": (240, 130, 30),
    "yellow": (245, 215, 60),
    "green": (35, 130, 60),
    "lime": (160, 215, 60),
    "teal": (20, 150, 150),
    "blue": (45, 90, 215),
    "navy": (30, 35, 100),
    "purple": (125, 50, 165),
    "pink": (245, 140, 185),
    "white": (242, 242, 238),
    "brown": (115, 70, 35),
    "grey": (135, 135, 140),
    "black": (28, 26, 30),
    "blonde": (235, 205, 110),
}

PALE, TAN, DARK = (246, 214, 186), (214, 164, 122), (130, 84, 58)

CHARACTERS = (
    Character("Mara", "Lena Holt", True, 1.04, PALE, "red", "long", "green"),
    Character("Nell", "Ada Quist", True, 0.92, TAN, "black", "bun", "yellow"),
    Character("Ivy", "Petra Lund", True, 1.00, PALE, "blonde", "long", "purple"),
    Character("Rosa", "Ines Calder", True, 0.96, DARK, "brown", "curly", "white"),
    Character("June", "Sybil Marsh", True, 0.88, PALE, "grey", "bun", "orange"),
    Character("Clara", "Vera Novak", True, 1.08, DARK, "black", "curly", "pink", hat="red"),
    Character("Bruno", "Karl Ostrow", False, 1.10, PALE, "black", "bald", "red", beard=True),
    Character("Felix", "Tom Arden", False, 1.00, PALE, "blonde", "short", "blue"),
    Character("Hugo", "Emil Roth", False, 1.04, TAN, "black", "short", "grey", hat="black"),
    Character("Otto", "Per Lindqvist", False, 0.90, PALE, "white", "bald", "brown", beard=True),
    Character("Walt", "Sam Okoro", False, 1.12, DARK, "black", "short", "lime"),
    Character("Amir", "Dario Venn", False, 0.98, TAN, "brown", "short", "teal", hat="white", beard=True),
)

PROPS = (
    Prop(
        ("lamp", "lantern"),
        "tall",
        (
            ("line", (2, 0, -2, 0, 8), (70, 60, 50)),
            ("box", (-5, 7, 5, 9), (70, 60, 50)),
            ("poly", (-8, 0, -4, -10, 4, -10, 8, 0), (255, 225, 40)),
        ),
    ),
    Prop(
        ("box", "crate"),
        "heavy",
        (
            ("box", (-9, -8, 9, 9), (190, 135, 70)),
            ("line", (2, -8, -7, 8, 8), (110, 70, 30)),
            ("line", (2, 8, -7, -8, 8), (110, 70, 30)),
        ),
    ),
    Prop(
        ("umbrella", "parasol"),
        "wide",
        (
            ("line", (1.5, 0, -3, 0, 9), (40, 40, 40)),
            ("poly", (-10, 1, -7, -6, 0, -10, 7, -6, 10, 1), (200, 40, 180)),
        ),
    ),
    Prop(
        ("guitar", "banjo"),
        "long",
        (
            ("line", (2.5, 0, -10, 0, 2), (80, 45, 20)),
            ("oval", (-6, 0, 6, 10), (230, 110, 20)),
            ("oval", (-4.5, -4, 4.5, 3), (230, 110, 20)),
            ("oval", (-1.5, 2, 1.5, 5), (50, 25, 10)),
        ),
    ),
    Prop(
        ("globe", "ball"),
        "huge",
        (("oval", (-9, -9, 9, 9), (40, 110, 235)), ("oval", (-6, -6, 1, 2), (120, 190, 250))),
    ),
    Prop(
        ("clock", "dial"),
        "round",
        (
            ("oval", (-10, -10, 10, 10), (30, 30, 30)),
            ("oval", (-8, -8, 8, 8), (255, 255, 250)),
            ("line", (2, 0, -6, 0, 0, 5, 2), (20, 20, 20)),
        ),
    ),
    Prop(
        ("book", "atlas"),
        "thick",
        (
            ("box", (-8, -7, 8, 8), (20, 90, 80)),
            ("box", (-8, 5, 8, 8), (240, 235, 215)),
            ("box", (-4, -4, 4, -1), (235, 205, 110)),
        ),
    ),
    Prop(
        ("suitcase", "trunk"),
        "bulky",
        (
            ("line", (2, -3, -4, -3, -8, 3, -8, 3, -4), (40, 20, 20)),
            ("box", (-10, -5, 10, 8), (150, 20, 40)),
            ("line", (1.5, -5, -5, -5, 8), (235, 200, 120)),
            ("line", (1.5, 5, -5, 5, 8), (235, 200, 120)),
        ),
    ),
    Prop(
        ("vase", "jug"),
        "slender",
        (
            ("poly", (-3, -10, 3, -10, 2, -4, 7, 2, 4, 10, -4, 10, -7, 2, -2, -4), (60, 215, 225)),
            ("line", (1.5, -5, 2, 5, 2), (250, 250, 250)),
        ),
    ),
    Prop(
        ("drum", "barrel"),
        "fat",
        (
            ("box", (-8, -7, 8, 9), (245, 130, 175)),
            ("oval", (-8, -10, 8, -4), (255, 245, 235)),
            ("line", (1.5, -8, 0, -4, 8, 0, 0, 4, 8, 8, 0), (160, 30, 80)),
        ),
    ),
    Prop(
        ("flag", "banner"),
        "broad",
        (
            ("line", (2, -8, -10, -8, 10), (60, 60, 60)),
            ("box", (-7, -9, 9, 3), (250, 250, 250)),
            ("box", (-7, -9, 1, -3), (25, 25, 25)),
            ("box", (1, -3, 9, 3), (25, 25, 25)),
        ),
    ),
    Prop(
        ("plant", "fern"),
        "bushy",
        (
            ("poly", (-5, 4, 5, 4, 3, 10, -3, 10), (180, 85, 45)),
            ("oval", (-9, -8, -1, 4), (70, 200, 50)),
            ("oval", (1, -8, 9, 4), (70, 200, 50)),
            ("oval", (-4, -10, 4, 3), (110, 230, 80)),
        ),
    ),
)

PLACES = (
    Place(
        ("kitchen", "galley"),
        "in",
        True,
        (250, 225, 170),
        (205, 205, 200),
        (
            ("box", (-24, 46, 120, 54), (230, 120, 80)),
            ("box", (30, 6, 66, 38), (190, 225, 245)),
            ("box", (-24, 54, 120, 66), (245, 245, 240)),
        ),
    ),
    Place(
        ("library", "study"),
        "in",
        True,
        (140, 90, 50),
        (110, 60, 40),
        (
            ("box", (-24, 10, 120, 14), (80, 45, 25)),
            ("box", (-24, 36, 120, 40), (80, 45, 25)),
            ("box", (-18, 16, 8, 36), (170, 60, 50)),
            ("box", (34, 16, 62, 36), (60, 100, 90)),
            ("box", (88, 16, 114, 36), (190, 150, 60)),
        ),
    ),
    Place(
        ("attic", "loft"),
        "in",
        True,
        (205, 175, 150),
        (150, 115, 85),
        (
            ("poly", (-24, -6, 30, -6, -24, 60), (120, 85, 65)),
            ("poly", (120, -6, 66, -6, 120, 60), (120, 85, 65)),
            ("oval", (36, 2, 60, 26), (215, 235, 250)),
        ),
    ),
    Place(
        ("cellar", "vault"),
        "in",
        True,
        (120, 120, 130),
        (85, 85, 95),
        (
            ("oval", (-20, 8, 26, 90), (75, 75, 88)),
            ("oval", (70, 8, 116, 90), (75, 75, 88)),
            ("box", (-24, 64, 120, 68), (60, 60, 70)),
        ),
    ),
    Place(
        ("bedroom", "chamber"),
        "in",
        True,
        (220, 195, 235),
        (190, 150, 170),
        (
            ("box", (-24, 40, 36, 66), (150, 110, 190)),
            ("box", (-24, 34, 4, 50), (255, 250, 255)),
            ("box", (70, 4, 104, 40), (250, 245, 200)),
        ),
    ),
    Place(
        ("theatre", "playhouse"),
        "in",
        True,
        (90, 20, 30),
        (170, 110, 60),
        (
            ("box", (-24, -6, 6, 66), (190, 30, 45)),
            ("box", (90, -6, 120, 66), (190, 30, 45)),
            ("poly", (-24, -6, 120, -6, 120, 6, 48, 16, -24, 6), (225, 60, 60)),
        ),
    ),
    Place(
        ("harbour", "dock"),
        "in",
        False,
        (165, 210, 240),
        (130, 125, 115),
        (
            ("box", (-24, 44, 120, 66), (50, 110, 160)),
            ("poly", (44, 46, 100, 46, 92, 58, 52, 58), (230, 230, 230)),
            ("line", (2.5, 72, 46, 72, 6), (90, 70, 60)),
            ("poly", (74, 8, 74, 40, 96, 40), (250, 245, 230)),
        ),
    ),
    Place(
        ("forest", "woods"),
        "in",
        False,
        (150, 200, 140),
        (70, 110, 45),
        (
            ("box", (-14, -6, 0, 66), (90, 65, 45)),
            ("box", (26, -6, 36, 66), (90, 65, 45)),
            ("box", (60, -6, 72, 66), (90, 65, 45)),
            ("box", (98, -6, 112, 66), (90, 65, 45)),
            ("box", (-24, -6, 120, 10), (40, 100, 50)),
        ),
    ),
    Place(
        ("street", "alley"),
        "in",
        False,
        (225, 225, 230),
        (95, 95, 100),
        (
            ("box", (-24, 0, 22, 66), (175, 95, 80)),
            ("box", (28, 12, 64, 66), (210, 180, 130)),
            ("box", (70, -2, 120, 66), (120, 135, 150)),
            ("box", (-24, 74, 120, 76), (240, 240, 240)),
        ),
    ),
    Place(
        ("garden", "orchard"),
        "in",
        False,
        (190, 230, 250),
        (120, 195, 80),
        (
            ("oval", (-30, 20, 30, 80), (60, 150, 70)),
            ("oval", (66, 26, 126, 80), (60, 150, 70)),
            ("oval", (38, 48, 50, 60), (240, 90, 120)),
            ("oval", (52, 44, 62, 56), (250, 200, 70)),
        ),
    ),
    Place(
        ("beach", "shore"),
        "on",
        False,
        (130, 205, 250),
        (245, 220, 155),
        (
            ("box", (-24, 50, 120, 66), (30, 150, 190)),
            ("oval", (76, 2, 100, 26), (255, 240, 120)),
            ("box", (-24, 62, 120, 66), (235, 250, 250)),
        ),
    ),
    Place(
        ("rooftop", "roof"),
        "on",
        False,
        (250, 200, 170),
        (150, 150, 155),
        (
            ("box", (-20, 30, 2, 66), (110, 100, 125)),
            ("box", (8, 18, 30, 66), (90, 85, 110)),
            ("box", (52, 34, 76, 66), (120, 110, 135)),
            ("box", (84, 12, 112, 66), (95, 90, 115)),
            ("box", (-24, 62, 120, 68), (185, 90, 70)),
        ),
    ),
)

LIGHTS = ("day", "dusk", "night")
