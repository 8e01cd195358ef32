"""A film whose gaps are known exactly: speech-like sound over a silent clip, with subtitles where it sounds."""

from fractions import Fraction

import av
import numpy as np

RATE = 16_000
_STYLE = (
    "Name Fontname Fontsize PrimaryColour SecondaryColour OutlineColour BackColour Bold Italic Underline StrikeOut"
)
_STYLE += " ScaleX ScaleY Spacing Angle BorderStyle Outline Shadow Alignment MarginL MarginR MarginV Encoding"
ASS_HEADER = (
    "[Script Info]\r\nScriptType: v4.00+\r\n\r\n[V4+ Styles]\r\n"
    f"Format: {_STYLE.replace(' ', ', ')}\r\n"
    "Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1\r\n\r\n"
    "[Events]\r\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\r\n"
).encode()
COLOURS = ((20, 20, 60), (230, 200, 40), (40, 10, 40), (240, 240, 240), (10, 60, 10), (250, 120, 60))


def speech_like(seconds, seed=0):
    """A hum of 140 Hz with overtones up to 3 kHz, in syllables of a fifth of a second."""
    time = np.arange(round(seconds * RATE)) / RATE
    hum = sum(np.sin(2 * np.pi * 140 * over * time + seed) / over for over in range(1, 22))
    return (0.2 * hum * (0.55 + 0.45 * np.sin(2 * np.pi * 5 * time))).astype(np.float32)


def write_film(path, seconds, speech=(), *, shot=3.0, rate=6, size=(64, 48), captions=(), **text_as):
    """A film of `seconds`, a shot of one colour each `shot` s, sound where `speech` (start, end) is, and captions.

    `codec` and `language` of the captions are SubRip and English unless they are given.
    """
    codec, language = text_as.get("codec", "subrip"), text_as.get("language", "eng")
    with av.open(str(path), "w") as box:
        video = box.add_stream("libx264", rate=rate)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.options = {"preset": "ultrafast", "g": "12"}
        sound = box.add_stream("aac", rate=RATE, layout="mono")
        text = None
        if captions:
            text = box.add_stream(codec)
            text.codec_context.subtitle_header = ASS_HEADER
            text.metadata["language"] = language
            text.time_base = Fraction(1, 1000)
        box.start_encoding()
        for start, end, line in captions:
            raw = line.encode()
            raw = len(raw).to_bytes(2, "big") + raw if codec == "mov_text" else raw
            packet = av.Packet(raw)
            packet.stream, packet.time_base = text, Fraction(1, 1000)
            packet.pts = packet.dts = round(start * 1000)
            packet.duration = round((end - start) * 1000)
            box.mux(packet)
        for number in range(round(seconds * rate)):
            colour = COLOURS[int(number / rate / shot) % len(COLOURS)]
            picture = np.full((size[1], size[0], 3), colour, np.uint8)
            picture[number % size[1]] //= 2  # something moves
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            box.mux(video.encode(frame))
        wave = np.zeros(round(seconds * RATE), np.float32)
        for start, end in speech:
            first, last = round(start * RATE), min(round(end * RATE), len(wave))
            wave[first:last] = speech_like((last - first) / RATE, start)
        for first in range(0, len(wave), 1024):
            piece = av.AudioFrame.from_ndarray(wave[None, first : first + 1024], format="fltp", layout="mono")
            piece.sample_rate, piece.pts, piece.time_base = RATE, first, Fraction(1, RATE)
            box.mux(sound.encode(piece))
        box.mux(sound.encode(None))
        box.mux(video.encode(None))
    return path


def write_srt(path, cues):
    """Subtitles of (start, end, text)."""

    def stamp(time):
        whole, thousandths = divmod(round(time * 1000), 1000)
        return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d},{thousandths:03d}"

    blocks = [f"{n}\n{stamp(a)} --> {stamp(b)}\n{text}\n" for n, (a, b, text) in enumerate(cues, start=1)]
    path.write_text("\n".join(blocks), encoding="utf-8")
    return path
