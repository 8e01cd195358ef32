import pytest

from distinctad_jax.text.prompt import (
    INSTRUCTION,
    NamesConfig,
    learnt_names,
    names_in,
    names_prompt,
    narrator_prompt,
    prompt_ids,
    spoken_name,
    spoken_names,
)
from distinctad_jax.text.tokenizers import train_tokenizer


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("Jake Sully", "Jake"),
        ("Dr. Grace Augustine", "Grace"),
        ("Mr. O'Brien, Jr.", "O'Brien"),
        ('"Doc" Brown', "Doc"),
        ("Robert(as Alan Marshall)", "Robert"),
        ("Trudy…", "Trudy"),
        ("Cher.", "Cher"),
        ("(voice)", ""),
        ("", ""),
    ],
)
def test_a_role_is_called_by_its_spoken_name(role, name):
    assert spoken_name(role) == name


def test_names_keep_cast_order_and_are_told_once():
    assert spoken_names(["Jake Sully", "Dr. Grace A", "Jake (young)", "(uncredited)"]) == ("Jake", "Grace")


def test_the_oracle_knows_the_names_of_the_text():
    assert names_in("Grace's hand; a grace note. SULLY runs.", ("Jake", "Grace", "Sully")) == ("Grace", "Sully")
    assert names_in("Annabel sits.", ("Anna",)) == ()


def test_the_list_has_at_most_five_names_and_vanishes_without():
    assert names_prompt(list("ABCDEFG")) == "Possible characters: A, B, C, D, E."
    assert names_prompt(["A", "B"], limit=1) == "Possible characters: A."
    assert names_prompt([]) == ""
    assert narrator_prompt([]) == INSTRUCTION


def test_a_prompt_that_is_too_long_loses_names_not_pieces():
    tokenizer = train_tokenizer(["Anna"], "gpt2", 257)
    whole = tokenizer.encode(narrator_prompt(["Anna", "Tom"]))
    assert prompt_ids(tokenizer, ["Anna", "Tom"], len(whole)) == whole
    assert tokenizer.decode(prompt_ids(tokenizer, ["Anna", "Tom"], len(whole) - 1)) == narrator_prompt(["Anna"])
    assert tokenizer.decode(prompt_ids(tokenizer, ["Anna"], len(INSTRUCTION))) == INSTRUCTION
    with pytest.raises(ValueError, match="no room"):
        prompt_ids(tokenizer, [], 2)


def test_impossible_settings_are_refused():
    for wrong in ({"limit": 0}, {"dropout": 1.0}):
        with pytest.raises(ValueError, match="names need"):
            NamesConfig(**wrong)


def test_names_are_learnt_from_capitals_that_are_never_small():
    texts = [
        "Rosa lifts a crate.",
        "Carefully, Milo runs. Nell's dog follows on Monday.",
        "Snow falls. The driver waits, and Hope smiles.",
        "There is hope. Will a man come? June turns.",
    ]
    roles = ["Rosa Diaz", "Nell", "The Driver", "Will Smith", "Otto", "June"]
    # Snow starts a sentence; hope is written small, too; Otto is in no text; "will" is a stop-word.
    assert learnt_names(texts, roles) == ("june", "milo", "nell", "rosa")
    assert learnt_names(texts, ()) == ("milo",) and learnt_names((), roles) == ()
