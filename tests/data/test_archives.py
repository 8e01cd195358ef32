"""Archives, pictures and arrays that lie: nothing outside is read or written, nothing large is allocated."""

import io
import struct
import tarfile
import zlib

import numpy as np
import pytest
from PIL import Image

from distinctad_jax.data.features import opened_store
from distinctad_jax.data.stills import read_numbered, read_picture
from distinctad_jax.errors import BadInput


def jpeg():
    data = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 0, 0)).save(data, "JPEG")
    return data.getvalue()


KINDS = {"link": tarfile.SYMTYPE, "hard link": tarfile.LNKTYPE, "device": tarfile.CHRTYPE, "pipe": tarfile.FIFOTYPE}


@pytest.mark.parametrize("kind", ["climbs", "absolute", "link", "hard link", "device", "pipe"])
def test_a_tar_that_climbs_out_is_refused(tmp_path, kind):
    (tmp_path / "secret.jpg").write_bytes(jpeg())
    inside = tmp_path / "inside"
    inside.mkdir()
    path = inside / "seg.tar"
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo({"climbs": "../00001.jpg", "absolute": "/00001.jpg"}.get(kind, "seg/00001.jpg"))
        member.type, member.linkname = KINDS.get(kind, tarfile.REGTYPE), "../../secret.jpg"
        if member.isreg():
            member.size = len(jpeg())
            tar.addfile(member, io.BytesIO(jpeg()))
        else:
            tar.addfile(member)
    before = sorted(tmp_path.rglob("*"))
    if kind in ("climbs", "absolute"):  # read where it lies, under whatever name, and written nowhere
        assert read_numbered(path, [1], 16).shape == (1, 16, 16, 3)
    else:
        with pytest.raises(BadInput, match=r"no picture 00001\.jpg"):
            read_numbered(path, [1], 16)
    assert sorted(tmp_path.rglob("*")) == before


def png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "data",
    [
        jpeg()[: len(jpeg()) // 2],
        png(60_000, 60_000),
        png(64, 64),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"",
        b"GIF89a" + struct.pack("<HH", 16_000, 16_000) + b"\x80\0\0" + bytes(6) + b",",
    ],
    ids=["cut", "bomb", "lying", "svg", "empty", "gif"],
)
def test_a_picture_that_lies_is_a_bad_clip(data):
    with pytest.raises(BadInput) as told:
        read_picture(data, 16, "face.jpg")
    assert told.value.where == "face.jpg" and "\n" not in str(told.value)


def npy(shape, data=b""):
    header = repr({"descr": "<f4", "fortran_order": False, "shape": shape}).encode()
    header += b" " * (-(10 + len(header) + 1) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


@pytest.mark.parametrize(
    "content",
    [
        npy((10**9, 1024)),
        npy((20, 6), bytes(100)),
        npy((-1, 6)),
        b"\x80\x04N.",
        b"",
    ],
    ids=["four terabytes", "cut", "negative", "pickle", "empty"],
)
def test_an_array_that_lies_is_refused(tmp_path, content):
    np.save(tmp_path / "sound.npy", np.ones((20, 6), np.float32))
    (tmp_path / "film.npy").write_bytes(content)
    with opened_store(tmp_path) as store, pytest.raises(BadInput) as told:
        store.read("film")
    assert "film.npy" in str(told.value) and "\n" not in str(told.value)
