"""The trained narrator as a drafter: which folder is a model, several texts a clip, and nothing asked twice."""

import json
import shutil

import numpy as np
import pytest
from film_maker import write_film
from tiny_model import write_model

from distinctad_jax.drafting.drafts import Asked, Store
from distinctad_jax.drafting.model_folder import find
from distinctad_jax.errors import BadInput, BadResume
from distinctad_jax.movie.span import Span
from distinctad_jax.recipes.drafter import DraftingConfig, NarratorDrafter


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model"))


def test_a_workdir_or_one_narrator_of_it_is_a_model(model, tmp_path):
    assert find(model) == find(model / "stage2" / "cc")
    assert find(model).tower == model / "stage1" / "aa"
    copy = shutil.copytree(model, tmp_path / "two")
    shutil.copytree(copy / "stage2" / "cc", copy / "stage2" / "dd")
    with pytest.raises(BadInput, match="2 narrators: stage2/cc, stage2/dd"):
        find(copy)
    (copy / "demo").mkdir()
    (copy / "demo" / "artefact.json").write_text('{"needs": {"stage2 full": "cc", "stage2 no_context": "dd"}}')
    assert find(copy) == find(copy / "demo") == find(copy / "stage2" / "cc")
    (copy / "demo" / "artefact.json").write_text('{"needs": {"stage2 full": "../stage2/cc"}}')
    with pytest.raises(BadInput, match="2 narrators"):
        find(copy)


def test_what_is_no_model_is_told_and_never_fetched(model, tmp_path):
    with pytest.raises(BadResume, match=r"no model is given.*configs/demo\.py"):
        find(None)
    with pytest.raises(BadInput, match="no such model folder"):
        find(tmp_path / "openai" / "clip")
    with pytest.raises(BadInput, match="no finished narrator"):
        find(tmp_path)
    for name, value, told in (
        ("stage2/cc", [1], "no account"),
        ("stage2/cc", {"needs": {"extract": "../../x"}}, "which extract"),
        ("stage2/cc", {"needs": {"extract": "bb"}, "results": {"settings": {}}}, "how it was trained"),
        ("extract/bb", {"needs": {"tower": "aa"}, "settings": {"tower": "../.."}}, "its features"),
    ):
        copy = shutil.copytree(model, tmp_path / f"m{len(list(tmp_path.iterdir()))}")
        (copy / name / "artefact.json").write_text(json.dumps(value))
        with pytest.raises(BadInput, match=told):
            find(copy)


def test_a_narrator_that_does_not_say_which_names_it_knows_is_refused(model, tmp_path):
    copy = shutil.copytree(model, tmp_path / "model")
    names = copy / "stage2" / "cc" / "narrator" / "names.json"
    for spoil in (lambda: names.write_text('{"nell": 1}'), names.unlink):
        spoil()
        with pytest.raises(BadInput, match=r"names\.json"):
            NarratorDrafter(find(copy), DraftingConfig())


def test_several_texts_for_each_clip_and_none_asked_twice(model, tmp_path):
    film = write_film(tmp_path / "film.mp4", 12)
    spans = tuple(Span(2 * at, 2 * at + 2) for at in range(5))
    asked = Asked(film, spans, ((), ("Jake",), (), (), ()), (36, 36, 12, 36, 36))
    drafter = NarratorDrafter(find(model), DraftingConfig(candidates=3, beams=3, max_tokens=8))
    store, problems = Store(tmp_path / "store", {}), []
    drafts = drafter.draft(asked, store, lambda *_: None, problems)
    assert [draft.clip for draft in drafts] == list(spans) and not problems
    for draft in drafts:
        texts = [one.text for one in draft.candidates]
        assert 1 <= len(texts) <= 3 and len(set(texts)) == len(texts)
        assert [one.score for one in draft.candidates] == sorted(
            (one.score for one in draft.candidates), reverse=True
        )
        assert len(draft.frames) == 2 and 0 <= draft.change <= 1
    assert max(len(one.text.split()) for one in drafts[2].candidates) <= 2  # 12 characters: two words
    assert set(drafter.models) == {"narrator", "tower"} and drafter.names == ("nell",)

    again = Store(tmp_path / "store", {})
    drafter.speak = drafter.encode = None  # would fail if asked
    assert drafter.draft(asked, again, lambda *_: None, problems) == drafts
    features, _, real = again.seen()
    assert features.dtype == np.float16 and real.all()
