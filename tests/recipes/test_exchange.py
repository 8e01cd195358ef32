"""Models out and in again: every value comes back, and whatever cannot be said in the other layout is refused."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file

from distinctad_jax.checkpoints.published import load_aligner, load_gpt2
from distinctad_jax.checkpoints.weights import flat
from distinctad_jax.commands import book
from distinctad_jax.errors import BadInput, BadUsage
from distinctad_jax.models.aligner import Aligner, AlignerConfig
from distinctad_jax.models.bridge import BridgeConfig
from distinctad_jax.models.em_attention import EMAttentionConfig
from distinctad_jax.models.gpt2 import Gpt2, Gpt2Config
from distinctad_jax.models.narrator import Narrator, NarratorConfig
from distinctad_jax.models.towers import TextConfig, VisionConfig
from distinctad_jax.recipes.exchange import Brought, export_model, import_model, keep
from distinctad_jax.text.tokenizers import load_tokenizer, train_tokenizer

TEXTS = ["The door opens and Ada walks in.", "Snow falls on the quiet street."]


@pytest.fixture(scope="module")
def tokenizers():
    return {kind: train_tokenizer(TEXTS * 4, kind, 600) for kind in ("clip", "gpt2")}


def random(make, seed):
    """A module's parameters, all of them random: none is left at zero or one."""
    numbers, state = np.random.default_rng(seed), nnx.eval_shape(lambda: nnx.state(make()))
    return {
        path: numbers.normal(size=leaf.shape).astype(np.float32)
        for path, leaf in flat(nnx.to_pure_dict(state)).items()
    }


@pytest.fixture
def aligner(tmp_path, tokenizers):
    """Writes an artefact with towers; returns its folder and parameters."""
    words = tokenizers["clip"]

    def write(lora_rank=0, adapter=0, activation="quick_gelu"):
        shared = {"width": 24, "layers": 2, "heads": 3, "projection": 20, "activation": activation}
        vision = VisionConfig(image_size=16, patch=8, lora_rank=lora_rank, **shared)
        config = AlignerConfig(vision, TextConfig(words.size, 16, end=words.end, **shared), adapter)
        leaves = random(lambda: Aligner(config, rngs=nnx.Rngs(0)), 1)
        keep(tmp_path / "run" / "aligner", Brought(config, leaves, words))
        return tmp_path / "run", leaves

    return write


@pytest.fixture
def language(tmp_path, tokenizers):
    pieces = tokenizers["gpt2"]
    config = Gpt2Config(pieces.size, 32, 24, 2, 3)
    leaves = random(lambda: Gpt2(config, rngs=nnx.Rngs(0)), 2)
    keep(tmp_path / "run" / "language", Brought(config, leaves, pieces))
    return tmp_path / "run", leaves


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for path, value in expected.items():
        np.testing.assert_array_equal(found[path], value, err_msg=path)


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_towers_come_back_as_they_were(aligner, tmp_path, activation):
    folder, leaves = aligner(activation=activation)
    about = export_model(folder, tmp_path / "out")
    fields, params = load_aligner(tmp_path / "out")
    assert_equal(flat(params), leaves)
    assert fields["vision"]["activation"] == fields["text"]["activation"] == activation
    assert about["parameters"] == sum(leaf.size for leaf in leaves.values())
    names = {path.name for path in (tmp_path / "out").iterdir()}
    files = ["config", "tokenizer", "vocab", "tokenizer_config", "special_tokens_map", "preprocessor_config"]
    assert names == {*(f"{name}.json" for name in files), "model.safetensors", "merges.txt"}


def test_low_rank_updates_are_added_to_what_is_written(aligner, tmp_path):
    folder, leaves = aligner(lora_rank=2)
    export_model(folder, tmp_path / "out")
    _, params = load_aligner(tmp_path / "out")
    found, path = flat(params), "vision/blocks/1/mlp/up"
    expected = leaves[f"{path}/kernel"] + leaves[f"{path}/lora_a"] @ leaves[f"{path}/lora_b"]
    np.testing.assert_allclose(found[f"{path}/kernel"], expected, rtol=1e-6)
    assert not [name for name in found if "lora" in name]


