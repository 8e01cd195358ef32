"""A film file opened with care, as pictures in order of time.

The file may come from anywhere: only a regular file is opened, by its descriptor and not by its name, only as one of
a list of film formats (so a playlist that names other files is refused), and no picture of more pixels than
`largest_picture()` is decoded. Times are seconds from the first shown picture and come from the timestamps, never
from counting, so films of variable frame rate, with an offset start or with edit lists are read as a player shows
them.
"""

from __future__ import annotations

import bisect
import contextlib
import math
import os
import re
import stat
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import av.logging
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from distinctad_jax.data.seeming import seems
from distinctad_jax.errors import BadEnvironment, BadInput
from distinctad_jax.movie.span import clock

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,mxf"
MAX_PIXELS = 50_000_000
"""Pictures with more are refused before they are decoded, unless `pictures_up_to` allows more, or fewer."""
SLACK = 0.5
"""Seconds that sound often goes on for after the last picture; the stated length may include them."""
MEND = "give a video file such as .mp4, .mkv or .webm, or convert it with ffmpeg"
_FAR = 8.0  # s; a seek decodes half a group of pictures for nothing, so it must jump over several groups
_LATEST = 1e9  # s; later moments would not fit the integers of a time base of nanoseconds
_PAUSE = 1.0  # s; so long a pause between pictures of a broadcast stream means that some are lost
_UNACCOUNTED = 1024  # bytes between two packets; Matroska's own headers take some dozens
_AHEAD = 16  # packets; no picture waits for more than 16 others before it is shown
_SMALL = 640 * 360  # pixels of a picture; decoding smaller ones in threads costs more than it gains
_SAME = 1e-6  # s; times that differ by less are one time written in two time bases
_OVERSIZE = re.compile(r"Picture size (\d+x\d+) exceeds")
_allowed = MAX_PIXELS  # one for the process: films are read by threads, which would not inherit a context's


def largest_picture() -> int:
    """Pixels of the largest picture that may be decoded now."""
    return _allowed


@contextlib.contextmanager
def pictures_up_to(pixels: int) -> Iterator[None]:
    """Within the block pictures of up to `pixels` pixels are decoded, in every thread.

    Errors: ValueError for less than one.
    """
    global _allowed
    if pixels < 1:
        raise ValueError(f"pictures have at least 1 pixel, got {pixels}.")
    before, _allowed = _allowed, pixels
    try:
        yield
    finally:
        _allowed = before


@dataclass
class Damage:
    """What went wrong on the way through a film, for one report at the end.

    `packets` could not be decoded, `pictures` were decoded with errors, `holes` are stretches of the file without
    sense, `backward` counts pictures whose clock runs backward.
    """

    packets: int = 0
    pictures: int = 0
    holes: int = 0
    backward: int = 0
    notes: list[str] = field(default_factory=list)

    def note(self) -> None:
        """Puts the counts into words; once, at the end."""
        told = {
            "packets are damaged and could not be decoded": self.packets,
            "pictures are damaged": self.pictures,
            "stretches of the file are lost": self.holes,
            "pictures whose time runs backward were left out": self.backward,
        }
        self.notes += [f"{count} {what}" for what, count in told.items() if count]

    def tell(self, path: Path, problems: list[str] | None) -> None:
        """Adds what was found to `problems`; BadInput if there is something to tell and nobody to hear it."""
        if self.notes and problems is None:
            raise BadInput("; ".join(self.notes), where=path, mend="replace it with an undamaged copy")
        if problems is not None:
            problems.extend(f"{path}: {note}" for note in self.notes)


