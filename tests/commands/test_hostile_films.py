"""Films of every odd kind: refused in one line, or read as a player shows them; and no other file is opened."""

import resource
import signal
import socket
import subprocess
import sys

import hostile_films
import numpy as np
import pytest
from contract import keep, watched
from hostile_films import CODED, CONTROL, HEIGHT, NO_FILM, READ, SHOWN, WIDTH, film
from places import REPOSITORY
from stubs import StubDrafter

from distinctad_jax.commands import describe
from distinctad_jax.commands.book import main
from distinctad_jax.data.video import read_shown
from distinctad_jax.drafting import describe as drafting
from distinctad_jax.tracks import read_track


@pytest.fixture
def stub(monkeypatch):
    made = StubDrafter()
    monkeypatch.setattr(describe, "_drafter", lambda given, voice: made)
    return made


@pytest.fixture
def listener():
    """A port of this machine that counts who connects: nobody."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(0.01)
        yield server.getsockname()[1]
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("name", NO_FILM)
def test_what_is_no_film_is_refused_in_one_line_and_nothing_else_is_opened(tmp_path, capsys, listener, name):
    path = tmp_path / name
    NO_FILM[name](path)
    if name == "playlist_http.m3u8":
        path.write_text(path.read_text().replace("{port}", str(listener)))
    with watched(tmp_path) as opened:
        kept = keep(capsys, tmp_path, ["describe", path, "-o", tmp_path / "out"], codes=(3,))
    assert str(path) in kept.error and opened <= {name}


@pytest.mark.parametrize("address", hostile_films.ADDRESSES)
def test_addresses_devices_and_protocols_are_names_of_files_and_nothing_else(
    tmp_path, monkeypatch, capsys, listener, address
):
    film(tmp_path / "secret.ts", form="mpegts")
    monkeypatch.chdir(tmp_path)
    with watched(tmp_path) as opened:
        kept = keep(capsys, tmp_path, ["gaps", address.format(port=listener)], codes=(2, 3))
    assert opened == set() and kept.error


def test_what_a_film_seems_to_be_is_told(tmp_path, capsys):
    for name, told in {
        "page.mp4": "web page",
        "text.webm": "text",
        "pointer.mp4": "Git LFS",
        "picture.mp4": "picture",
        "zip.mp4": "archive",
        "no_index.mp4": "without its index",
        "sound_only.mp4": "no video stream",
        "zeros.mkv": "zeros",
        "dash.mpd": "perhaps a list of files",
    }.items():
        NO_FILM[name](tmp_path / name)
        assert told in keep(capsys, tmp_path, ["gaps", tmp_path / name], codes=(3,)).error


@pytest.mark.parametrize("name", READ)
def test_what_can_be_read_is_read_and_damage_is_told(tmp_path, stub, capsys, name):
    READ[name](tmp_path / name)
    kept = keep(capsys, tmp_path, ["describe", tmp_path / name, "-o", tmp_path / "out", "--density", "1"])
    if name.startswith(("cut.mkv", "noise_inside")):
        assert kept.code == 0 and any("decoded" in line for line in kept.warnings)
        keep(capsys, tmp_path, ["gaps", tmp_path / name, "--strict"], codes=(3,))
    if name.startswith("lie"):
        assert (kept.found["width"], kept.found["height"]) == (WIDTH, HEIGHT)


def test_a_film_of_more_clips_than_anybody_tells_is_refused_with_a_mend(tmp_path, stub, monkeypatch, capsys):
    monkeypatch.setattr(drafting, "MOST_CLIPS", 3)
    film(tmp_path / "film.mp4", pictures=300)
    line = ["describe", tmp_path / "film.mp4", "-o", tmp_path / "out"]
    assert "--start" in keep(capsys, tmp_path, line, codes=(3,)).error
    assert keep(capsys, tmp_path, [*line, "--end", "12"], codes=(0,)).found["gaps"] == 1


@pytest.mark.parametrize("name", SHOWN)
def test_times_are_those_that_a_player_shows(tmp_path, stub, capsys, name):
    lasts, make = SHOWN[name]
    make(tmp_path / name)
    found = keep(capsys, tmp_path, ["describe", tmp_path / name, "-o", tmp_path, "--density", "1"], codes=(0,)).found
    assert found["duration"] == pytest.approx(lasts, abs=0.05) and found["first"] == 0
    assert found["last"] == pytest.approx(lasts - 0.1, abs=0.05)
    spans = [one.span for one in read_track(tmp_path / f"{name.split('.')[0]}.json").descriptions]
    assert spans and all(span.end <= lasts for span in spans)


@pytest.mark.parametrize("name", CODED)
def test_colours_do_not_depend_on_the_coding(tmp_path, name):
    CODED[name](tmp_path / name)
    ((_, picture, _),) = read_shown(tmp_path / name, [0.5])
    assert picture.shape == CONTROL.shape
    wanted = CONTROL.astype(int)
    if name == "grey.mkv":
        wanted = np.repeat((wanted @ [0.299, 0.587, 0.114])[..., None], 3, axis=-1)
    for row in (0, HEIGHT // 2):
        for column in (0, WIDTH // 2):
            inside = (slice(row + 8, row + 24), slice(column + 8, column + 40))  # away from the edges of colours
            assert np.abs(picture[inside].astype(int) - wanted[inside]).mean(axis=(0, 1)).max() <= 4


def test_a_film_that_vanishes_or_shrinks_while_it_is_read_is_one_line(tmp_path, monkeypatch, capsys):
    path = film(tmp_path / "film.mkv", pictures=200)

    class Shrinking(StubDrafter):
        def draft(self, asked, store, report, problems):
            path.write_bytes(path.read_bytes()[:3000])
            return super().draft(asked, store, report, problems)

    class Vanishing(StubDrafter):
        def draft(self, asked, store, report, problems):
            path.unlink()
            return super().draft(asked, store, report, problems)

    for stub in (Shrinking(), Vanishing()):
        monkeypatch.setattr(describe, "_drafter", lambda given, voice, stub=stub: stub)
        code = describe_in(tmp_path, path, capsys)
        assert code in (0, 3)


def describe_in(folder, path, capsys):
    """The exit code of a run whose film changes; what it says is one line."""
    code = main(["describe", str(path), "-o", str(folder / "out"), "-q", "-f", "json,html", "--overwrite"])
    told = capsys.readouterr().err
    assert "Traceback" not in told and sum(line.startswith("error: ") for line in told.splitlines()) == (code != 0)
    assert not list(folder.rglob("*.partial*"))
    return code


def test_a_full_disk_leaves_nothing_half_written(tmp_path, stub, capsys):
    path = film(tmp_path / "film.mp4", pictures=400)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400, hard))  # no file may grow beyond: EFBIG, as a disk gives ENOSPC
    try:
        kept = keep(capsys, tmp_path, ["describe", path, "-o", tmp_path / "out", "-f", "vtt"], codes=(4,))
        assert "film.vtt: cannot write" in kept.error
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert keep(capsys, tmp_path, ["describe", path, "-o", tmp_path / "out", "-f", "vtt"], codes=(0,)).found[
        "described"
    ]


def test_huge_pictures_take_little_memory(tmp_path):
    """In processes of their own, whose largest memory is measured; the bar is 900 MB."""
    code = "import resource, sys; from distinctad_jax.commands.book import main; main(sys.argv[1:]); "
    code += "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    for name in ("gif_bomb.gif", "8192.avi"):
        NO_FILM[name](tmp_path / name)
        line = [sys.executable, "-c", code, "gaps", str(tmp_path / name)]
        done = subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=True)
        assert int(done.stdout.splitlines()[-1]) < 900_000, name


def test_the_limit_of_a_picture_is_a_flag(capsys, tmp_path):
    path = film(tmp_path / "film.mp4", pictures=48)
    kept = keep(capsys, tmp_path, ["gaps", path, "--max-megapixels=0.001"], codes=(3,))
    assert "pictures of 96x64, over 1000 pixels; scale it down with ffmpeg, or allow more" in kept.error
    probed = film(tmp_path / "probed.mp4", pictures=48, codec="mpeg4")  # its size is in its pictures
    assert (
        "pictures of 96x64, over 1000"
        in keep(capsys, tmp_path, ["gaps", probed, "--max-megapixels=0.001"], codes=(3,)).error
    )
    assert keep(capsys, tmp_path, ["gaps", path, "--max-megapixels=60"], codes=(0,)).found
    for value in ("0", "-1", "nan", "inf"):
        assert "more than 0" in keep(capsys, tmp_path, ["gaps", path, f"--max-megapixels={value}"], codes=(2,)).error


def test_the_kernels_files_are_no_films_and_no_papers(capsys, tmp_path):
    path = film(tmp_path / "film.mp4", pictures=48)
    for address in ("/proc/self/mem", "/proc/self/status"):
        assert "the file is empty" in keep(capsys, tmp_path, ["gaps", address], codes=(3,)).error
    line = ["describe", path, "--dry-run", "--shots=none", "--cast"]
    for address in ("/proc/self/status", "/dev/zero"):
        assert "is no regular file" in keep(capsys, tmp_path, [*line, address], codes=(3,)).error


SLOW = """
import sys, time
sys.path.insert(0, "tests")
from stubs import StubDrafter
from distinctad_jax.commands import describe
from distinctad_jax.drafting import drafts
drafts._EVERY = 0.0