def test_an_adapter_is_refused(aligner, tmp_path):
    folder, _ = aligner(adapter=8)
    with pytest.raises(BadInput, match="adapter"):
        export_model(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_language_model_comes_back_without_its_tied_head(language, tmp_path):
    folder, leaves = language
    export_model(folder, tmp_path / "out")
    assert_equal(flat(load_gpt2(tmp_path / "out")[1]), leaves)
    names = load_file(tmp_path / "out" / "model.safetensors")
    assert "transformer.wte.weight" in names and not [name for name in names if name.startswith("lm_head")]


def test_of_a_narrator_the_language_model_is_written(tmp_path, tokenizers):
    pieces = tokenizers["gpt2"]
    config = NarratorConfig(
        BridgeConfig(20, 24, tokens=2, layers=1, heads=2, frames=2),
        EMAttentionConfig(24, bases=2, heads=2),
        Gpt2Config(pieces.size, 32, 24, 2, 3),
    )
    leaves = random(lambda: Narrator(config, rngs=nnx.Rngs(0)), 3)
    keep(tmp_path / "run" / "narrator", Brought(config, leaves, pieces))
    export_model(tmp_path / "run", tmp_path / "out")
    found = flat(load_gpt2(tmp_path / "out")[1])
    assert_equal(
        {f"language/{path}": leaf for path, leaf in found.items()},
        {path: leaf for path, leaf in leaves.items() if path.startswith("language/")},
    )


def test_an_export_is_imported_with_its_tokenizer(aligner, language, tmp_path, tokenizers, capsys):
    folder, _ = aligner()
    with pytest.raises(BadUsage, match="--what"):
        export_model(folder, tmp_path / "out")
    for what, home, kind in (("clip", "aligner", "clip"), ("language", "language", "gpt2")):
        out, back = tmp_path / what, tmp_path / f"{what}-back"
        assert book.main(["export", str(folder), "--to", str(out), "--what", what, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["folder"] == str(out)
        assert book.main(["import", str(out), "--to", str(back), "-q"]) == 0
        for name in ("model.json", "model.safetensors", "tokenizer/tokenizer.json"):
            assert (back / home / name).read_bytes() == (folder / home / name).read_bytes(), name
        assert load_tokenizer(out, kind).encode(TEXTS[0]) == tokenizers[kind].encode(TEXTS[0])


def test_the_same_export_has_the_same_bytes(language, tmp_path):
    for name in ("one", "two"):
        export_model(language[0], tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(BadInput, match="no model in this folder"):
        export_model(tmp_path, tmp_path / "out")
    assert book.main(["import", str(tmp_path), "--to", str(tmp_path / "out")]) == 3


def test_a_tokenizer_of_another_model_is_refused(language, tmp_path):
    export_model(language[0], tmp_path / "out")
    train_tokenizer([*TEXTS, "A larger vocabulary of many other words, words."] * 9, "gpt2", 700).save(
        tmp_path / "out"
    )
    with pytest.raises(BadInput, match=r"the tokenizer has .* ids, the weights have"):
        import_model(tmp_path / "out", tmp_path / "back")


def test_a_pickle_is_refused_by_its_own_name(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(b"\x80\x04.")
    with pytest.raises(BadInput, match=r"only pickled weights \(pytorch_model\.bin\).*convert"):
        import_model(path, tmp_path / "back")


def test_each_device_is_sent_its_own_part_as_weights_are_read(aligner, tmp_path):
    import jax

    from distinctad_jax.training.mesh import MeshConfig, make_mesh, put_on

    folder, leaves = aligner()
    export_model(folder, tmp_path / "out")
    mesh = make_mesh(MeshConfig(data=2, fsdp=2, tensor=2), jax.devices()[:8])
    found = flat(load_aligner(tmp_path / "out", put_on(mesh))[1])
    for path, value in leaves.items():
        np.testing.assert_array_equal(found[path], value, err_msg=path)
    kernel = found["vision/blocks/0/mlp/up/kernel"]
    assert {shard.data.shape for shard in kernel.addressable_shards} == {(12, 48)}
    assert isinstance(kernel, jnp.ndarray)
