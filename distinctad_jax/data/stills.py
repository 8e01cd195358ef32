"""Numbered pictures in a folder or a tar (TVQA's frames, three a second) -> upright uint8 pictures.

A tar is read where it lies and never unpacked; only regular members whose name is a number are looked at.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from distinctad_jax.data.film import largest_picture
from distinctad_jax.errors import BadInput
from distinctad_jax.files import read_bytes, real

RATE = 3.0  # pictures a second of TVQA's frames
_NAME = re.compile(r"0*([0-9]{1,9})\.jpe?g", re.IGNORECASE)
_LARGEST = 64 << 20  # bytes of one picture
_MEND = "get the frames again, or leave the clip out"


def read_numbered(path: Path, numbers: Sequence[int], size: int) -> UInt8[np.ndarray, "frames size size 3"]:
    """The pictures `numbers` (from 1) of a folder or tar, with the geometry of CLIP's preprocessing.

    Errors: BadInput, naming the picture, if one is missing, damaged, no picture, or has too many pixels.
    """
    wanted = sorted(set(numbers))
    files = _from_tar(path, wanted) if path.is_file() else _from_folder(path, wanted)
    pictures = {}
    for number in wanted:
        if number not in files:
            raise BadInput(f"no picture {number:05d}.jpg", where=path, mend=_MEND)
        pictures[number] = read_picture(files[number], size, f"{path}:{number:05d}.jpg")
    return np.stack([pictures[number] for number in numbers])


def read_picture(data: bytes, size: int, where: str) -> UInt8[np.ndarray, "size size 3"]:
    """A picture file as RGB: its short side scaled to `size` by an antialiased bicubic filter, then the middle.

    Errors: BadInput at `where` if it is no picture, damaged, or has too many pixels.
    """
    try:
        with Image.open(io.BytesIO(data)) as picture:
            width, height = picture.size
            if width * height > largest_picture():
                raise BadInput(f"a picture of {width}x{height}", where=where, mend="scale it down")
            scale = size / min(width, height)
            scaled = max(int(width * scale + 1e-6), size), max(int(height * scale + 1e-6), size)
            if max(scaled) > 20 * size:
                raise BadInput(f"a picture of {width}x{height} is too thin", where=where, mend="crop it")
            whole = picture.convert("RGB").resize(scaled, Image.Resampling.BICUBIC)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadInput(f"no picture, or a damaged one ({error})", where=where, mend=_MEND) from None
    left, top = round((scaled[0] - size) / 2), round((scaled[1] - size) / 2)
    return np.asarray(whole.crop((left, top, left + size, top + size)))


def _from_folder(folder: Path, numbers: Sequence[int]) -> dict[int, bytes]:
    found = {}
    for number in numbers:
        path = folder / f"{number:05d}.jpg"
        if path.is_file() and path.stat().st_size <= _LARGEST and real(path).parent == real(folder):
            found[number] = read_bytes(path)
    return found


def _from_tar(path: Path, numbers: Sequence[int]) -> dict[int, bytes]:
    wanted, found = set(numbers), {}
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                named = _NAME.fullmatch(member.name.rsplit("/", 1)[-1])
                number = int(named[1]) if named else -1
                if number in wanted and number not in found and member.isreg() and member.size <= _LARGEST:
                    file = tar.extractfile(member)
                    found[number] = file.read() if file else b""
                    if len(found) == len(wanted):
                        break
    except (tarfile.TarError, OSError, ValueError) as error:
        raise BadInput(f"no tar, or a damaged one ({error})", where=path, mend=_MEND) from None
    return found
