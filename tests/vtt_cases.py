"""WebVTT files at the edges of the standard: name -> (file, cues), a cue being (start, end, text as it stands[, id]).

Each case is a rule of the W3C's parser (sections 6.1 to 6.4), written anew. `odd_file` makes files of random lines.
"""

import random

HEAD = "WEBVTT\n\n"
ONE = "00:00:01.000 --> 00:00:02.000"
TWO = "00:00:03.000 --> 00:00:04.000"
_ONE, _TWO = (1.0, 2.0), (3.0, 4.0)

_NO_BREAKS = "a\u2028b\u2029c\x0bd\x0ce\x85f"
_RIGHT = "\u202e\u05e9\u05dc\u05d5\u05dd\u202c"


def _both(first="one", second="two"):
    return [(*_ONE, first), (*_TWO, second)]


BOTH = f"{HEAD}{ONE}\none\n\n{TWO}\ntwo\n"

ACCEPTED = {
    "plain": (BOTH, _both()),
    # signature
    "signature-bom": ("\ufeff" + BOTH, _both()),
    "signature-space": (BOTH.replace("WEBVTT", "WEBVTT "), _both()),
    "signature-tab": (BOTH.replace("WEBVTT", "WEBVTT\t"), _both()),
    "signature-text": (BOTH.replace("WEBVTT", "WEBVTT a title, with anything"), _both()),
    "signature-only": ("WEBVTT", []),
    "signature-one-break": ("WEBVTT\n", []),
    "signature-two-breaks": ("WEBVTT\n\n", []),
    "signature-with-times": (f"WEBVTT {ONE}\none\n\n{TWO}\ntwo\n", [(*_TWO, "two")]),
    # header
    "header-garbage": (f"WEBVTT\ngarbage\nmore: garbage\n\n{ONE}\none\n", [(*_ONE, "one")]),
    "header-times": (f"WEBVTT\n{ONE}\none\n\n{TWO}\ntwo\n", _both()),
    "header-identifier-and-times": (f"WEBVTT\nid\n{ONE}\none\n", [(*_ONE, "one", "")]),
    "header-arrow": (f"WEBVTT\na --> b\none\n\n{TWO}\ntwo\n", [(*_TWO, "two")]),
    "header-blank-is-no-line": (f"WEBVTT\n \n{ONE}\none\n", [(*_ONE, "one")]),
    "no-blank-after-header": (f"WEBVTT\n{ONE}\none", [(*_ONE, "one")]),
    "many-blanks-after-header": (f"WEBVTT\n\n\n\n{ONE}\none", [(*_ONE, "one")]),
    # line ends
    "newlines-crlf": (BOTH.replace("\n", "\r\n"), _both()),
    "newlines-cr": (BOTH.replace("\n", "\r"), _both()),
    "newlines-mixed": (f"WEBVTT\r\r\n{ONE}\none\r\ntwo\rthree\n\r{TWO}\r\ntwo", _both("one\ntwo\nthree")),
    "newlines-others-are-text": (f"{HEAD}{ONE}\n{_NO_BREAKS}\n", [(*_ONE, _NO_BREAKS)]),
    "no-last-newline": (f"{HEAD}{ONE}\none", [(*_ONE, "one")]),
    # NUL
    "nulls-in-text": (f"{HEAD}{ONE}\no\0ne\n", [(*_ONE, "o\ufffdne")]),
    "nulls-in-id": (f"{HEAD}i\0d\n{ONE}\none\n", [(*_ONE, "one", "i\ufffdd")]),
    "nulls-in-times": (f"{HEAD}{ONE.replace('.000 ', '.000' + chr(0) + ' ')}\none\n\n{TWO}\ntwo\n", [(*_TWO, "two")]),
    "nulls-in-header": (f"WEBVTT \0\n\n{ONE}\none\n", [(*_ONE, "one")]),
    # identifiers
    "ids-plain": (f"{HEAD}a\n{ONE}\none\n\nb c\n{TWO}\ntwo\n", [(*_ONE, "one", "a"), (*_TWO, "two", "b c")]),
    "ids-same": (f"{HEAD}a\n{ONE}\none\n\na\n{TWO}\ntwo\n", [(*_ONE, "one", "a"), (*_TWO, "two", "a")]),
    "ids-blanks": (f"{HEAD} \t\n{ONE}\none\n", [(*_ONE, "one", " \t")]),
    "ids-two-lines": (f"{HEAD}a\nb\n{ONE}\none\n", [(*_ONE, "one", "")]),
    "ids-that-look-like-times": (f"{HEAD}00:00:01.000 -- > 00:00:02.000\n{TWO}\ntwo\n", [(*_TWO, "two")]),
    "ids-note": (f"{HEAD}NOTE\n{ONE}\none\n", [(*_ONE, "one", "NOTE")]),
    "ids-style": (f"{HEAD}STYLE\n{ONE}\none\n", [(*_ONE, "one", "STYLE")]),
    "ids-region": (f"{HEAD}REGION\n{ONE}\none\n", [(*_ONE, "one", "REGION")]),
    "ids-webvtt": (f"{HEAD}WEBVTT\n{ONE}\none\n", [(*_ONE, "one", "WEBVTT")]),
    # arrows
    "arrow-alone": (f"{HEAD}-->\n{ONE}\none\n", [(*_ONE, "one", "")]),
    "arrow-as-id": (f"{HEAD}a-->\n{ONE}\none\n", [(*_ONE, "one", "")]),
    "arrow-behind-text": (f"{HEAD}{ONE}\none\na --> b\ntwo\n\n{TWO}\ntwo\n", [(*_ONE, "one"), (*_TWO, "two")]),
    "arrow-ends-a-cue": (f"{HEAD}{ONE}\none\n{TWO}\ntwo\n", _both()),
    "arrow-ends-a-cue-with-id": (f"{HEAD}{ONE}\none\nid\n{TWO}\ntwo\n", _both("one\nid")),
    "arrow-in-note": (f"{HEAD}NOTE a --> b\nmore\n\n{ONE}\none\n", [(*_ONE, "one")]),
    "arrow-in-note-with-times": (f"{HEAD}NOTE\nx\n{ONE}\none\n", [(*_ONE, "one")]),
    "arrow-twice": (f"{HEAD}{ONE} --> 00:00:09.000\none\n", [(*_ONE, "one")]),
    "arrow-short": (f"{HEAD}{ONE.replace('-->', '->')}\none\n\n{TWO}\ntwo\n", [(*_TWO, "two")]),
    "arrow-long": (f"{HEAD}{ONE.replace('-->', '--->')}\none\n\n{TWO}\ntwo\n", [(*_TWO, "two")]),
    "arrow-of-entities": (f"{HEAD}{ONE}\na --&gt; b\n", [(*_ONE, "a --&gt; b")]),
    # times
    "times-without-hours": (f"{HEAD}00:01.000 --> 00:02.000\none\n", [(*_ONE, "one")]),
    "times-half-without-hours": (f"{HEAD}00:01.000 --> 00:00:02.000\none\n", [(*_ONE, "one")]),
    "times-one-digit-of-hours": (f"{HEAD}0:00:01.000 --> 0:00:02.000\none\n", [(*_ONE, "one")]),
    "times-three-digits-of-hours": (f"{HEAD}100:00:01.000 --> 100:00:02.000\none\n", [(360001.0, 360002.0, "one")]),
    "times-no-blanks": (f"{HEAD}00:00:01.000-->00:00:02.000\none\n", [(*_ONE, "one")]),
    "times-many-blanks": (f"{HEAD}00:00:01.000 \t  --> \t 00:00:02.000\none\n", [(*_ONE, "one")]),
    "times-form-feed": (f"{HEAD}00:00:01.000\f-->\f00:00:02.000\none\n", [(*_ONE, "one")]),
    "times-other-blanks": (f"{HEAD}00:00:01.000\xa0--> 00:00:02.000\none\n", []),
    "times-blank-in-front": (f"{HEAD} \t{ONE}\none\n", [(*_ONE, "one")]),
    "times-settings-glued": (f"{HEAD}{ONE}line:0\none\n", [(*_ONE, "one")]),
    "times-garbage-behind": (f"{HEAD}{ONE} garbage\none\n", [(*_ONE, "one")]),
    "times-garbage-in-front": (f"{HEAD}x {ONE}\none\n", []),
    "times-seconds-60": (f"{HEAD}00:00:60.000 --> 00:01:02.000\none\n", []),
    "times-minutes-60": (f"{HEAD}00:60:00.000 --> 01:00:02.000\none\n", []),
    "times-end-seconds-60": (f"{HEAD}00:00:01.000 --> 00:00:60.000\none\n", []),
    "times-short-minutes-60": (f"{HEAD}60:00.000 --> 61:00.000\none\n", []),
    "times-comma": (f"{HEAD}{ONE.replace('.', ',')}\none\n", []),
    "times-no-fraction": (f"{HEAD}00:00:01 --> 00:00:02\none\n", []),
    "times-two-decimals": (f"{HEAD}00:00:01.00 --> 00:00:02.00\none\n", []),
    "times-four-decimals": (f"{HEAD}00:00:01.0000 --> 00:00:02.0000\none\n", []),
    "times-four-decimals-end": (f"{HEAD}00:00:01.000 --> 00:00:02.0000\none\n", []),
    "times-one-digit-seconds": (f"{HEAD}00:00:1.000 --> 00:00:2.000\none\n", []),
    "times-one-digit-minutes": (f"{HEAD}00:0:01.000 --> 00:0:02.000\none\n", []),
    "times-short-one-digit": (f"{HEAD}0:01.000 --> 0:02.000\none\n", []),
    "times-negative": (f"{HEAD}-00:00:01.000 --> 00:00:02.000\none\n", []),
    "times-of-other-digits": (f"{HEAD}\u0660\u0660:00:01.000 --> 00:00:02.000\none\n", []),
    "times-no-end": (f"{HEAD}00:00:01.000 -->\none\n\n{TWO}\ntwo\n", [(*_TWO, "two")]),
    "times-no-start": (f"{HEAD}--> 00:00:02.000\none\n\n{TWO}\ntwo\n", [(*_TWO, "two")]),
    "times-end-of-file": (f"{HEAD}{ONE}", [(*_ONE, "")]),
    "times-reversed": (f"{HEAD}00:00:02.000 --> 00:00:01.000\none\n", [(2.0, 1.0, "one")]),
    "times-equal": (f"{HEAD}00:00:01.000 --> 00:00:01.000\none\n", [(1.0, 1.0, "one")]),
    "times-unsorted": (f"{HEAD}{TWO}\ntwo\n\n{ONE}\none\n", [(*_TWO, "two"), (*_ONE, "one")]),
    "times-no-colon": (f"{HEAD}000001.000 --> 000002.000\none\n", []),
    "times-colon-for-dot": (f"{HEAD}00:00:01:000 --> 00:00:02:000\none\n", []),
    # text
    "text-none": (f"{HEAD}{ONE}\n\n{TWO}\ntwo\n", [(*_ONE, ""), (*_TWO, "two")]),
    "text-two-lines": (f"{HEAD}{ONE}\none\nmore\n\n{TWO}\ntwo\n", _both("one\nmore")),
    "text-blank-line-of-spaces": (f"{HEAD}{ONE}\none\n \nmore\n", [(*_ONE, "one\n \nmore")]),
    "text-without-times": (f"{HEAD}lost\nlost too\n\n{ONE}\none\n", [(*_ONE, "one")]),
    "text-behind-bad-times": (f"{HEAD}00:00:01 --> 2\nlost\nlost\n\n{ONE}\none\n", [(*_ONE, "one")]),
    "text-right-to-left": (f"{HEAD}{ONE}\n{_RIGHT}\n", [(*_ONE, _RIGHT)]),
    # settings: whatever they are, the cue is there
    "settings-all": (f"{HEAD}{ONE} align:start line:5% position:1% size:2% vertical:rl\none\n", [(*_ONE, "one")]),
    "settings-bad": (f"{HEAD}{ONE} align: :start line:x% size:101% vertical:zz a:b\none\n", [(*_ONE, "one")]),
    "settings-twice": (f"{HEAD}{ONE} line:1 line:2\tline:3\none\n", [(*_ONE, "one")]),
    "settings-region": (f"{HEAD}REGION\nid:a\nwidth:50%\n\n{ONE} region:a region:b\none\n", [(*_ONE, "one")]),
    # blocks
    "note": (f"{HEAD}NOTE a\nmore\n\n{ONE}\none\n\nNOTE\n\n{TWO}\ntwo\n\nNOTE\tend", _both()),
    "note-glued": (f"{HEAD}NOTEa\n\n{ONE}\none\n", [(*_ONE, "one")]),
    "style": (f"{HEAD}STYLE\n::cue {{ color: red }}\n\n{ONE}\none\n", [(*_ONE, "one")]),
    "style-with-blanks": (f"{HEAD}STYLE \t\n::cue {{ color: red }}\n\n{ONE}\none\n", [(*_ONE, "one")]),
    "style-behind-cue": (f"{HEAD}{ONE}\none\n\nSTYLE\n::cue {{}}\n\n{TWO}\ntwo\n", _both()),
    "style-broken-by-times": (f"{HEAD}STYLE\n::cue {{}}\n{ONE}\none\n", [(*_ONE, "one")]),
    "region": (f"{HEAD}REGION\nid:a\nlines:3\nscroll:up\n\n{ONE} region:a\none\n", [(*_ONE, "one")]),
    "region-behind-cue": (f"{HEAD}{ONE}\none\n\nREGION\nid:a\n\n{TWO}\ntwo\n", _both()),
    "region-bad": (f"{HEAD}REGION\nid:-->\n\nREGION\nwidth:1000%\n\n{ONE}\none\n", [(*_ONE, "one")]),
    "bytes-that-are-no-text": (f"{HEAD}{ONE}\n".encode() + b"o\xffne\xc3\n", [(*_ONE, "o\ufffdne\ufffd")]),
    "half-of-a-pair": (f"{HEAD}{ONE}\n".encode() + b"\xed\xa0\x80\n", [(*_ONE, "\ufffd\ufffd\ufffd")]),
    "mark-inside": (f"{HEAD}{ONE}\n\ufeffone\n", [(*_ONE, "\ufeffone")]),
}  # fmt: skip

