"""What a file that is no film seems to be, and whether a file is a pickle."""

from __future__ import annotations

import contextlib
from pathlib import Path

from distinctad_jax.errors import BadInput

_SEEMS = {
    (b"#EXTM3U", b"ffconcat", b"<asx", b"[playlist]"): "a list of files",
    (b"<?xml", b"<MPD", b"<Smooth"): "no film, but XML, perhaps a list of files",
    (b"<!doctype", b"<html"): "no film, but a web page",
    (b"version https://git-lfs",): "no film, but a pointer of Git LFS: run git lfs pull",
    (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF\0\0\0\0WEBP", b"II*\0", b"MM\0*"): "no film, but a picture",
    (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ"): "no film, but an archive",
    (b"v=0",): "no film, but the description of a stream",
    (b"%PDF",): "no film, but a PDF",
    (b"\x1aE\xdf\xa3",): "no film: a Matroska or WebM file that is damaged or has no pictures",
}
"""What a file seems to be by its first bytes, in lower or upper case."""


def seems(head: bytes) -> str:
    """What is wrong with a file that starts with these bytes and that the decoder takes for no film."""
    bare = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for leads, what in _SEEMS.items():
        if bare.startswith(tuple(lead.lower() for lead in leads)):
            return what
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide"):
        return "no film: an MP4 file without its index (moov), or cut off before it"
    if not head.strip(b"\0"):
        return "no film, but zeros"
    text = head.decode("utf-8", "ignore")
    return "no film, but text" if "".join(text.split()).isprintable() and len(text) > 8 else "no film, or damaged"


def refuse_pickle(path: Path, wanted: str) -> None:
    """Errors: BadInput for a pickle by its name or first bytes; `wanted` is what it has to be converted to."""
    pickled = bool({".pkl", ".pickle"} & {suffix.lower() for suffix in path.suffixes[-2:]})  # also .pkl.gz
    if not pickled:
        with contextlib.suppress(OSError, ValueError):  # whoever reads it says what is wrong
            if path.is_file():
                with path.open("rb") as file:
                    head = file.read(2)
                # How every pickle since protocol 2 begins, the protocol second; no text has such a second byte.
                pickled = head[:1] == b"\x80" and b"" < head[1:] < b" "
    if pickled:
        raise BadInput(
            "a pickle, which could run programs when it is read",
            where=path,
            mend=f"convert it to {wanted} in a container without network, as docs/data.md tells",
        )
