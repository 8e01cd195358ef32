"""Films made on the spot, every picture showing its own number."""

from fractions import Fraction

import av
import numpy as np
from av.stream import Disposition

from distinctad_jax.data.video import read_frames

BARS, WIDTH, HEIGHT = 9, 144, 32
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def numbered(number):
    """A picture whose bars show `number` in binary."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for bar in range(BARS):
        picture[:, bar * 16 : (bar + 1) * 16] = 255 * (number >> bar & 1)
    return picture


def number(picture):
    row = picture[picture.shape[0] // 2].mean(axis=-1)
    return sum(int(row[int((bar + 0.5) * len(row) / BARS)] > 128) << bar for bar in range(BARS))


def write_film(path, pictures, times, *, codec="libx264", group=12, aspect=None, audio=False, cover=False):
    """Encodes pictures with the given times (seconds), B-frames included."""
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as box:
        sound = box.add_stream("aac", rate=8000) if audio else None
        art = box.add_stream("mjpeg", rate=1) if cover else None
        if art is not None:
            art.width, art.height, art.pix_fmt, art.disposition = 16, 16, "yuvj420p", Disposition.attached_pic
        stream = box.add_stream(codec, rate=24)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.options = {"preset": "ultrafast", "bf": "2", "g": str(group)} if codec == "libx264" else {}
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if art is not None:
            for packet in art.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8))):
                box.mux(packet)
        for picture, time in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            box.mux(stream.encode(frame))
        if sound is not None:
            wave = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            wave.sample_rate, wave.pts = 8000, 0
            box.mux([*sound.encode(wave), *sound.encode(None)])
        box.mux(stream.encode(None))
    return path


def numbers(path, spans, frames, **options):
    return {
        position: [number(p) for p in pictures]
        for position, pictures, _ in read_frames(path, spans, frames, **options)
    }