REFUSED = {
    "empty": "",
    "signature-invalid": BOTH.replace("WEBVTT", "WEBVTX"),
    "signature-small": BOTH.replace("WEBVTT", "webvtt"),
    "signature-glued": BOTH.replace("WEBVTT", "WEBVTT-"),
    "signature-blank-in-front": " " + BOTH,
    "signature-line-in-front": "\n" + BOTH,
    "signature-two-boms": "\ufeff\ufeff" + BOTH,
    "signature-websrt": BOTH.replace("WEBVTT", "WEBSRT"),
    "signature-none": BOTH[8:],
    "signature-nul": BOTH.replace("WEBVTT", "WEBVTT\0"),
    "signature-form-feed": BOTH.replace("WEBVTT", "WEBVTT\f"),
    "signature-cut": "WEBVT",
}

CUE_TEXT = {
    "a <b>b</b> <i>c</i> <u>d</u>": "a b c d",
    "<c.red.bg_blue>a</c>": "a",
    "<v Bob>a</v> b": "a b",
    "<v.loud Bob Smith>a": "a",
    "<lang en-GB>a</lang>": "a",
    "<ruby>a<rt>b</rt></ruby>": "ab",
    "<00:00:01.000>a<00:01.000>b": "ab",
    "<b": "",
    "a <": "a ",
    "a < b > c": "a  c",
    "a > b": "a > b",
    "<>a</>": "a",
    "<b>a<": "a",
    "</b>a": "a",
    "<nobody>a</nobody>": "a",
    "<b><i>a</b></i>": "a",
    "a<b\nc>d": "ad",
    "&amp;&lt;&gt;&nbsp;&lrm;&rlm;": "&<>\xa0\u200e\u200f",
    "&amp": "&",
    "&amp;lt;": "&lt;",
    "&copy;&notin;&notit;": "\xa9\u2209\xacit;",
    "&nobody;": "&nobody;",
    "& &": "& &",
    "&#38;lt;": "&lt;",
    "&#x41;&#66;&#67": "ABC",
    "&#0;&#xD800;&#x110000;": "\ufffd\ufffd\ufffd",
    "&#x80;&#150;": "\u20ac\u2013",
    "&#;&#x;": "&#;&#x;",
    "<v &lt;x>a": "a",
}

