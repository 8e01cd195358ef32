"""One language by whatever tag: people write `de`, containers `ger` or `deu`."""

import pytest

from distinctad_jax.movie.language import alike, chosen, code, listed, tagged, well_formed

TWO_CODES = """
    sq alb sqi, hy arm hye, eu baq eus, bo tib bod, my bur mya, cs cze ces, zh chi zho, cy wel cym, de ger deu,
    nl dut nld, el gre ell, fa per fas, fr fre fra, ka geo kat, is ice isl, mk mac mkd, mi mao mri, ms may msa,
    ro rum ron, sk slo slk
"""
"""ISO 639-1, 639-2/B and 639-2/T of the twenty languages with two. Source: www.loc.gov/standards/iso639-2."""


@pytest.mark.parametrize("row", TWO_CODES.split(","))
def test_languages_with_two_codes_are_known_by_each(row):
    short, by_librarians, by_speakers = row.split()
    assert code(short) == code(by_librarians) == code(by_speakers) == by_speakers
    assert alike(short, by_librarians) and alike(by_librarians, by_speakers) and alike(f"{short}-XX", by_speakers)


@pytest.mark.parametrize(
    ("one", "other"),
    [("es", "est"), ("sw", "swe"), ("ar", "arm"), ("sl", "slo"), ("fi", "fil"), ("und", "und"), ("", ""), ("", "en")],
)
def test_first_letters_make_no_language(one, other):
    assert not alike(one, other)


def test_languages_without_a_short_code_are_compared_as_they_are():
    assert alike("gsw", "gsw") and alike("pt-BR", "por") and alike("EN_us", "eng") and alike("no", "nob")
    assert not alike("nn", "nb") and code("x-klingon") == code("engl") == "" and code("gsw-CH") == "gsw"
    assert listed("de-AT") and listed("ger") and not listed("gsw") and not listed("forced")


@pytest.mark.parametrize(
    ("wanted", "number"),
    [("0", 0), ("2", 2), ("1", None), ("de", 2), ("DEU", 5), ("fr", None), ("pt-BR", 4), ("pt", 3), ("", None)],
)
def test_a_track_is_asked_for_by_number_or_language(wanted, number):
    assert chosen(wanted, {0: "", 2: "ger", 3: "pt-PT", 4: "pt-BR", 5: "deu"}) == number


def test_a_tag_has_the_shortest_code_and_keeps_its_region():
    found = [tagged(name) for name in ("ger", "deu", "de-AT", "por_BR", "NNO", "tgl-PH")]
    assert found == ["de", "de", "de-AT", "pt-BR", "nn", "tl-PH"]
    assert all(map(well_formed, found)) and not any(map(well_formed, ("", "e", "pt_BR", "en-GB-US", "de AT")))