class Film:
    """The first video stream of a file that is not a cover picture; made by `opened`.

    Of the picture that `pictures` has last yielded, `whole` says whether it was decoded without fault, from whole
    ones; `gap` whether pictures were lost between it and the one before. `end` is when the last picture is over, in
    seconds, once that is known.
    """

    def __init__(self, path: Path, container: InputContainer, stream: VideoStream):
        self.path, self.container, self.stream = path, container, stream
        self.damage, self.whole, self.gap, self.end = Damage(), True, False, math.inf
        self._broken = False  # what is decoded now rests on damaged pictures, until the next key picture
        self._lost = False  # something was lost since the last picture
        self._zero: int | None = None
        self._wanted: list[int] | None = None
        formats = set(container.format.name.split(","))
        self._accounted = bool(formats & {"matroska", "webm"})
        self._steady = bool(formats & {"mpegts", "mpeg"})
        # Where a packet is a whole picture that will be shown, it may be passed over.
        self._sampled = bool(formats & {"mov", "matroska"}) and stream.codec_context.name in ("h264", "hevc")
        # The index has the places of chunks, which begin with eight bytes of name and size.
        entries = stream.index_entries if "avi" in formats else ()
        self._index: dict[int | None, int] = {entry.pos + 8: entry.timestamp for entry in entries}
        self._late = 0
        self._about = 1 + int(_SAME / self._base)

    @property
    def has_audio(self) -> bool:
        return bool(self.container.streams.audio)

    @property
    def _base(self) -> Fraction:
        base = self.stream.time_base  # a Fraction, or with av 19 a rational of its own
        return Fraction(base.numerator, base.denominator) if base else Fraction(1, 1000)

    def pictures(
        self, next_wanted: Callable[[], float], moments: Sequence[float] | None = None
    ) -> Iterator[tuple[float, VideoFrame]]:
        """Yields `(time, picture)` in order of time, the first at 0 s.

        Leaps to the key picture before `next_wanted()` whenever that moment is far ahead. Of `moments`, in order of
        time, the pictures on screen are yielded; others may be left out, if no other picture is made from them.

        Errors: BadInput if not one picture could be decoded. Damage further on is counted in `self.damage`.
        """
        frames = self._decoded()
        first = next(frames, None)
        if first is None or first.pts is None:
            raise BadInput("not one picture could be decoded", where=self.path, mend=MEND)
        self._zero = zero = first.pts
        now, sought = 0.0, 0.0
        base = self._base
        ticks, seconds = base.denominator, base.numerator  # a Fraction for every picture would cost as much as some
        if moments is not None and self._sampled:
            self._wanted = [zero + int(min(moment, _LATEST) / base) for moment in moments]
        longest = self._longest_pause()
        self._mark(first)
        yield 0.0, first
        while True:
            target = next_wanted()
            if target > now + _FAR and target > sought:
                sought = target
                frames = self._leap(zero, target, now) or frames
            frame = next(frames, None)
            if frame is None or frame.pts is None:
                return
            time = (frame.pts - zero) * seconds / ticks
            if time <= now:  # after a leap: seen already; otherwise a clock that runs backward
                self.damage.backward += sought == 0.0
                continue
            if time - now > longest and now > sought:
                self._lose(holes=1)
            now = time
            self._mark(frame)
            yield now, frame

    def _mark(self, frame: VideoFrame) -> None:
        before, self.whole = self.whole, not self._broken
        self.gap, self._lost = self._lost or not (before and self.whole), False

    def _lose(self, **counts: int) -> None:
        """Something is lost here, and what follows is not whole before the next key picture."""
        self._broken = self._lost = True
        for name, count in counts.items():
            setattr(self.damage, name, getattr(self.damage, name) + count)

    def _longest_pause(self) -> float:
        """Seconds between two pictures beyond which some are lost; there is no such limit where rates may vary."""
        rate = self.stream.average_rate or self.stream.base_rate
        return max(_PAUSE, 5 / float(rate)) if self._steady and rate else float("inf")

    def lasts(self, frame: VideoFrame) -> float:
        """How long a picture is on screen, in seconds, as far as is known: as its packet says, else by the rate."""
        rate = self.stream.average_rate or self.stream.base_rate
        return max(float((frame.duration or 0) * self._base), 1 / float(rate) if rate else 0.1)

    def _decoded(self) -> Iterator[VideoFrame]:
        """The pictures from here on; those before the first key picture may lack what they rest on: no damage."""
        landed = False
        for packet, losses in self._chosen_packets() if self._sampled else self._packets():
            if losses and landed:
                self._lose(**losses)
            try:
                frames = packet.decode()
            except FFmpegError:
                self._lose(packets=1)
                continue
            for frame in frames:
                if not isinstance(frame, VideoFrame) or frame.pts is None:
                    continue
                if frame.is_corrupt and landed:
                    self._lose(pictures=1)
                elif frame.key_frame and not frame.is_corrupt:
                    self._broken, landed = False, True
                yield frame

    def _packets(self) -> Iterator[tuple[Packet, dict[str, int]]]:
        """The packets of the stream in order of decoding, an empty one at the end, and what was lost before each."""
        # Matroska's reader passes over what makes no sense without a word: only the places of packets tell.
        packets = self.container.demux() if self._accounted else self.container.demux(self.stream)
        end, mine, losses = 0, self.stream.index, {}
        while True:
            try:
                packet = next(packets, None)
            except (FFmpegError, OSError):
                self.damage.packets += 1
                return
            if packet is None:
                return
            if self._accounted and packet.pos is not None:
                if end and packet.pos > end + _UNACCOUNTED:
                    losses = {"holes": 1}
                end = max(end, packet.pos + packet.size)
            if packet.stream.index == mine:
                if self._retimed(packet):
                    losses = {"holes": 1}
                yield packet, {"packets": 1} if packet.is_corrupt else losses
                losses = {}

    def _retimed(self, packet: Packet) -> bool:
        """Gives a packet of AVI, whose reader counts packets instead of reading times, the time that the index says
        it has; whether some before it were lost."""
        listed = self._index.get(packet.pos)
        if listed is None or packet.dts is None:
            return False
        late, before = listed - packet.dts, self._late
        self._late = late
        if late:
            packet.pts = None if packet.pts is None else packet.pts + late
            packet.dts = listed
        return late != before

    def _chosen_packets(self) -> Iterator[tuple[Packet, dict[str, int]]]:
        """As `_packets`, with the decoder told to pass over pictures that no moment shows and no other rests on.

        A picture is on screen until the next one, which may come later in the file: so some packets are read ahead.
        Where the next one is not known the picture is decoded.
        """
        ahead: deque[tuple[Packet, dict[str, int]]] = deque()
        known: list[int] = []
        packets = self._packets()
        while True:
            while len(ahead) < _AHEAD and (found := next(packets, None)) is not None:
                ahead.append(found)
                if found[0].pts is not None and not found[0].is_discard:
                    bisect.insort(known, found[0].pts)
            if not ahead:
                return
            self.stream.codec_context.skip_frame = "DEFAULT" if self._shown(ahead[0][0], known) else "NONREF"
            del known[: max(len(known) - 4 * _AHEAD, 0)]
            yield ahead.popleft()

    def _shown(self, packet: Packet, known: list[int]) -> bool:
        """Whether one of the wanted moments may show the picture of a packet."""
        if self._wanted is None or packet.pts is None:
            return True
        place = bisect.bisect_left(self._wanted, packet.pts - self._about)
        if place == len(self._wanted):
            return False
        following = bisect.bisect_right(known, packet.pts)
        return following == len(known) or self._wanted[place] <= known[following] + self._about

    def _leap(self, zero: int, target: float, now: float) -> Iterator[VideoFrame] | None:
        """The pictures from a key picture at or before `target` on; None if the file cannot be sought in."""
        back = 0.0
        while True:
            start = min(max(target - back, 0.0), _LATEST)
            try:
                self.container.seek(zero + int(start / self._base), stream=self.stream, backward=True)
            except (FFmpegError, OSError):
                return None
            self._broken = self._lost = False
            frames = self._decoded()
            first = next(frames, None)
            landed = None if first is None or first.pts is None else float((first.pts - zero) * self._base)
            if start <= now or (landed is not None and landed <= target + _SAME):
                return _chained(first, frames)
            back = back * 2 or 5.0  # transport streams land after the target: ask for an earlier moment

    def declared(self) -> float | None:
        """How long the file says the pictures last, in seconds; None if it says nothing."""
        if self.stream.duration:
            return float(self.stream.duration * self._base)
        if not self.container.duration:
            return None
        # Only Matroska and its like come here: their length counts from 0, wherever the pictures start.
        late = float((self.stream.start_time or 0) * self._base)
        return max(self.container.duration / av.time_base - max(late, 0.0), 0.0) or None

    def duration(self) -> float:
        """Seconds from the first picture to the end of the last: as declared, else by the times of all packets."""
        declared = self.declared()
        if declared is not None:
            return declared
        starts: list[int] = []
        ends: list[int] = []
        with contextlib.suppress(FFmpegError):
            self.container.seek(0)
            for packet in self.container.demux(self.stream):
                if packet.pts is not None:
                    starts = [min([packet.pts, *starts])]
                    ends = [max([packet.pts + (packet.duration or 0), *ends])]
        return float((ends[0] - starts[0]) * self._base) if starts else 0.0

    def held_until(self, time: float, last: VideoFrame) -> float:
        """How long the last picture, at `time`, may be held: for ever, unless the film broke off before its end."""
        lasts = float((last.duration or 0) * self._base)
        end, declared = time + lasts, self.declared()
        if declared is None or declared <= end + max(SLACK, 2 * lasts):
            self.end = max(time + self.lasts(last), declared or 0.0)
            return float("inf")
        self.damage.notes.append(f"decoded to {clock(end)} of {clock(declared)}")
        return end

    def over(self, time: float) -> bool:
        """Whether the film is over at a time, and not by a rounding: known once its last picture is."""
        return time >= self.end + SLACK


