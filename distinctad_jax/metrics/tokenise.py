"""Penn Treebank words of a description, lower-cased and without punctuation, as caption scores count them.

The customary scorers call a Java tokeniser. This one follows its observed behaviour and needs no Java.
"""

from __future__ import annotations

import re

# Abbreviations that keep their full stop wherever they stand.
ABBREVIATIONS = frozenset(
    """
    a.k.a adj adm adv al ala alex apr ariz assn assoc asst atty aug ave bancorp bhd bldg blvd brig bros calif capt
    cf cie cmdr co col colo conn corp cos cpl ct dak dec dept det dr drs elec ens esq est etc ext feb fla fri ft ga
    gen gov hon inc ind insp intl jan jos jr jul jun kan kans ky lieut lt ltd maj mar md messrs mfg mich minn mlle mme
    mo mon mont mr mrs ms msgr mt mtg natl neb nev nov oct okla penn pfc ph plc pres prof profs pte ptes pty ptys pvt
    rd rep reps rev rt sen sens sep sept seq sfc sgt spc sq sr st ste supt sys tel tenn thu thurs tue tues univ va vs
    vt wed wis wm wyo
    """.split()  # noqa: SIM905  (a list of quoted words is unreadable)
)
# The same, but only when written with a capital: these are also common words.
CAPITAL_ABBREVIATIONS = frozenset(["Ark", "Az", "Del", "Ill", "La", "Mass", "Miss", "Ore", "Pa", "Tex", "Wash"])
BEFORE_A_NUMBER = frozenset(["no", "nos", "fig", "figs", "pp"])
# Two words written as one.
SPLIT_WORDS = {
    "cannot": 3, "gonna": 3, "gotta": 3, "wanna": 3, "gimme": 3, "lemme": 3,
}  # fmt: skip
SYMBOLS = {
    "(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-",
    "€": "$", "£": "#", "¢": "cents", "¼": "1/4", "½": "1/2", "¾": "3/4", "⅓": "1/3", "⅔": "2/3",
}  # fmt: skip
SILENT = frozenset("'\"`‘’‛“”‟‹›«».?!,:;-–—―⁃…\x91\x92\x93\x94\x96\x97")
ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">"}  # others, such as &nbsp;, are silent
FILES = (
    "3gp|avi|bat|bmp|bz2|class|cgi|cpp|dll|docx?|exe|flv|gif|gz|html?|jar|java|jpe?g|mov|mp[34g]|pdf|php|pl|png|"
    "ppt|ps|py|sql|tar|txt|wav|wm[va]|xml|zip"
)

# A lone initial keeps its full stop unless one of these begins the next sentence.
_STARTERS = (
    "A|About|According|Additionally|After|An|As|At|But|Earlier|He|Her|Here|However|If|In|It|Last|Many|More|Now|Once|"
    "One|Other|Our|She|Since|So|Some|Such|That|The|Their|Then|There|These|They|This|We|What|When|While|Yet|You|"
    r"Mr\.|Ms\."
)
_NEW_SENTENCE = re.compile(rf" (?:{_STARTERS}) ")
_NUMBER_NEXT = re.compile(r" ?\d")

_LETTER = r"[^\W\d_¼½¾⅓⅔]"
_SIGN = r"(?:[^\W_¼½¾⅓⅔²³¹]|[\u0300-\u036f])"  # a letter or a digit, perhaps with an accent of its own
_APOSTROPHE = r"['’\x92]"
_CLITIC = rf"{_APOSTROPHE}(?:[sdm]|ll|re|ve)(?!{_SIGN})"
_NOT = rf"n{_APOSTROPHE}t(?!{_SIGN})"
_OF = rf"[do]{_APOSTROPHE}{_SIGN}{{2,}}"  # O'Neil, d'Arcy
# `wide-eyed`, `1,000-year-old`; not part of `demi-été`.
_HYPHENED = (
    r"(?>[a-zA-Z0-9][a-zA-Z0-9.,]*(?:-(?:(?:[a-zA-Z]\.){2,}|[a-zA-Z0-9]++))+)"
    rf"(?!-?{_SIGN})"
)

