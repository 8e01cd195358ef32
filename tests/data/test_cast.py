"""Cast and split files."""

import json

import pytest
from places import SHARED

from distinctad_jax.data.annotations import read_splits
from distinctad_jax.data.cast import clean_role, read_cast
from distinctad_jax.errors import BadInput
from distinctad_jax.movie.movie import Person

DATA = SHARED / "data" / "annotations"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared annotations are not here")


@pytest.mark.parametrize(
    ("role", "clean"),
    [
        ("Robert(as Alan Marshall)", "Robert"),
        ("Robert (as Alan Marshall)", "Robert"),
        ("Man in Elevator(voice)(uncredited)", "Man in Elevator"),
        ("French Soldier(uncredited)…", "French Soldier"),
        ("R2-D2…", "R2-D2"),
        ("Yoda (voice)", "Yoda"),
        ("Ben (Obi-Wan) Kenobi", "Ben (Obi-Wan) Kenobi"),
        ("Ed Bloom (young)", "Ed Bloom (young)"),
        ("Nicky 'Rug' Koskoff", "Nicky 'Rug' Koskoff"),
        ("(voice)", "(voice)"),
        ("Dr. Robert Jr.", "Dr. Robert Jr."),
        ("  ", ""),
    ],
)
def test_roles_lose_their_credits(role, clean):
    assert clean_role(role) == clean


def test_papers_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "a.json").write_text('{"m": ["Zoë"]}', encoding="utf-8-sig")
    assert read_cast(tmp_path / "a.json") == {"m": (Person("Zoë"),)}
    assert read_splits(tmp_path / "a.json") == {"m": ("Zoë",)}


@needs_data
def test_real_character_banks():
    bank = read_cast(DATA / "MAD_charbank_2023mar.json")
    assert len(bank) == 629 and sum(map(len, bank.values())) == 11118
    roles = [person.character for people in bank.values() for person in people]
    assert not [role for role in roles if role.endswith(("…", "(voice)", "(uncredited)")) or "(as " in role]
    assert bank["2948"][0] == Person("Nick Charles", "William Powell", None, "nm0001635")


def test_cast_with_portraits(tmp_path):
    (tmp_path / "portraits").mkdir()
    (tmp_path / "portraits" / "p1.png").touch()
    entry = {"id": "p1", "name": "Ann Actor", "role": "Ada(voice)", "portrait": "portraits/p1.png"}
    path = tmp_path / "cast.json"
    path.write_text(
        json.dumps({"m": [entry, {"role": "Bo"}, dict(entry, id="again"), {"role": " "}], "n": ["Cy", "Di"]})
    )
    cast = read_cast(path)
    assert cast["m"] == (Person("Ada", "Ann Actor", tmp_path / "portraits" / "p1.png", "p1"), Person("Bo"))
    assert cast["n"] == (Person("Cy"), Person("Di"))


@pytest.mark.parametrize(
    ("text", "where", "says"),
    [
        ("{", ":1:2", "JSON"),
        ("[]", "", "not an object"),
        ('{"m": {}}', ":m", "list"),
        ('{"m": ["A", 5]}', ":m[1]", "no person"),
        ('{"m": [{"name": "x"}]}', ":m[0].role", "not text"),
        ('{"m": [{"role": "A", "name": 5}]}', ":m[0].name", "not text"),
        ('{"m": [{"role": "A", "portrait": "../a.png"}]}', ":m[0].portrait", "outside"),
        ('{"m": [{"role": "A", "portrait": "/etc/passwd"}]}', ":m[0].portrait", "outside"),
        ('{"m": [{"role": "A", "portrait": "http://h/a.png"}]}', ":m[0].portrait", "outside"),
        ('{"m": [{"role": "A", "portrait": "link.png"}]}', ":m[0].portrait", "outside"),
        ('{"m": [{"role": "A", "portrait": "none.png"}]}', ":m[0].portrait", "no such picture"),
    ],
)
def test_cast_that_cannot_be_used_is_named(tmp_path, text, where, says):
    folder = tmp_path / "cast"
    folder.mkdir()
    (tmp_path / "a.png").touch()
    (folder / "link.png").symlink_to(tmp_path / "a.png")
    path = folder / "cast.json"
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        read_cast(path)
    assert str(caught.value).startswith(f"{path}{where}: ") and says in str(caught.value)


@pytest.mark.parametrize("name", ["bank.pkl", "bank.json"])
def test_a_pickle_is_never_opened(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(BadInput, match=r"a pickle.*JSON"):
        read_cast(path)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[]", ""),
        ("{}", ""),
        ('{"train": "m"}', ":train"),
        ('{"train": ["m", 5]}', ":train[1]"),
        ('{"train": ["m", "m"]}', ":train[1]"),
        ('{"train": ["../m"]}', ":train[0]"),
    ],
)
def test_splits_that_cannot_be_used_are_named(tmp_path, text, where):
    path = tmp_path / "splits.json"
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        read_splits(path)
    assert str(caught.value).startswith(f"{path}{where}: ")
    path.write_text('{"train": ["a", "b"], "test": ["b"]}')
    assert read_splits(path) == {"train": ("a", "b"), "test": ("b",)}
