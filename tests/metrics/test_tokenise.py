import pytest

from distinctad_jax.metrics.tokenise import _BEYOND, _BLANKS, _scan, tokenise, tokenised


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("She's here; he isn't.", "she 's here he is n't"),
        ("He can't, won't and wouldn't've.", "he ca n't wo n't and would n't 've"),
        ("CAROLINE'S GLANCE, MONICA'S DOOR", "caroline 's glance monica 's door"),
        ("A wide-eyed 20-year-old - C-3PO -- waits…", "a wide-eyed 20-year-old c-3po waits"),
        ("Mr. Smith meets Dr. No at 7:30pm.", "mr. smith meets dr. no at 7:30 pm"),
        ("At 5pm the 21st of 1,000 arrives.", "at 5pm the 21st of 1,000 arrives"),
        ("The U.S. flag. J. R. R. waits.", "the u.s. flag j. r. r. waits"),
        ("He follows B. slowly.", "he follows b. slowly"),
        ("He follows B. He runs.", "he follows b he runs"),
        ("A crow (black) [caws].", "a crow -lrb- black -rrb- -lsb- caws -rsb-"),
        ("“What?!” r??sum?? Stop! Why?", "what ?! r ?? sum ?? stop why"),
        ("It’s O’Brien at ten o’clock.", "it 's o’brien at ten o’clock"),
        ("He's gonna go; she cannot. gonna's", "he 's gon na go she can not gonna 's"),
        ("'Tis rock'n'roll, y'all, in the '90s.", "'t is rock 'n' roll y' all in the '90s"),
        ("Jazz & M&M's cost $5, or 50%.", "jazz & m&m 's cost $ 5 or 50 %"),
        ("Half open: 9/11, he/she, café/bar.", "half open 9/11 he/she café / bar"),
        ("He sees Wash. rise; they wash. Miss. or miss.", "he sees wash. rise they wash miss. or miss"),
        ("No. 5 says no. Fig. x", "no. 5 says no fig x"),
        ("bird., word...word hello.world", "bird. word word hello.world"),
        ("At 7p.m. the .22-caliber, 1,000-year-old gun", "at 7p m. the .22 caliber 1,000-year-old gun"),
        ("Monica,20-year-old 5'10\" O'Neil-Smith", "monica,20-year-old 5 10 o'neil-smith"),
        ("A US$5, 1/2-inch A+B nor'easter *** --", "a us$ 5 1/2-inch a+b nor'easter ***"),
        ("S.H.I.E.L.D. in '99. '99 no.5 ...5", "s.h.i.e.l.d. in 99 '99 no. 5 5"),
        ("'embers' _x_ a_b 3.b x.b a-b.c Tom &amp; Jerry", "'em bers _ x _ a_b 3 b x.b a-b c tom & jerry"),
        ("dogs' goin' nothin' ol' maitre d' house", "dogs goin nothin ol' maitre d' house"),
        ("", ""),
        (" ... !", ""),
    ],
)
def test_words_as_the_java_tool_prints_them(text, words):
    assert tokenised(text) == words


def test_any_white_space_parts_words_and_none_starts_a_line():
    assert tokenise("a\u00a0man\u2028runs\r\nfast\u200bnow") == ["a", "man", "runs", "fast", "now"]


def test_a_number_and_its_fraction_are_one_token_with_a_no_break_space():
    assert tokenise("2 1/2 cups, ½ left") == ["2\u00a01/2", "cups", "1/2", "left"]


def test_the_next_caption_decides_about_a_final_initial_if_it_is_given():
    assert tokenise("He glares at Q.") == tokenise("He glares at Q.", "Crusher runs.") == ["he", "glares", "at", "q."]
    assert tokenise("He glares at Q.", "He runs.") == ["he", "glares", "at", "q"]
    assert tokenise("A dog.", "He runs.") == ["a", "dog"]


def test_a_piece_is_read_the_same_alone_and_in_its_sentence(published_tv):
    for row in published_tv.rows:
        for text in (row["reference"], row["pred_decorated"], row["pred_reversed"]):
            plain = _BEYOND.sub("", _BLANKS.sub(" ", text)).strip()
            assert tokenised(text) == " ".join(_scan(plain))


def test_signs_beyond_the_basic_plane_vanish():
    assert tokenise("a \U0001f600 man") == ["a", "man"]


def test_every_reference_and_decorated_caption_agrees_with_the_java_tool(published):
    for row in published.rows:
        assert tokenised(row["reference"]) == row["ref_tokens"]
        assert tokenised(row["pred_decorated"]) == row["decorated_tokens"]


def test_every_awkward_caption_agrees_with_the_java_tool(awkward_captions):
    assert [tokenised(caption) for caption, _ in awkward_captions] == [tokens for _, tokens in awkward_captions]
