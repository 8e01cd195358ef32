"""Films made on the spot, with sound at known moments, and what is in a film that was written."""

from fractions import Fraction

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from distinctad_jax.voice.loudness import RATE
from distinctad_jax.voice.sound import CHANNELS


def noise(seconds, level=-30.0, channels=2, seed=0):
    """White noise of a loudness near `level`."""
    wave = np.random.default_rng(seed).normal(0, 10 ** (level / 20), (channels, round(seconds * RATE)))
    return wave.astype(np.float32)


def write_film(path, wave, *, codec="libx264", sound="pcm", rate=RATE, start=0.0, seconds=None, language="eng"):
    """A film of grey pictures with the sound `wave`, float32[channels samples] at `rate`, None for no sound."""
    sound = {"pcm": "pcm_s16le", "aac": "aac", "opus": "libopus"}[sound]
    seconds = seconds if seconds is not None else wave.shape[1] / rate
    with av.open(str(path), "w") as box:
        pictures = box.add_stream(codec, rate=24)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        if codec == "libx264":
            pictures.options = {"preset": "ultrafast", "bf": "2", "g": "24"}
        if wave is not None:
            heard = box.add_stream(sound, rate=rate)
            heard.codec_context.layout = CHANNELS[len(wave)][0]
            heard.metadata["language"] = language
        late = round(start * 24)
        for number in range(round(seconds * 24)):
            grey = np.full((48, 64, 3), 40 + number % 200, np.uint8)
            frame = VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = number + late, Fraction(1, 24)
            box.mux(pictures.encode(frame))
        box.mux(pictures.encode(None))
        if wave is not None:
            at = late * rate // 24
            for part in np.array_split(wave, range(rate, wave.shape[1], rate), axis=1):
                frame = AudioFrame.from_ndarray(
                    np.ascontiguousarray(part), format="fltp", layout=CHANNELS[len(wave)][0]
                )
                frame.sample_rate, frame.pts, frame.time_base = rate, at, Fraction(1, rate)
                at += part.shape[1]
                box.mux(heard.encode(frame))
            box.mux(heard.encode(None))
    return path


def with_tracks(path, film, tracks):
    """The MP4 `film` as Matroska, its sound once for each `(language, flags)` and 6 dB softer each time."""
    with av.open(str(film)) as given, av.open(str(path), "w") as box:
        shown = given.streams.video[0]
        pictures, wave = box.add_stream_from_template(shown), heard(film, 0)
        sounds = []
        for language, flags in tracks:
            stream = box.add_stream("flac", rate=RATE)
            stream.codec_context.layout = CHANNELS[len(wave)][0]
            stream.metadata["language"], stream.disposition = language, flags
            sounds.append(stream)
        for packet in given.demux(shown):
            if packet.size:
                packet.stream = pictures
                box.mux(packet)
        for number, stream in enumerate(sounds):
            samples = np.round(wave * 0.5**number * 32767).astype(np.int16).T.reshape(1, -1)
            frame = AudioFrame.from_ndarray(samples, format="s16", layout=CHANNELS[len(wave)][0])
            frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
            resampler = av.AudioResampler(stream.codec_context.format, frame_size=4096)
            for piece in (*resampler.resample(frame), *resampler.resample(None)):
                box.mux(stream.encode(piece))
            box.mux(stream.encode(None))
    return path


def packets(path, kind="video", number=0):
    """The bytes of every packet of one stream."""
    with av.open(str(path)) as box:
        stream = [one for one in box.streams if one.type == kind][number]
        return [bytes(packet) for packet in box.demux(stream) if packet.size]


def heard(path, number):
    """The sound of one audio stream as players get it, float32[channels samples] at 48 kHz, from time 0 on."""
    with av.open(str(path)) as box:
        stream = box.streams.audio[number]
        resampler = av.AudioResampler(format="fltp", layout=stream.layout.name, rate=RATE)
        found, first = [], None
        for frame in box.decode(stream):
            first = float(frame.pts * frame.time_base) if first is None else first
            found += [one.to_ndarray() for one in resampler.resample(frame)]
        found += [one.to_ndarray() for one in resampler.resample(None)]
    wave = np.concatenate(found, axis=1)
    late = round((first or 0) * RATE)
    return np.pad(wave, ((0, 0), (late, 0))) if late >= 0 else wave[:, -late:]


def beeps(folder, name="beep.wav", seconds=1.0, hertz=440.0, level=-12.0):
    """A clip that is a tone, as a voice program would leave it."""
    from distinctad_jax.voice.sound import write_sound

    time = np.arange(round(seconds * RATE)) / RATE
    wave = (10 ** (level / 20) * np.sin(2 * np.pi * hertz * time)).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    write_sound(folder / name, [wave[None]])
    return folder / name
