"""The meter against what the ITU and the EBU say it must show, and against FFmpeg's."""

import numpy as np
import pytest
from av.audio.frame import AudioFrame
from av.filter import Graph

from distinctad_jax.movie.span import Span
from distinctad_jax.voice.loudness import RATE, Meter, TruePeak, gain, measured, weights

STEREO = ("FL", "FR")
FIVE = ("FL", "FR", "FC", "LFE", "BL", "BR")


def sine(level, seconds, hertz=1000.0, phase=0.0):
    time = np.arange(round(seconds * RATE)) / RATE
    return gain(level) * np.sin(2 * np.pi * hertz * time + phase)


def both(*parts):
    wave = np.concatenate(parts)
    return np.stack([wave, wave])


def test_a_sine_of_full_scale_in_one_channel_is_at_minus_3_01():
    """BS.1770, the sentence under its equation 2."""
    assert measured(sine(0, 5, 997.0)[None]).integrated() == pytest.approx(-3.01, abs=0.01)


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        ([(-23, 20)], -23.0),
        ([(-33, 20)], -33.0),
        ([(-36, 10), (-23, 60), (-36, 10)], -23.0),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23.0),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23.0),
    ],
)
def test_the_signals_of_ebu_tech_3341_read_as_they_must(parts, wanted):
    """Cases 1 to 5, within the 0.1 LU that it allows."""
    assert measured(both(*(sine(*part) for part in parts)), STEREO).integrated() == pytest.approx(wanted, abs=0.1)


def test_surrounds_count_more_and_the_low_effects_do_not_count():
    """EBU Tech 3341, case 6."""
    wave = np.stack([sine(level, 20) for level in (-28, -28, -24, -3, -30, -30)])
    assert measured(wave, FIVE).integrated() == pytest.approx(-23.0, abs=0.1)
    assert weights(("BL", "SL")).tolist() == pytest.approx([1.0, 1.41])


@pytest.mark.parametrize(
    ("level", "phase", "hertz", "wanted"),
    [
        (-6.02, 0.0, RATE / 4, -6.0),
        (-6.02, 45.0, RATE / 4, -6.0),
        (-6.02, 60.0, RATE / 6, -6.0),
        (3.0, 45.0, RATE / 4, 3.0),
    ],
)
def test_true_peaks_between_samples_are_found(level, phase, hertz, wanted):
    """EBU Tech 3341, cases 15 to 19: within +0.2 and -0.4 dB."""
    found = measured(sine(level, 1, hertz, np.deg2rad(phase))[None]).true_peak
    assert wanted - 0.4 <= found <= wanted + 0.2


def test_what_comes_in_pieces_measures_the_same():
    wave = np.random.default_rng(0).normal(0, 0.1, (2, RATE * 3)).astype(np.float32)
    meter = Meter(STEREO)
    for piece in np.array_split(wave, [1, 500, 70_001, 70_002], axis=1):
        meter.add(piece)
    whole, pieces = measured(wave, STEREO), meter.levels()
    np.testing.assert_allclose(pieces.energies, whole.energies, rtol=1e-5)
    assert pieces.peak == pytest.approx(whole.peak)


def test_any_stretch_can_be_measured_afterwards():
    levels = measured(np.concatenate([sine(-20, 3), sine(-40, 3)])[None])
    assert levels.integrated([Span(0, 3)]) == pytest.approx(-23.0, abs=0.1)
    assert levels.plain(Span(3.2, 6)) == pytest.approx(-43.0, abs=0.1)
    assert levels.integrated([Span(0.5, 0.7)]) == pytest.approx(-23.0, abs=0.1)  # shorter than a block
    assert levels.integrated([Span(50, 60)]) == float("-inf")


def test_silence_is_silent():
    levels = measured(np.zeros((1, RATE), np.float32))
    assert levels.integrated() == levels.true_peak == float("-inf")
    assert measured(np.zeros((1, 0), np.float32)).integrated() == float("-inf")


def test_noise_reads_as_in_ffmpegs_meter():
    rng = np.random.default_rng(1)
    wave = (rng.normal(0, 0.15, (2, 8 * RATE)) * np.repeat(rng.uniform(0.02, 1, 16), RATE // 2)).astype(np.float32)
    loudness, peak = ffmpegs(wave)
    levels = measured(wave, STEREO)
    assert levels.integrated() == pytest.approx(loudness, abs=0.1)
    assert levels.true_peak == pytest.approx(peak, abs=0.3)


def ffmpegs(wave):
    """Integrated loudness and true peak of stereo sound, by FFmpeg's filter ebur128."""
    graph = Graph()
    source = graph.add_abuffer(sample_rate=RATE, format="fltp", layout="stereo", time_base=None)
    meter, sink = graph.add("ebur128", "metadata=1:peak=true"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(wave), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts = RATE, 0
    source.push(frame)
    source.push(None)
    found = {}
    while True:
        try:
            found = dict(sink.pull().metadata) or found
        except (EOFError, BlockingIOError):
            break
    peaks = [float(value) for name, value in found.items() if "true_peaks_ch" in name]
    return float(found["lavfi.r128.I"]), 20 * np.log10(max(peaks))


def test_a_long_quiet_stretch_leaves_the_highest_peak_alone():
    peaks = TruePeak(1)
    for level in (-3, -30, -60):
        peaks.add(sine(level, 0.2)[None].astype(np.float32))
    assert peaks.highest() == pytest.approx(gain(-3), rel=0.02)