def stamp(frame: Any) -> float:
    """When a decoded picture or piece of sound is shown, in seconds of the file's own clock; 0 if it says nothing."""
    base = frame.time_base
    return float(frame.pts * Fraction(base.numerator, base.denominator)) if frame.pts is not None and base else 0.0


def _chained(first: VideoFrame | None, rest: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    if first is not None:
        yield first
    yield from rest


def _file(path: Path) -> BinaryIO:
    if path.is_symlink():
        raise BadInput("is a link", where=path, mend="name the film that it leads to")
    try:
        # Without waiting: opening a named pipe would otherwise hang until somebody writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise BadInput("no such file", where=path, mend="correct the path") from None
    except PermissionError:
        raise BadEnvironment("may not be read", where=path, mend="give read permission") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot be opened ({error})", where=path, mend=MEND) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BadInput("is not a regular file", where=path, mend=MEND)
    return os.fdopen(descriptor, "rb")


@contextlib.contextmanager
def container(path: Path, formats: str = FORMATS) -> Iterator[InputContainer]:
    """A file of one of `formats`, opened with care and closed at the end of the block.

    Errors: BadInput if it is missing, no regular file, empty, or of another format.
    """
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(_file(path))
        head = file.read(64) if os.fstat(file.fileno()).st_size else b""  # of what is in /proc some blocks, or fails
        if not head:
            raise BadInput("the file is empty", where=path, mend=MEND)
        file.seek(0)
        try:
            box = av.open(file, mode="r", options=_limit(), container_options=_whitelist(formats))
        except (FFmpegError, UnicodeError) as error:
            raise BadInput(seems(head), where=path, mend=MEND) from error
        yield stack.enter_context(box)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Film]:
    """The film in `path`, closed at the end of the block.

    Errors: BadInput if it is missing, no regular file, no film, without a video stream, or its pictures are too big.
    """
    with container(path) as box:
        yield Film(path, box, _chosen(box, path))


