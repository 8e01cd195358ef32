"""Odd, damaged and hostile films, each made on the spot: `MADE[name](path)` writes one.

Names are those of the files, with the suffix that they pretend to have. `CONTROL` is what a film shows that differs
in its coding only.
"""

import os
import struct
from fractions import Fraction

import av
import numpy as np

WIDTH, HEIGHT, RATE, PICTURES = 96, 64, 10, 60
COLOURS = np.array([[[200, 40, 40], [40, 180, 60]], [[50, 60, 190], [128, 128, 128]]], np.uint8)
CONTROL = COLOURS.repeat(HEIGHT // 2, axis=0).repeat(WIDTH // 2, axis=1)
"""Four colours, one to a quarter."""


def film(
    path, *, pictures=PICTURES, times=None, size=(WIDTH, HEIGHT), codec="libx264", pix="yuv420p", form=None, **more
):
    """A film whose picture is `CONTROL`; `times` in seconds, ten pictures a second if not given."""
    width, height = size
    picture = CONTROL if size == (WIDTH, HEIGHT) else np.full((height, width, 3), 90, np.uint8)
    times = [number / RATE for number in range(pictures)] if times is None else times
    with av.open(str(path), "w", format=form, options=more.pop("muxer", {})) as box:
        stream = box.add_stream(codec, rate=more.pop("rate", RATE))
        stream.width, stream.height, stream.pix_fmt = width, height, pix
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.options = {"preset": "ultrafast", "bf": "0"} if codec in ("libx264", "libx265") else {}
        stream.options = {**stream.options, **more.pop("options", {})}
        for name, value in more.items():
            setattr(stream.codec_context, name, value)
        for time in times:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if more:  # the range and matrix that the stream says
                frame = frame.reformat(
                    format=pix, dst_colorspace=more["colorspace"], dst_color_range=more["color_range"]
                )
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            box.mux(stream.encode(frame))
        box.mux(stream.encode(None))
    return path


def edited(path, change):
    """The film with its bytes changed by `change(bytearray)`."""
    data = bytearray(path.read_bytes())
    path.write_bytes(bytes(change(data) or data))


def _bytes(data):
    return lambda path: path.write_bytes(data)


def _cut(share):
    def make(path):
        film(path)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    return make


def _without_index(path):
    film(path)
    edited(path, lambda data: data[: data.rindex(b"moov") - 4])


def _no_pictures(path):
    with av.open(str(path), "w") as box:
        stream = box.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        box.start_encoding()


def _sound_only(path):
    with av.open(str(path), "w") as box:
        stream = box.add_stream("aac", rate=8000)
        wave = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        wave.sample_rate = 8000
        box.mux([*stream.encode(wave), *stream.encode(None)])


def _noise_inside(path):
    film(path, pictures=300)

    def spoil(data):
        third = len(data) // 3
        data[third : 2 * third] = np.random.default_rng(0).bytes(third)

    edited(path, spoil)


def _declared(width, height):
    """The sizes in the track header and in the sample entry of an MP4, and none of them true."""

    def make(path):
        film(path)

        def lie(data):
            header = data.index(b"tkhd")
            data[header + 80 : header + 88] = struct.pack(">HHHH", width, 0, height, 0)
            entry = data.index(b"avc1", header)
            data[entry + 28 : entry + 32] = struct.pack(">HH", width, height)

        edited(path, lie)

    return make


def _huge_jpeg(width, height):
    """An AVI of JPEG pictures, each of which says that it is huge."""

    def make(path):
        film(path, codec="mjpeg", pix="yuvj420p", pictures=3)

        def lie(data):
            size, at = struct.pack(">HH", height, width), data.find(b"\xff\xc0")
            while at >= 0:
                data[at + 5 : at + 9] = size
                at = data.find(b"\xff\xc0", at + 9)
            header = data.index(b"strf") + 12
            data[header : header + 8] = struct.pack("<ii", width, height)

        edited(path, lie)

    return make


def _gif(width, height):
    """A picture of a size that is not worth its bytes."""
    head = b"GIF89a" + struct.pack("<HH", width, height) + b"\x00\x00\x00"
    return _bytes(head + b"," + struct.pack("<HHHH", 0, 0, width, height) + b"\x00\x02\x02D\x01\x00;")


def _wrapped_clock(path):
    """A transport stream whose 33 bits of clock run over after two seconds; stamps are shifted in the file."""
    film(path, form="mpegts", muxer={"mpegts_copyts": "1", "muxdelay": "0", "muxpreload": "0"})

    def shift(data):
        for at in range(0, len(data), 188):
            if not data[at + 1] & 0x40:  # no packet of a picture begins here
                continue
            start = data.find(b"\x00\x00\x01\xe0", at, at + 188)
            if start < 0:
                continue
            flags = data[start + 7] >> 6
            for place in [start + 9, start + 14][: {2: 1, 3: 2}.get(flags, 0)]:
                data[place : place + 5] = _stamp(
                    _ticks(data[place : place + 5]) + (1 << 33) - 2 * 90_000 - 126_000, data[place] >> 4
                )

    edited(path, shift)


def _ticks(five):
    return (five[0] >> 1 & 7) << 30 | five[1] << 22 | (five[2] >> 1) << 15 | five[3] << 7 | five[4] >> 1


def _stamp(ticks, lead):
    ticks %= 1 << 33
    return bytes([
        lead << 4 | (ticks >> 30 & 7) << 1 | 1,
        ticks >> 22 & 255,
        (ticks >> 15 & 127) << 1 | 1,
        ticks >> 7 & 255,
        (ticks & 127) << 1 | 1,
    ])  # fmt: skip


def _edit_list(path):
    """An MP4 whose header skips the first two seconds."""
    film(path, options={"g": "5"})

    def skip(data):
        entry = data.index(b"elst") + 12
        duration, _ = struct.unpack(">ii", data[entry : entry + 8])
        scale = struct.unpack(">I", data[data.index(b"mdhd") + 16 : data.index(b"mdhd") + 20])[0]
        data[entry : entry + 8] = struct.pack(">ii", duration * 2 // 3, 2 * scale)

    edited(path, skip)


def _link(target):
    return lambda path: path.symlink_to(target)


def _film_in(path):
    film(path.with_name("secret.ts"), form="mpegts")


def _naming(text):
    """A list that names the film `secret.ts` beside it."""

    def make(path):
        _film_in(path)
        path.write_text(text)

    return make


DASH = """<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"
mediaPresentationDuration="PT6S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period>
<AdaptationSet mimeType="video/mp2t"><Representation id="1" bandwidth="1"><BaseURL>secret.ts</BaseURL>
</Representation></AdaptationSet></Period></MPD>"""
SMOOTH = """<?xml version="1.0"?>
<SmoothStreamingMedia MajorVersion="2"><StreamIndex Url="secret.ts"/></SmoothStreamingMedia>"""
PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n{}\n#EXT-X-ENDLIST\n"

NO_FILM = {
    "empty.mp4": _bytes(b""),
    "one_byte.mp4": _bytes(b"\0"),
    "noise.mp4": _bytes(np.random.default_rng(1).bytes(30_000)),
    "zeros.mkv": _bytes(bytes(100_000)),
    "page.mp4": _bytes(b"<!DOCTYPE html><html><title>404</title></html>" * 20),
    "text.webm": _bytes(b"to be delivered on Monday\n" * 50),
    "subtitles.mkv": _bytes(b"1\n00:00:01,000 --> 00:00:02,000\nHello\n"),
    "zip.mp4": _bytes(b"PK\x03\x04" + bytes(200)),
    "elf.avi": _bytes(b"\x7fELF" + bytes(range(256)) * 8),
    "pointer.mp4": _bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"),
    "header_only.mp4": _cut(0.02),
    "no_index.mp4": _without_index,
    "no_pictures.mkv": _no_pictures,
    "sound_only.mp4": _sound_only,
    "picture.mp4": lambda path: path.write_bytes(_png()),
    "gif_bomb.gif": _gif(16_000, 16_000),
    "gif_bomb.mp4": _gif(60_000, 60_000),
    "huge.avi": _huge_jpeg(16_000, 16_000),
    "8192.avi": _huge_jpeg(8192, 8192),
    "playlist.mp4": _naming(PLAYLIST.format("secret.ts")),
    "playlist.m3u8": _naming(PLAYLIST.format("secret.ts")),
    "playlist_file.ts": _naming(PLAYLIST.format("file:secret.ts")),
    "playlist_http.m3u8": _naming(PLAYLIST.format("http://127.0.0.1:{port}/secret.ts")),
    "concat.mp4": _naming("ffconcat version 1.0\nfile secret.ts\n"),
    "concat.ffconcat": _naming("ffconcat version 1.0\nfile secret.ts\n"),
    "dash.mpd": _naming(DASH),
    "dash.mp4": _naming(DASH),
    "smooth.ism": _naming(SMOOTH),
    "session.sdp": _bytes(b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n"),
    "m3u.mp4": _naming("secret.ts\n"),
    "asx.asf": _naming("<asx version='3.0'><entry><ref href='secret.ts'/></entry></asx>"),
    "folder.mp4": lambda path: path.mkdir(),
    "pipe.mp4": os.mkfifo,
    "device.mp4": _link("/dev/zero"),
    "loop.mp4": _link("loop.mp4"),
    "dangling.mp4": _link("nowhere.mp4"),
    "link.ts": lambda path: (_film_in(path), path.symlink_to("secret.ts")),
    "passwords.mp4": _link("/etc/passwd"),
}  # fmt: skip
"""What no film can be read from: exit code 3, in one line."""

READ = {
    "one_picture.mkv": lambda path: film(path, pictures=1),
    "two_pictures.mp4": lambda path: film(path, pictures=2),
    "one_pixel.mkv": lambda path: film(path, size=(1, 1), codec="ffv1", pix="bgr0"),
    "thin.mkv": lambda path: film(path, size=(2, 2000), codec="ffv1", pix="bgr0", pictures=5),
    "odd_size.mkv": lambda path: film(path, size=(63, 47), codec="ffv1", pix="bgr0"),
    "hundred_hours.mkv": lambda path: film(path, times=[0.0, 180_000.0, 360_000.0]),
    "hundred_hours.mp4": lambda path: film(
        path, times=[0.0, 180_000.0, 360_000.0], muxer={"video_track_timescale": "100"}
    ),
    "fast.mkv": lambda path: film(path, times=[0.0, 0.001, 0.002, 0.003], rate=30_000),
    "cut.mkv": _cut(0.66),
    "cut.ts": _cut(0.5),
    "noise_inside.mkv": _noise_inside,
    "noise_inside.ts": _noise_inside,
    "lie_about_size.mp4": _declared(16_000, 16_000),
}
"""What is read, as far as it goes, or refused in one line: exit code 0 or 3."""

SHOWN = {
    "plain.mp4": (6.0, lambda path: film(path)),
    "late.mkv": (6.0, lambda path: film(path, times=[7 + n / RATE for n in range(PICTURES)])),
    "late.ts": (6.0, lambda path: film(path, times=[100 + n / RATE for n in range(PICTURES)], form="mpegts")),
    "wrapped_clock.ts": (6.0, _wrapped_clock),
    "edit_list.mp4": (4.0, _edit_list),
    "variable.mkv": (6.0, lambda path: film(path, times=[0, 0.04, 1.5, 1.54, 4.2, 5.9])),
}
"""Seconds from the first to the end of the last picture that a player shows."""


def _coded(codec, pix, **more):
    return lambda path: film(path, codec=codec, pix=pix, pictures=10, **more)


CODED = {
    "ten_bit.mp4": _coded("libx264", "yuv420p10le"),
    "ten_bit_hevc.mkv": _coded("libx265", "yuv420p10le", options={"x265-params": "log-level=none"}),
    "grey.mkv": _coded("ffv1", "gray"),
    "full_colour.mp4": _coded("libx264", "yuv444p"),
    "alpha.mov": _coded("prores_ks", "yuva444p10le"),
    "alpha.mkv": _coded("ffv1", "bgra"),
    "prores.mov": _coded("prores_ks", "yuv422p10le"),
    "vp9.webm": _coded("libvpx-vp9", "yuv420p", options={"crf": "4", "b": "0", "cpu-used": "8"}),
    "vp8.webm": _coded("libvpx", "yuv420p", options={"crf": "4", "b": "4M"}),
    "full_range.mp4": _coded("libx264", "yuv420p", color_range=2, colorspace=5),
}
"""`CONTROL` in other codings."""


def _png():
    coder = av.CodecContext.create("png", "w")
    coder.width, coder.height, coder.pix_fmt, coder.time_base = WIDTH, HEIGHT, "rgb24", Fraction(1, 10)
    packets = coder.encode(av.VideoFrame.from_ndarray(CONTROL, format="rgb24"))
    return b"".join(bytes(packet) for packet in [*packets, *coder.encode(None)])


ADDRESSES = (
    "http://127.0.0.1:{port}/film.mp4",
    "https://127.0.0.1:{port}/film.mp4",
    "tcp://127.0.0.1:{port}",
    "udp://127.0.0.1:{port}",
    "rtmp://127.0.0.1:{port}/a",
    "ftp://127.0.0.1:{port}/a.mp4",
    "concat:secret.ts|secret.ts",
    "subfile,,start,0,end,9999999,,:secret.ts",
    "file:secret.ts",
    "cache:secret.ts",
    "crypto:secret.ts",
    "data:video/mp4;base64,AAAA",
    "pipe:0",
    "fd:0",
    "/dev/stdin",
    "/dev/zero",
    "/proc/self/environ",
    "-",
)
"""Names that a program which hands them on would open."""