_LINES = [
    *("", "", "", "1", "x", " ", "-->", "a --> b", "id:a", "region:a", "::cue{}", "WEBVTT"),
    *("NOTE", "NOTE a", "STYLE", "STYLE ", "REGION"),
    *(ONE, TWO, " " + ONE, ONE + " size:5%", "00:01.000 --> 00:02.000", "00:00:01.000 -->", "--> 00:00:02.000"),
    *(
        "00:00:05.000 --> 00:00:04.000 line:0 align:start",
        "00:60:00.000 --> 00:61:00.000",
        "0:00:01.000 --> 1:00:02.000",
    ),
    *("00:00:01.000-->00:00:02.000x", "00:00:01.000 --> 00:00:02.0000", "100:00:00.000 --> 100:00:01.000"),
    *("<v Bob>text <b>bold</b></v>", "&amp; &lt; &nobody; &#65;", "a < b", "\ttext ", "\u202eabc", "a\0b"),
    *("\ufefftext", "text\u2028text"),
]


def odd_file(seed):
    """A file of lines that a parser may stumble over, with line ends of one kind or all kinds."""
    draw = random.Random(seed)
    head = draw.choice(["WEBVTT"] * 6 + ["WEBVTT title", "WEBVTT\ttitle", "\ufeffWEBVTT", "WEBVTT\nKind: captions"])
    ends = draw.choice(["\n", "\r\n", "\r", ""])
    lines = [head, *draw.choices(_LINES, k=draw.randint(1, 14))]
    return "".join(line.replace("\n", ends or "\n") + (ends or draw.choice(["\n", "\r\n", "\r"])) for line in lines)
