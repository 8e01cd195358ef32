"""Languages, however a file or a person writes them: `de`, `de-AT`, `deu` and `ger` are one."""

from __future__ import annotations

import re
from collections.abc import Mapping

_TABLE = """
    aa:aar ab:abk ae:ave af:afr ak:aka am:amh an:arg ar:ara as:asm av:ava ay:aym az:aze ba:bak be:bel bg:bul
    bh:bih bi:bis bm:bam bn:ben bo:bod/tib br:bre bs:bos ca:cat ce:che ch:cha co:cos cr:cre cs:ces/cze cu:chu
    cv:chv cy:cym/wel da:dan de:deu/ger dv:div dz:dzo ee:ewe el:ell/gre en:eng eo:epo es:spa et:est eu:eus/baq
    fa:fas/per ff:ful fi:fin fj:fij fo:fao fr:fra/fre fy:fry ga:gle gd:gla gl:glg gn:grn gu:guj gv:glv ha:hau
    he:heb hi:hin ho:hmo hr:hrv ht:hat hu:hun hy:hye/arm hz:her ia:ina id:ind ie:ile ig:ibo ii:iii ik:ipk io:ido
    is:isl/ice it:ita iu:iku ja:jpn jv:jav ka:kat/geo kg:kon ki:kik kj:kua kk:kaz kl:kal km:khm kn:kan ko:kor
    kr:kau ks:kas ku:kur kv:kom kw:cor ky:kir la:lat lb:ltz lg:lug li:lim ln:lin lo:lao lt:lit lu:lub lv:lav
    mg:mlg mh:mah mi:mri/mao mk:mkd/mac ml:mal mn:mon mr:mar ms:msa/may mt:mlt my:mya/bur na:nau nb:nob nd:nde
    ne:nep ng:ndo nl:nld/dut nn:nno no:nor nr:nbl nv:nav ny:nya oc:oci oj:oji om:orm or:ori os:oss pa:pan pi:pli
    pl:pol ps:pus pt:por qu:que rm:roh rn:run ro:ron/rum ru:rus rw:kin sa:san sc:srd sd:snd se:sme sg:sag si:sin
    sk:slk/slo sl:slv sm:smo sn:sna so:som sq:sqi/alb sr:srp ss:ssw st:sot su:sun sv:swe sw:swa ta:tam te:tel
    tg:tgk th:tha ti:tir tk:tuk tl:tgl tn:tsn to:ton tr:tur ts:tso tt:tat tw:twi ty:tah ug:uig uk:ukr ur:urd
    uz:uzb ve:ven vi:vie vo:vol wa:wln wo:wol xh:xho yi:yid yo:yor za:zha zh:zho/chi zu:zul
"""
"""ISO 639-1, the code of ISO 639-2/T, and that of 639-2/B where it is another.

No code tells another by its first letters: `est` is not `es`, and `swe` not `sw`.

Source: ISO 639-2 Registration Authority, Library of Congress, www.loc.gov/standards/iso639-2 (by Debian's iso-codes).
"""
_WITHIN = {"nob": "nor", "nno": "nor", "cmn": "zho"}
"""Written languages of a macrolanguage that people ask for by its name. Source: ISO 639-3, macrolanguage mappings."""
_TAG = re.compile(
    r"""(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4,8})(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?
        (?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*(?:-[0-9a-wyz](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?
        |x(?:-[a-z0-9]{1,8})+
        |en-gb-oed|sgn-(?:be-fr|be-nl|ch-de)
        |i-(?:ami|bnn|default|enochian|hak|klingon|lux|mingo|navajo|pwn|tao|tay|tsu)""",
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
"""A well-formed language tag. Source: BCP 47 (RFC 5646), section 2.1, the irregular tags included."""
_NONE = ("und", "mis", "mul", "zxx")
"""Codes of no one language."""


def _codes() -> dict[str, str]:
    found: dict[str, str] = {}
    for row in _TABLE.split():
        short, _, long = row.partition(":")
        found |= dict.fromkeys((short, *long.split("/")), long[:3])
    return found


_CODES = _codes()
_SHORTEST = {long: short for short, long in reversed(_CODES.items()) if len(short) == 2}


def well_formed(tag: str) -> bool:
    """Whether a tag is one of BCP 47, as far as can be told without the registry of its parts."""
    return _TAG.fullmatch(tag) is not None


def listed(tag: str) -> bool:
    """Whether a tag begins with a code of ISO 639-1, or with the same language's of ISO 639-2."""
    return _primary(tag) in _CODES


def code(tag: str) -> str:
    """The code of ISO 639-2/T for a language by a tag of BCP 47 or of a container; empty for none or an odd one."""
    first = _primary(tag)
    known = _CODES.get(first, first)
    return known if len(known) == 3 and known.isascii() and known.isalpha() and known not in _NONE else ""


def tagged(name: str) -> str:
    """The tag of BCP 47 for a language that `listed` knows, however it is written: `pt-BR` of `por_BR`."""
    first, _, rest = name.strip().replace("_", "-").partition("-")
    short = _SHORTEST[_CODES[first.lower()]]
    return f"{short}-{rest}" if rest else short


def alike(one: str, other: str) -> bool:
    """Whether two tags are of one language, whatever their regions; False where one tells none."""
    first, second = code(one), code(other)
    return bool(first and second) and (
        first == second or _WITHIN.get(first) == second or _WITHIN.get(second) == first
    )


def chosen(wanted: str, languages: Mapping[int, str]) -> int | None:
    """The number of the track that is asked for by its number or its language, as written or else alike.

    None if there is none; of several in a language the first.
    """
    named = [number for number, tag in languages.items() if wanted and wanted.lower() in (str(number), tag.lower())]
    spoken = [number for number, tag in languages.items() if alike(wanted, tag)]
    return next(iter((*named, *spoken)), None)


def _primary(tag: str) -> str:
    return tag.strip().lower().replace("_", "-").partition("-")[0]
