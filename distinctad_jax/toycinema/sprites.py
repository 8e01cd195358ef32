"""Pictures of people, props and places: drawn once with Pillow at four times the size, then pasted where needed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from PIL import Image, ImageDraw

from distinctad_jax.toycinema.motion import POSES, Pose
from distinctad_jax.toycinema.world import CHARACTERS, COLOURS, PLACES, PROPS, Character, Colour, Number, Shape

FINE = 4  # drawn this many times larger, then averaged
SMALL, LARGE = 0.82, 1.15  # of a prop's 20 units
FIGURE = (104.0, 92.0)  # canvas of a person; its feet stand at FEET
FEET = (52.0, 76.0)
MARGIN = 8.0  # what is drawn beyond the view, for the camera to move into
Point = tuple[Number, Number]


@dataclass(frozen=True)
class Sprite:
    """A cut-out: RGB, its opacity, and where its left top corner lies relative to its origin, in pixels."""

    colour: Image.Image
    opacity: Image.Image
    left: int
    top: int


def paint(draw: ImageDraw.ImageDraw, shapes: tuple[Shape, ...], origin: tuple[Number, Number], scale: Number) -> None:
    """Draws shapes; `scale` in pixels per unit, `origin` is the pixel of unit (0, 0)."""
    ox, oy = origin
    for kind, numbers, colour in shapes:
        width = 0.0
        if kind == "line":
            width, numbers = numbers[0], numbers[1:]
        points = [(ox + numbers[i] * scale, oy + numbers[i + 1] * scale) for i in range(0, len(numbers), 2)]
        if kind == "box":
            draw.rectangle((*points[0], *points[1]), fill=colour)
        elif kind == "oval":
            draw.ellipse((*points[0], *points[1]), fill=colour)
        elif kind == "poly":
            draw.polygon(points, fill=colour)
        elif kind == "line":
            draw.line(points, fill=colour, width=max(1, round(width * scale)), joint="curve")
        else:
            raise ValueError(f"A shape is a box, oval, poly or line, got {kind!r}.")


def _bent(
    draw: ImageDraw.ImageDraw,
    start: Point,
    end: Point,
    reach: Number,
    outward: Number,
    width: Number,
    colour: Colour,
    scale: Number,
) -> None:
    """A limb of two equal bones from start to end, its joint pushed to the side `outward` (-1 left, 1 right)."""
    (x0, y0), (x1, y1) = start, end
    apart = max(1e-3, math.hypot(x1 - x0, y1 - y0))
    slack = math.sqrt(max(0.0, (reach / 2) ** 2 - (apart / 2) ** 2))
    nx, ny = (y1 - y0) / apart, -(x1 - x0) / apart
    sign = 1.0 if nx * outward >= 0 else -1.0
    joint = ((x0 + x1) / 2 + sign * nx * slack, (y0 + y1) / 2 + sign * ny * slack)
    thick = max(1, round(width * scale))
    draw.line([start, joint, end], fill=colour, width=thick, joint="curve")
    r = thick / 2
    draw.ellipse((end[0] - r, end[1] - r, end[0] + r, end[1] + r), fill=colour)


class _Figure:
    """Draws one person in one pose on a transparent canvas, feet at FEET; `unit` is in pixels."""

    def __init__(self, person: Character, pose: Pose, scale: float):
        self.person, self.pose = person, pose
        self.unit = scale * FINE * person.stature
        size = (round(FIGURE[0] * scale * FINE), round(FIGURE[1] * scale * FINE))
        self.image = Image.new("RGBA", size, (0, 0, 0, 0))
        self.draw = ImageDraw.Draw(self.image)
        self.foot = (FEET[0] * scale * FINE, FEET[1] * scale * FINE)

    def at(self, x: Number, y: Number) -> tuple[float, float]:
        """The pixel of a point `x` right of and `y` above the feet."""
        return self.foot[0] + x * self.unit, self.foot[1] - y * self.unit

    def oval(self, x: Number, y: Number, rx: Number, ry: Number, colour: Colour) -> None:
        (left, top), (right, bottom) = self.at(x - rx, y + ry), self.at(x + rx, y - ry)
        self.draw.ellipse((left, top, right, bottom), fill=colour)

    def drawn(self) -> Image.Image:
        pose, coat = self.pose, COLOURS[self.person.coat]
        shade = (int(coat[0] * 0.72), int(coat[1] * 0.72), int(coat[2] * 0.72))
        up = pose.lift + pose.hip
        trousers: Colour = (60, 50, 60) if self.person.woman else (48, 52, 66)
        for side, x in zip((-1, 1), pose.feet, strict=True):
            outward = 1.0 if pose.side else float(side)
            start, end = self.at(side * 2.2, up), self.at(x, pose.lift + 1.5)
            _bent(self.draw, start, end, 16.2 * self.unit, outward, 4.2, trousers, self.unit)
        hem = 9.0 if self.person.woman else 6.5
        body = [self.at(-6, up + 17), self.at(6, up + 17), self.at(hem, up - 4), self.at(-hem, up - 4)]
        if pose.side:
            body = [
                self.at(-4.5, up + 17),
                self.at(4.5, up + 17),
                self.at(hem * 0.75, up - 4),
                self.at(-hem * 0.75, up - 4),
            ]
        self.draw.polygon(body, fill=coat)
        self._arms(up, coat, shade)
        self._head(up + 17 + 6.0)
        if pose.tilt:
            shift = (round(-pose.back * self.unit), 0)
            turned = Image.Resampling.BILINEAR
            self.image = self.image.rotate(-pose.tilt, resample=turned, center=self.foot, translate=shift)
        return self.image

    def _arms(self, up: float, coat: Colour, shade: Colour) -> None:
        for side, angle in zip((-1, 1), self.pose.arms, strict=True):
            turn = math.radians(angle)
            shoulder = (side * (2.0 if self.pose.side else 5.5), up + 15.0)
            reach = (shoulder[0] + side * math.sin(turn) * 14.5, shoulder[1] - math.cos(turn) * 14.5)
            thick = max(1, round(4.0 * self.unit))
            self.draw.line([self.at(*shoulder), self.at(*reach)], fill=shade, width=thick)
            self.oval(*reach, 2.3, 2.3, self.person.skin)

    def _head(self, y: float) -> None:
        person, hair = self.person, COLOURS[self.person.hair]
        ahead = 2.0 if self.pose.side else 0.0
        style = person.hair_style
        if style == "long":
            self.draw.polygon(
                [
                    self.at(-7 - ahead, y - 12),
                    self.at(-7, y + 3),
                    self.at(7 - 2 * ahead, y + 3),
                    self.at(7 - 3 * ahead, y - 12),
                ],
                fill=hair,
            )
        if style == "curly":
            self.oval(-ahead, y + 1, 9, 8, hair)
        if style == "bun":
            self.oval(-1.5 * ahead, y + 8, 3.6, 3.6, hair)
        if style != "bald":
            self.oval(-ahead / 2, y + 1.4, 6.8, 6.4, hair)
        self.oval(ahead, y - 0.6 if style != "bald" else y, 5.4, 5.4, person.skin)
        if person.beard:
            self.oval(ahead, y - 4.0, 4.6, 3.6, hair)
        for eye in (-2.2, 2.2) if not self.pose.side else (1.0, 4.2):
            self.oval(eye + ahead / 2, y, 0.9, 1.1, (20, 20, 25))
        if person.hat:
            colour = COLOURS[person.hat]
            (left, top), (right, bottom) = self.at(-8.5, y + 5), self.at(8.5, y + 3)
            self.draw.rectangle((left, top, right, bottom), fill=colour)
            (left, top), (right, bottom) = self.at(-5.5, y + 11), self.at(5.5, y + 4)
            self.draw.rectangle((left, top, right, bottom), fill=colour)


@dataclass
class Sprites:
    """All pictures at one scale; each is drawn when first asked for and then kept.

    Units: scale in pixels per unit; aspect is width over height of the view.
    """

    scale: Number
    aspect: Number
    _kept: dict[tuple, Sprite] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        """Pixels of a whole canvas, margins included."""
        return round((96 * self.aspect + 2 * MARGIN) * self.scale), round((96 + 2 * MARGIN) * self.scale)

    def pixel(self, x: Number, y: Number) -> tuple[int, int]:
        """Where a point, in units, lies on the canvas."""
        edge = (96 * self.aspect - 96) / 2 + MARGIN
        return round((x + edge) * self.scale), round((y + MARGIN) * self.scale)

    def person(self, number: int, pose: str, mirrored: bool) -> Sprite:
        key = ("person", number, pose, mirrored)
        if key not in self._kept:
            drawn = _Figure(CHARACTERS[number], POSES[pose], self.scale).drawn()
            self._kept[key] = self._cut(drawn, FEET, mirrored)
        return self._kept[key]

    def prop(self, number: int, large: bool) -> Sprite:
        key = ("prop", number, large)
        if key not in self._kept:
            fine, half = self.scale * FINE, 14.0
            image = Image.new("RGBA", (round(2 * half * fine), round(2 * half * fine)), (0, 0, 0, 0))
            factor = LARGE if large else SMALL
            paint(ImageDraw.Draw(image), PROPS[number].shapes, (half * fine, half * fine), fine * factor)
            self._kept[key] = self._cut(image, (half, half), False)
        return self._kept[key]

    def place(self, number: int) -> Image.Image:
        """A fresh canvas with the place on it."""
        key = ("place", number)
        if key not in self._kept:
            place, fine = PLACES[number], 2 * self.scale
            width, height = self.size
            image = Image.new("RGB", (width * 2, height * 2), place.wall)
            draw = ImageDraw.Draw(image)
            edge = (96 * self.aspect - 96) / 2 + MARGIN
            paint(draw, place.shapes, (edge * fine, MARGIN * fine), fine)
            floor = (("box", (-40.0, 66.0, 136.0, 120.0), place.floor),)
            paint(draw, floor, (edge * fine, MARGIN * fine), fine)
            small = image.resize((width, height), Image.Resampling.BOX)
            self._kept[key] = Sprite(small, Image.new("L", (1, 1)), 0, 0)
        return self._kept[key].colour.copy()

    def _cut(self, drawn: Image.Image, origin: tuple[Number, Number], mirrored: bool) -> Sprite:
        """Shrinks to the scale (premultiplied, so that edges do not darken), mirrors, and cuts off what is empty."""
        size = (round(drawn.width / FINE), round(drawn.height / FINE))
        small = drawn.convert("RGBa").resize(size, Image.Resampling.BOX).convert("RGBA")
        left, top = round(origin[0] * self.scale), round(origin[1] * self.scale)
        if mirrored:
            small = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            left = small.width - left
        box = small.getchannel("A").getbbox() or (0, 0, 1, 1)
        small = small.crop(box)
        return Sprite(small.convert("RGB"), small.getchannel("A"), box[0] - left, box[1] - top)
