"""A file appears whole or not at all, and what cannot be read is named."""

import errno
import os
import threading
from pathlib import Path

import pytest

from distinctad_jax.errors import BadEnvironment, BadInput
from distinctad_jax.files import fingerprint, read_bytes, read_json, whole, write_json, write_text, written_name


def test_a_file_takes_its_name_when_all_of_it_is_there(tmp_path):
    path = tmp_path / "deep" / "below" / "track.vtt"
    with whole(path) as partial:
        partial.write_text("WEBVTT")
        assert not path.exists()
        assert partial.parent == path.parent and partial.suffix == path.suffix  # writers go by the suffix
    assert [each.name for each in path.parent.iterdir()] == ["track.vtt"]
    assert path.read_text() == "WEBVTT"


@pytest.mark.parametrize("end", [ValueError, KeyboardInterrupt, MemoryError, BadInput])
def test_whatever_ends_the_block_leaves_the_old_file_and_no_other(tmp_path, end):
    path = tmp_path / "results.json"
    write_text(path, "old")
    with pytest.raises(end), whole(path) as partial:
        partial.write_text("half")
        raise end("stop")
    assert [each.name for each in tmp_path.iterdir()] == ["results.json"]
    assert path.read_text() == "old"


def test_a_folder_that_was_made_for_a_file_goes_with_it(tmp_path):
    with pytest.raises(ValueError), whole(tmp_path / "new" / "a.txt"):
        raise ValueError
    assert not (tmp_path / "new").exists()
    with pytest.raises(ValueError), whole(tmp_path / "new" / "a.txt"):
        (tmp_path / "new" / "other").write_text("of another process")
        raise ValueError
    assert (tmp_path / "new" / "other").exists()


def test_a_link_is_replaced_and_not_written_through(tmp_path):
    (tmp_path / "precious").write_text("old")
    (tmp_path / "link").symlink_to("precious")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "precious").read_text() == "old" and (tmp_path / "link").read_text() == "new"


@pytest.mark.parametrize("below", ["a.txt", "b/a.txt", "c/b/a.txt"])
def test_a_parent_that_is_a_file_is_an_environment_that_can_be_mended(tmp_path, below):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BadEnvironment, match=r"a\.txt: cannot write: .+; free space or choose"):
        write_text(tmp_path / "file" / below, "text")
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_full_disk_is_named_with_the_file_that_did_not_fit(tmp_path):
    with (
        pytest.raises(BadEnvironment, match=r"track\.vtt: cannot write: No space left"),
        whole(tmp_path / "track.vtt"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert not list(tmp_path.iterdir())


def test_a_fault_of_another_file_is_not_blamed_on_the_one_written(tmp_path):
    with pytest.raises(FileNotFoundError, match="film"), whole(tmp_path / "track.vtt") as partial:
        partial.write_text("WEBVTT")
        (tmp_path / "film").read_bytes()
    assert not list(tmp_path.iterdir())


def test_a_reader_never_sees_half_a_file(tmp_path):
    path, seen, done = tmp_path / "numbers.json", set(), threading.Event()
    write_json(path, list(range(2000)))

    def read():
        while not done.is_set():
            seen.add(len(read_json(path)))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(20):
        write_json(path, list(range(2000)))
    done.set()
    reader.join()
    assert seen == {2000}


def test_json_written_and_read_is_equal_and_bytes_are_a_function_of_the_value(tmp_path):
    value = {"b": [1, 2.5, None], "a": "Ä\n七"}
    write_json(tmp_path / "x.json", value)
    write_json(tmp_path / "y.json", {"a": value["a"], "b": value["b"]})
    assert read_json(tmp_path / "x.json") == value
    assert (tmp_path / "x.json").read_bytes() == (tmp_path / "y.json").read_bytes()
    assert b"\r" not in (tmp_path / "x.json").read_bytes()


def test_what_json_cannot_say_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", float("nan"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"a": 1,\n "b"}', r"x\.json:2:5: not valid JSON"),
        (b"", r"x\.json:1:1: not valid JSON"),
        (b'"\xff"', "not UTF-8 at byte 1"),
        (b"9" * 5000, "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
    ],
    ids=["comma", "empty", "latin", "digits", "deep"],
)
def test_json_that_cannot_be_read_is_bad_input(tmp_path, content, told):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=told):
        read_json(path)


def test_json_that_is_not_there_is_bad_input(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "missing.json", tmp_path, tmp_path / "file" / "below.json"):
        with pytest.raises(BadInput, match="no such file; correct the path"):
            read_json(path)


def test_a_fingerprint_is_of_the_content_and_not_of_the_name(tmp_path):
    (tmp_path / "a").write_bytes(b"film")
    (tmp_path / "b").write_bytes(b"film")
    (tmp_path / "c").write_bytes(b"Film")
    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b") != fingerprint(tmp_path / "c")
    with pytest.raises(BadInput, match="no such file"):
        fingerprint(tmp_path)


def test_a_large_file_is_known_by_its_size_and_both_ends(tmp_path):
    path, found = tmp_path / "film.mp4", set()
    for size, place, sign in ((65 << 20, 0, b"x"), (65 << 20, -1, b"x"), (65 << 20, 0, b"y"), (66 << 20, 0, b"x")):
        with path.open("wb") as file:
            file.truncate(size)
            file.seek(place, os.SEEK_END if place else os.SEEK_SET)
            file.write(sign)
        found.add(fingerprint(path))
    assert len(found) == 4


@pytest.mark.parametrize("read", [read_json, read_bytes])
def test_what_may_never_end_is_not_read(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for path in (tmp_path / "pipe", tmp_path / "link", Path("/dev/zero"), Path("/proc/self/mem")):
        with pytest.raises(BadInput, match="cannot be read: is no regular file; give a file"):
            read(path)


def test_json_that_is_none_says_why(tmp_path):
    for text, why in (("[1,]", "x.json:1:4: .*Illegal|Expecting"), ("[" * 100_000, "deep"), ("9" * 5000, "too long")):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(BadInput, match=f"not valid JSON: .*{why}|{why}"):
            read_json(tmp_path / "x.json")


def test_names_may_be_as_long_as_names_can_be_and_hold_no_text(tmp_path):
    write_text(tmp_path / f"{'x' * 251}.vtt", "WEBVTT")
    assert len(list(tmp_path.iterdir())) == 1
    assert written_name(os.fsdecode(b"\xffa\xc3\xa9")) == "?aé"