def _whitelist(formats: str) -> dict[str, str]:
    return {"format_whitelist": formats, "protocol_whitelist": "none"}


def _limit() -> dict[str, str]:
    return {"max_pixels": str(largest_picture())}


def _refused_size(path: Path) -> str:
    """The size of pictures at which the probe stopped, if it did: only FFmpeg's log has it."""
    level = av.logging.get_level()
    with _file(path) as file, av.logging.Capture(local=False) as told:
        av.logging.set_level(av.logging.ERROR)
        try:
            av.open(file, mode="r", options=_limit(), container_options=_whitelist(FORMATS)).close()
        finally:
            av.logging.set_level(level)
    sizes = (_OVERSIZE.match(line) for _, _, line in told)
    return next((size[1] for size in sizes if size), "")


def _chosen(container: InputContainer, path: Path) -> VideoStream:
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        raise BadInput("no video stream", where=path, mend=MEND)
    stream = streams[0]
    if stream.codec_context is None:
        raise BadInput("its pictures are in a format that cannot be decoded", where=path, mend=MEND)
    width, height = stream.codec_context.width, stream.codec_context.height
    size = f"{width}x{height}" if width * height > largest_picture() else "" if width else _refused_size(path)
    if size:
        mend = "scale it down with ffmpeg, or allow more with --max-megapixels"
        raise BadInput(f"pictures of {size}, over {largest_picture()} pixels", where=path, mend=mend)
    stream.codec_context.options = _limit()  # those given at the opening reach the probe only
    stream.thread_type = "AUTO" if width * height > _SMALL else "SLICE"
    return stream
