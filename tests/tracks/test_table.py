"""CSV as people type it."""

from distinctad_jax.tracks import read_track


def test_blanks_in_front_of_a_quote_are_no_part_of_it(tmp_path):
    (tmp_path / "a.csv").write_text('start, end, text\n1, 2, "a, ""b"""\n3,4,a "b" c\n')
    assert [one.text for one in read_track(tmp_path / "a.csv").descriptions] == ['a, "b"', 'a "b" c']