def say(number, clip, room):
    print("SAID", number, flush=True)
    time.sleep(0.05)
    return StubDrafter.usual(number, clip, room)

describe._drafter = lambda given, voice: StubDrafter(say)
from distinctad_jax.commands.book import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("ends", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_is_stopped_leaves_nothing_half_written_and_goes_on(tmp_path, ends):
    path = film(tmp_path / "film.mp4", pictures=600)
    line = [sys.executable, "-c", SLOW, "describe", str(path), "-o", str(tmp_path / "out"), "--shots", "none"]

    def start():
        return subprocess.Popen(line, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    first = start()
    said = []
    for told in first.stdout:
        said.append(told)
        if len(said) == 5:
            first.send_signal(ends)
            break
    _, told = first.communicate(timeout=60)
    if ends == signal.SIGTERM:
        assert first.returncode == 75 and told.splitlines()[-1].startswith("error: stopped by a signal; ")
    left = {one.name for one in (tmp_path / "out").rglob("*") if ".partial" not in one.name}
    assert left == {".film.drafts", "drafts.json"}  # no track, and not half of one
    second = start()
    out, told = second.communicate(timeout=60)
    assert second.returncode == 0, told
    again = [one for one in out.splitlines() if one.startswith("SAID")]
    assert again[0] in ("SAID 4", "SAID 5", "SAID 6")  # what was said before is not asked again
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["film.json", "film.srt", "film.vtt"]
    whole = tmp_path / "whole"
    line[line.index(str(tmp_path / "out"))] = str(whole)
    assert start().wait() == 0
    for name in ("film.json", "film.vtt", "film.srt"):
        assert (whole / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