_TOKEN = re.compile(
    rf"""
    (?P<whole>
        https?://[^\s"<>|()]+[^\s"<>|.!?(){{}},-]
      | www\.(?:[^\s"<>|.!?(){{}},]+\.)+[a-zA-Z]{{2,4}}(?:/[^\s"<>|()]+[^\s"<>|.!?(){{}},-])?
      | [a-zA-Z0-9][^\s"<>|()]*@(?:[^\s"<>|().]+\.)*[^\s"<>|().]+
      | </?[a-zA-Z][^<>]*>
      | [a-zA-Z0-9]+(?:\.[a-zA-Z0-9]+)*\.(?:{FILES})(?!{_SIGN})
      | \^_\^
      | [<>]?[:;=][-o*']?[()DPdpO\\{{@|\[\]](?![a-zA-Z])
      | [@#][a-zA-Z_]\w*
    )
  | (?P<entity> &(?:amp|lt|gt|nbsp|quot|apos); )
  | (?P<dots> \.(?:\ ?\.){{2,}} )
  | (?P<contraction> {_CLITIC} | {_NOT} )
  | (?P<lead>
        {_APOSTROPHE}(?:[2-9]0s|\d\d(?=\ |$)|em|till?|cause)
      | {_APOSTROPHE}n{_APOSTROPHE} | {_APOSTROPHE}n(?!{_SIGN})
    )
  | (?P<twas> {_APOSTROPHE}t(?=(?:is|was)(?!{_SIGN})) | y{_APOSTROPHE}(?={_LETTER}) )
  | (?P<number>
        (?:\d{{1,4}}[- ]\d{{1,4}}/\d{{1,4}} | \d{{1,4}}/\d{{1,4}}(?!-?[a-zA-Z]))(?![\d/])
      | \d{{1,2}}[-/]\d{{1,2}}[-/]\d{{2,4}}(?!\d)
      | [a-zA-Z0-9]+(?:-[a-zA-Z]+){{0,2}}(?:/[a-zA-Z0-9]+(?:-[a-zA-Z]+){{0,2}}){{1,2}}(?!{_SIGN})
      | {_OF}(?:-{_SIGN}+)+ | (?:{_SIGN}+-)+{_OF}(?:-{_SIGN}+)*
      | {_HYPHENED}
      | [-+]?\d*(?:[.:,]\d+)++
      | [-+]\d+(?!{_SIGN})
    )
  | (?P<acronym>
        [a-zA-Z](?:\.[a-zA-Z])++(?!{_SIGN})(?:\.(?:-{_SIGN}+)*)? | (?:[a-zA-Z]\.){{2,}} | (?:ph|ed)\.d\.
    )
  | (?P<ampersand> (?-i:[A-Z]+(?:[&+][A-Z]+)+ | [A-Z]+\$) )
  | (?P<apostrophe>
        o{_APOSTROPHE}clock(?!{_SIGN})
      | (?:(?-i:[A-HJ-XZ])|[dolj]){_APOSTROPHE}{_LETTER}{{2,}}
      | {_LETTER}+[aeiouy](?!{_CLITIC}){_APOSTROPHE}(?:[aeiou]|(?-i:[A-Z])){_LETTER}*
      | c{_APOSTROPHE}mon | s{_APOSTROPHE}mores | li{_APOSTROPHE}l | [neo]?e{_APOSTROPHE}er | o{_APOSTROPHE}er
      | ma{_APOSTROPHE}am | nor{_APOSTROPHE}easter | ev{_APOSTROPHE}ry | nat{_APOSTROPHE}l | cont{_APOSTROPHE}d\.
      | (?:[dlj]|ol|somethin|dunkin){_APOSTROPHE}(?!{_LETTER})
    )
  | (?P<word>
        [a-zA-Z0-9]+?(?={_NOT})
      | {_LETTER}{_SIGN}*(?:[.!?]{_LETTER}{_SIGN}*)+
      | {_SIGN}+(?:(?:[-‐‑]|_+){_SIGN}+)*
      | _+
    )
  | (?P<marks> [?!]{{2,}} | -{{5,}} | \*{{2,}} | \#{{2,}} | <<|>> )
  | (?P<symbol> \S )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_BLANKS = re.compile("[\\s\u200b-\u200f\ufeff]+")
_BEYOND = re.compile("[\u00ad\U00010000-\U0010ffff]")  # what the original deletes
# A piece between blanks that is read the same whatever stands around it: no digit, which could begin `2 1/2`, no
# angle bracket, which could open a tag, and no full stop that waits for the next word (see `_keeps_stop`).
_ALONE = re.compile(r"(?!.*(?<![^\W_])(?:[^\W_]|nos?|figs?|pp)\.)[^\d<>½¼¾⅓⅔]+", re.IGNORECASE)
_pieces: dict[str, str] = {}
"""What pieces become, for those that are read the same anywhere. Descriptions use few different words."""
_MOST_PIECES = 1 << 18


def tokenise(text: str, following: str = "") -> list[str]:
    """The words of one description as CIDEr, ROUGE-L and BLEU count them: lower-cased, punctuation dropped.

    Contractions are split (`do n't`, `she 's`), hyphen words stay whole, round brackets stay as `-lrb-`, `-rrb-`.
    A number and its fraction are one token with a no-break space inside (`2 1/2`), as in the original.

    Args:
      following: the caption that comes after this one, for agreement to the letter with the original, which reads
        across line ends: it decides about the full stop of a final initial. By default nothing follows.
    Source: the behaviour of Stanford's PTBTokenizer (CoreNLP 3.4.1, -preserveLines -lowerCase) and of the
      punctuation list of the COCO caption tools.
    """
    joined = tokenised(text, following)
    return joined.split(" ") if joined else []


def tokenised(text: str, following: str = "") -> str:
    """The words of `tokenise` as one string, parted by blanks: what the scorers of caption tools are given."""
    if not text.isascii():
        text = _BEYOND.sub("", _BLANKS.sub(" ", text.replace("\x85", "…")))
    pieces = text.split()
    found = [_pieces.get(piece) for piece in pieces]
    if None in found:
        new = [piece for piece, known in zip(pieces, found, strict=True) if known is None]
        if not all(map(_ALONE.fullmatch, new)):
            return " ".join(_scan(" ".join(pieces), following))
        if len(_pieces) >= _MOST_PIECES:
            _pieces.clear()
            new = pieces
        for piece in new:
            _pieces[piece] = " ".join(_scan(piece))
        found = [_pieces[piece] for piece in pieces]
    return " ".join(filter(None, found))


def _scan(text: str, following: str = "") -> list[str]:
    """The tokens of a text without blanks in rows."""
    length = len(text)
    if following:
        text = f"{text} {' '.join(following.split())} "
    found: list[str] = []
    place = 0
    while match := _TOKEN.search(text, place, length):
        kind, token, place = match.lastgroup, match[0], match.end()
        if kind == "symbol":
            if token not in SILENT:
                found.append(SYMBOLS.get(token, token).lower())
            continue
        if kind == "dots":
            continue
        if kind == "entity":
            found += [ENTITIES[token]] if token in ENTITIES else []
            continue
        if kind == "word":
            found.extend(_word(token, text, place))
        elif kind == "lead":
            found.append(token.lower())
        else:
            found.append(_plain(token, text, place, kind))
        if found[-1][-1] == "." != token[-1]:  # the word took the full stop after it
            place += 1
    return found


def _plain(token: str, text: str, end: int, kind: str | None) -> str:
    """A token that is never split, as it is written out; a number keeps a full stop before , ; or :."""
    if kind == "whole":
        return re.sub(r"[()\[\]{}]", lambda bracket: SYMBOLS[bracket[0]], token).lower()
    if kind == "contraction":
        token = re.sub(_APOSTROPHE, "'", token)
    token = token.replace(" ", "\xa0").lower()
    return token + "." if kind != "acronym" and text[end : end + 1] == "." and _stop_before_mark(text, end) else token


def _word(token: str, text: str, end: int) -> list[str]:
    """One or two tokens: the word, with its full stop where that is part of it."""
    lower = token.lower()
    following = text[end : end + 1]
    if lower in SPLIT_WORDS and not re.match(rf"{_APOSTROPHE}\w", text[end : end + 2]):
        cut = SPLIT_WORDS[lower]
        return [lower[:cut], lower[cut:]]
    return [lower + "." if following == "." and _keeps_stop(token, text, end) else lower]


def _stop_before_mark(text: str, end: int) -> bool:
    return text[end + 1 : end + 2] in (",", ";", ":")


def _keeps_stop(token: str, text: str, end: int) -> bool:
    """Whether the full stop at `end` belongs to the word that ends there."""
    lower = token.lower()
    if _stop_before_mark(text, end) or lower in ABBREVIATIONS:
        return True
    if token.capitalize() in CAPITAL_ABBREVIATIONS:
        return token[0].isupper()
    if lower in BEFORE_A_NUMBER:
        return _NUMBER_NEXT.match(text, end + 1) is not None
    return len(token) == 1 and token.isalpha() and _NEW_SENTENCE.match(text, end + 1) is None
