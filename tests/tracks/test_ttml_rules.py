"""Rules of TTML2 for every profile: each has a document that breaks it. Subtitles that are no script are read."""

import pytest

from distinctad_jax.movie.span import Span
from distinctad_jax.tracks import read_track
from distinctad_jax.tracks.verdict import judge

NAMES = (
    'xmlns="http://www.w3.org/ns/ttml" xmlns:ttm="http://www.w3.org/ns/ttml#metadata" '
    'xmlns:ttp="http://www.w3.org/ns/ttml#parameter" xmlns:tta="http://www.w3.org/ns/ttml#audio" '
)
SCRIPT = (
    'xmlns:daptm="http://www.w3.org/ns/ttml/profile/dapt#metadata" daptm:langSrc="zxx" '
    'ttp:contentProfiles="http://www.w3.org/ns/ttml/profile/dapt1.0/content" daptm:scriptType="preRecording" '
    'daptm:scriptRepresents="visual" daptm:represents="visual.nonText"'
)
HEAD = (
    '<metadata><ttm:agent type="person" xml:id="a"><ttm:name type="full">A</ttm:name></ttm:agent>'
    '<ttm:agent type="character" xml:id="k"><ttm:name type="alias">K</ttm:name><ttm:actor agent="a"/></ttm:agent>'
    "</metadata>"
)
STYLING, LAYOUT = '<styling><style xml:id="s"/></styling>', '<layout><region xml:id="r"/></layout>'
BODY = (
    '<div xml:id="d" begin="1s" end="3s" ttm:role="description x-mine" region="r"><ttm:desc>a</ttm:desc><p style="s">'
    '<animate begin="0s" end="0.3s" tta:gain="1; .39" keyTimes="0;1" fill="freeze" calcMode="linear"/>'
    '<set tta:pan="-1"/><span tta:speak="fast" tta:pitch="+10%" tta:gain="0.5">Hi.</span></p></div>'
)
DOCUMENT = (
    f'<tt {NAMES}{SCRIPT} xml:lang="en" ttp:frameRate="30" ttp:frameRateMultiplier="1000 1001" ttp:tickRate="90000">'
    f"<head>{HEAD}{STYLING}{LAYOUT}</head><body>{BODY}</body></tt>"
)
BROKEN = {
    "metadata behind a text": ("</div>", "<metadata/></div>", "metadata stands too late in div"),
    "animation behind a text": ("</span>", "</span><set/>", "set stands too late in p"),
    "layout before styling": (STYLING + LAYOUT, LAYOUT + STYLING, "head holds metadata, resources, styling, layout"),
    "two layouts": ("<layout>", "<layout/><layout>", "head holds metadata, resources, styling, layout"),
    "two actors": ("</ttm:agent></metadata>", '<ttm:actor agent="a"/></ttm:agent></metadata>', "one actor at most"),
    "unknown style": ('style="s"', 'style="s t"', "style 't' is no style of the document"),
    "unknown region": ('region="r"', 'region="s"', "region 's' is no region of the document"),
    "half a frame rate": ('"30"', '"29.97"', "frameRate '29.97' of tt is not a whole number above 0"),
    "no frames": ('"30"', '"0"', "frameRate '0' of tt is not"),
    "multiplier": ("1000 1001", "1000:1001", "frameRateMultiplier '1000:1001' of tt is not two whole numbers"),
    "ticks": ("90000", "-1", "tickRate '-1' of tt is not"),
    "gain in words": ('"0.5"', '"loud"', "gain 'loud' of span is not a number"),
    "gain in decibels": ("1; .39", "0dB;-8dB", "gain '0dB;-8dB' of animate is not"),
    "several gains": ('"0.5"', '"1;0.5"', "gain '1;0.5' of span is not"),
    "pan": ('"-1"', '"left"', "pan 'left' of set is not"),
    "speak": ("fast", "loud", "speak 'loud' of span is not one of none"),
    "pitch": ("+10%", "high", "pitch 'high' of span is not"),
    "role": ("description x-mine", "villain", "role 'villain' of div is not"),
    "key times": ("0;1", "0;2", "keyTimes '0;2' of animate is not numbers from 0 to 1"),
    "fill": ("freeze", "hold", "fill 'hold' of animate is not freeze or remove"),
    "calculation": ("linear", "jump", "calcMode 'jump' of animate is not one of"),
}


def judged(path, text):
    path.write_text(text)
    return [fault.what for fault in judge(path).faults]


def test_the_whole_document_is_valid(tmp_path):
    assert judged(tmp_path / "a.ttml", DOCUMENT) == []


@pytest.mark.parametrize("name", BROKEN)
def test_a_document_that_breaks_one_rule_has_that_fault(tmp_path, name):
    old, new, says = BROKEN[name]
    assert old in DOCUMENT
    (told,) = judged(tmp_path / "a.ttml", DOCUMENT.replace(old, new, 1))
    assert says in told


def test_what_stands_in_foreign_namespaces_is_nobodys_business(tmp_path):
    foreign = '<x:y xmlns:x="urn:x" fill="any" style="t" keyTimes="9"/></div>'
    assert judged(tmp_path / "a.ttml", DOCUMENT.replace("</div>", foreign)) == []


def test_texts_of_subtitles_that_are_no_script_are_read_one_by_one(tmp_path):
    texts = (
        '<div xml:id="d" begin="10s"><p begin="1s" end="2s">One.</p><p xml:id="b" begin="3s" end="4s">Two.</p></div>'
    )
    (tmp_path / "a.ttml").write_text(f'<tt {NAMES} xml:lang="en"><body>{texts}</body></tt>')
    found = read_track(tmp_path / "a.ttml").descriptions
    assert [(one.span, one.text, one.id) for one in found] == [
        (Span(11, 12), "One.", ""),
        (Span(13, 14), "Two.", "b"),
    ]
    (tmp_path / "b.ttml").write_text(f'<tt {NAMES}{SCRIPT} xml:lang="en"><body>{texts}</body></tt>')
    (event,) = read_track(tmp_path / "b.ttml").descriptions
    assert (event.span, event.text) == (Span(11, 14), "One. Two.")
