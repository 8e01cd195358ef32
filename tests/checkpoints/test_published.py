"""Published weights: every layout that the hub has is read, and whatever does not fit is refused by name."""

import json
import shutil
import struct
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file, save_file

from distinctad_jax.checkpoints.published import clip_fields, gpt2_fields, load_aligner, load_gpt2
from distinctad_jax.checkpoints.weights import flat
from distinctad_jax.errors import BadInput
from distinctad_jax.models.aligner import Aligner, AlignerConfig
from distinctad_jax.models.gpt2 import GPT2_PRESETS, Gpt2, Gpt2Config
from distinctad_jax.models.towers import TEXT_PRESETS, VISION_PRESETS, TextConfig, VisionConfig

GOLDEN = Path(__file__).parents[1] / "golden"
SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"


@pytest.fixture
def folder(tmp_path):
    """Copies of the golden folders, to be damaged."""

    def copy(name):
        shutil.copytree(GOLDEN / name, tmp_path / name)
        return tmp_path / name

    return copy


def change(folder, edit):
    """Rewrites the weights after `edit(tensors)`."""
    tensors = load_file(folder / SINGLE)
    save_file(edit(tensors) or tensors, folder / SINGLE)


def configure(folder, **fields):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def equal(one, other):
    one, other = flat(one), flat(other)
    assert one.keys() == other.keys()
    for path, value in one.items():
        np.testing.assert_array_equal(value, other[path], err_msg=path)


def shapes(tree):
    return {path: (leaf.shape, str(leaf.dtype)) for path, leaf in flat(tree).items()}


def test_what_is_loaded_has_the_paths_and_shapes_of_the_models():
    fields, params = load_aligner(GOLDEN / "clip")
    config = AlignerConfig(VisionConfig(**fields["vision"]), TextConfig(**fields["text"]))
    model = nnx.eval_shape(lambda: Aligner(config, rngs=nnx.Rngs(0)))
    assert shapes(params) == shapes(nnx.to_pure_dict(nnx.state(model)))
    assert list(params["vision"]["blocks"]) == [0, 1]  # as NNX numbers them
    fields, params = load_gpt2(GOLDEN / "gpt2")
    model = nnx.eval_shape(lambda: Gpt2(Gpt2Config(**fields), rngs=nnx.Rngs(0)))
    assert shapes(params) == shapes(nnx.to_pure_dict(nnx.state(model)))


def test_a_config_that_says_nothing_is_the_first_published_model(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    fields = clip_fields(tmp_path)
    assert VisionConfig(**fields["vision"]) == VISION_PRESETS["vit-b-32"]
    assert TextConfig(**fields["text"]) == TEXT_PRESETS["vit-b-32"]
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    assert Gpt2Config(**gpt2_fields(tmp_path)) == GPT2_PRESETS["gpt2"]


def test_the_end_of_early_configs_is_the_highest_id(folder):
    place = folder("clip")
    text = json.loads((place / "config.json").read_text())["text_config"]
    configure(place, text_config=text | {"eos_token_id": 2})
    assert clip_fields(place)["text"]["end"] == 98


@pytest.mark.parametrize("kind", [np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize(("name", "load"), [("clip", load_aligner), ("gpt2", load_gpt2)])
def test_half_precision_is_widened_to_float32(folder, name, load, kind):
    place = folder(name)
    change(place, lambda tensors: {key: value.astype(kind) for key, value in tensors.items()})
    expected = {path: leaf.astype(kind).astype(np.float32) for path, leaf in flat(load(GOLDEN / name)[1]).items()}
    equal(load(place)[1], expected)


def shard(place):
    tensors = load_file(place / SINGLE)
    (place / SINGLE).unlink()
    names, home = sorted(tensors), {}
    for number, part in enumerate((names[::2], names[1::2]), start=1):
        file = f"model-{number:05d}-of-00002.safetensors"
        save_file({key: tensors[key] for key in part}, place / file)
        home |= dict.fromkeys(part, file)
    (place / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": home}))


def test_shards_equal_one_file(folder):
    for name, load in (("clip", load_aligner), ("gpt2", load_gpt2)):
        place = folder(name)
        shard(place)
        equal(load(place)[1], load(GOLDEN / name)[1])


def test_gpt2_without_prefix_with_masks_and_with_a_tied_head_is_the_same(folder):
    place = folder("gpt2")

    def older(tensors):
        bare = {key.removeprefix("transformer."): value for key, value in tensors.items()}
        for layer in range(2):
            bare[f"h.{layer}.attn.bias"] = np.tril(np.ones((1, 1, 24, 24), np.float32))
            bare[f"h.{layer}.attn.masked_bias"] = np.array(-1e4, np.float32)
        return bare | {"lm_head.weight": bare["wte.weight"].copy()}

    change(place, older)
    equal(load_gpt2(place)[1], load_gpt2(GOLDEN / "gpt2")[1])


def test_an_output_layer_of_its_own_is_refused(folder):
    place = folder("gpt2")
    change(place, lambda tensors: tensors | {"lm_head.weight": tensors["transformer.wte.weight"] + 1})
    with pytest.raises(BadInput, match=r"lm_head\.weight differs from transformer\.wte\.weight"):
        load_gpt2(place)


def test_a_tensor_with_and_without_prefix_is_refused(folder):
    place = folder("gpt2")
    change(place, lambda tensors: tensors | {"ln_f.bias": tensors["transformer.ln_f.bias"]})
    with pytest.raises(BadInput, match=r"both .*ln_f\.bias"):
        load_gpt2(place)


def test_position_ids_of_older_clip_files_are_ignored(folder):
    place = folder("clip")
    buffers = {f"{tower}_model.embeddings.position_ids": np.arange(10)[None] for tower in ("vision", "text")}
    change(place, lambda tensors: tensors | buffers)
    equal(load_aligner(place)[1], load_aligner(GOLDEN / "clip")[1])


def test_tensors_that_do_not_fit_are_listed_with_both_shapes_and_counted(folder):
    place = folder("clip")

    def damage(tensors):
        del tensors["text_model.final_layer_norm.bias"]
        tensors["visual_projection.weight"] = np.ascontiguousarray(tensors["visual_projection.weight"].T)
        for number in range(7):
            tensors[f"stray.{number}"] = np.zeros(3, np.float32)

    change(place, damage)
    with pytest.raises(BadInput) as told:
        load_aligner(place)
    line = str(told.value)
    assert "visual_projection.weight expected (20, 32), found (32, 20)" in line
    assert "text_model.final_layer_norm.bias expected (24,), found none" in line
    assert "stray.0 expected none, found (3,)" in line
    assert "(9 in all)" in line
    assert "stray.3" not in line
    assert line.count("expected") == 5
    assert "and 4 more" in line


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_no_number_is_named(folder, value):
    place = folder("gpt2")
    change(place, lambda tensors: tensors["transformer.h.1.mlp.c_fc.bias"].__setitem__(5, value))
    with pytest.raises(BadInput, match=r"transformer\.h\.1\.mlp\.c_fc\.bias holds NaN or infinity"):
        load_gpt2(place)


def test_whole_numbers_are_no_weights(folder):
    place = folder("gpt2")
    change(place, lambda tensors: tensors | {"transformer.ln_f.bias": np.zeros(32, np.int32)})
    with pytest.raises(BadInput, match=r"ln_f\.bias is I32"):
        load_gpt2(place)


def test_pickled_weights_are_never_opened(folder, monkeypatch):
    place = folder("gpt2")
    (place / SINGLE).rename(place / "pytorch_model.bin")
    opened, really = [], Path.open
    monkeypatch.setattr(
        Path, "open", lambda path, *rest, **more: opened.append(path.name) or really(path, *rest, **more)
    )
    with pytest.raises(BadInput, match=r"pytorch_model\.bin.*never opened; convert them to model\.safetensors"):
        load_gpt2(place)
    assert "config.json" in opened
    assert "pytorch_model.bin" not in opened


def header(entries):
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text


WHOLE = (GOLDEN / "gpt2" / SINGLE).read_bytes()
BROKEN = {
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 548105171\n",
    "a pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00.",
    "a zip": b"PK\x03\x04\x14\x00\x08\x08" + bytes(100),
    "not a sound safetensors file (empty)": b"",
    "not a sound safetensors file (cut)": WHOLE[:-100],
    "not a sound safetensors file (trailing)": WHOLE + b"more",
    "not a sound safetensors file (header bomb)": struct.pack("<Q", 1 << 60) + b"{}",
    "not a sound safetensors file (lying size)": header(
        {"a": {"dtype": "F32", "shape": [1 << 40, 1 << 20], "data_offsets": [0, 16]}}
    )
    + bytes(16),
    "not a sound safetensors file (overlap)": header(
        {name: {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]} for name in "ab"}
    )
    + bytes(16),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_file_that_is_no_safetensors_says_what_it_is(folder, case):
    place = folder("gpt2")
    (place / SINGLE).write_bytes(BROKEN[case])
    with pytest.raises(BadInput) as told:
        load_gpt2(place)
    assert case.split(" (")[0].removeprefix("a ") in str(told.value)
    assert str(place / SINGLE) in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "name", ["/etc/hostname", "../gpt2/model.safetensors", "..", "sub/x.safetensors", "a\\b", "a\0"]
)
def test_a_shard_outside_the_folder_is_refused(folder, name):
    place = folder("gpt2")
    (place / SINGLE).unlink()
    (place / INDEX).write_text(json.dumps({"weight_map": {"wte.weight": name}}))
    with pytest.raises(BadInput, match="lies outside the folder"):
        load_gpt2(place)


def test_a_link_out_of_the_folder_is_refused_but_not_the_hubs_cache(folder, tmp_path):
    place = folder("gpt2")
    (place / SINGLE).rename(tmp_path / "elsewhere")
    (place / SINGLE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match="lies outside the folder"):
        load_gpt2(place)
    blobs, snapshot = tmp_path / "hub" / "blobs", tmp_path / "hub" / "snapshots" / "abc"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for name in ("config.json", SINGLE):
        shutil.copy(GOLDEN / "gpt2" / name, blobs / f"hash-{name}")
        (snapshot / name).symlink_to(Path("../../blobs") / f"hash-{name}")
    equal(load_gpt2(snapshot)[1], load_gpt2(GOLDEN / "gpt2")[1])


def test_a_missing_shard_is_named(folder):
    place = folder("gpt2")
    shard(place)
    (place / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(BadInput, match=r"model-00002-of-00002\.safetensors: no such file"):
        load_gpt2(place)


@pytest.mark.parametrize("index", ["[]", "{}", '{"weight_map": {}}', '{"weight_map": {"a": 1}}', "{"])
def test_an_index_that_says_nothing_is_refused(folder, index):
    place = folder("gpt2")
    (place / SINGLE).unlink()
    (place / INDEX).write_text(index)
    with pytest.raises(BadInput, match=r"index\.json"):
        load_gpt2(place)


def test_an_absent_or_empty_folder_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"no such folder of weights.*nothing is downloaded"):
        load_gpt2(tmp_path / "openai-community" / "gpt2")
    with pytest.raises(BadInput, match=r"config\.json: no such file"):
        load_aligner(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(BadInput, match=r"neither model\.safetensors nor"):
        load_gpt2(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_embd", -32),
        ("n_embd", 10**24),
        ("n_embd", 32.0),
        ("n_embd", "32"),
        ("n_layer", 0),
        ("n_layer", True),
        ("n_head", 5),
        ("vocab_size", None),
        ("n_inner", 99),
        ("activation_function", "relu"),
        ("activation_function", ["gelu_new"]),
        ("layer_norm_epsilon", 1e-6),
        ("scale_attn_by_inverse_layer_idx", True),
        ("model_type", "llama"),
        ("auto_map", {"AutoModel": "code.Model"}),
    ],
)
def test_a_config_field_out_of_bounds_is_named(folder, field, value):
    place = folder("gpt2")
    configure(place, **{field: value})
    with pytest.raises(BadInput, match=f"config.json:{field}: found .*needed"):
        load_gpt2(place)


@pytest.mark.parametrize(
    ("tower", "field", "value"),
    [
        ("vision_config", "patch_size", 7),
        ("vision_config", "image_size", 10**9),
        ("vision_config", "num_channels", 4),
        ("vision_config", "hidden_act", "silu"),
        ("vision_config", "intermediate_size", 64),
        ("text_config", "eos_token_id", 99),
        ("text_config", "num_attention_heads", 7),
        ("text_config", "layer_norm_eps", 1e-12),
    ],
)
def test_a_towers_field_out_of_bounds_is_named(folder, tower, field, value):
    place = folder("clip")
    fields = json.loads((place / "config.json").read_text())[tower]
    configure(place, **{tower: fields | {field: value}})
    with pytest.raises(BadInput, match=f"config.json:{tower}:{field}: found {value!r}"):
        load_aligner(place)


def test_a_config_larger_than_its_weights_is_refused_before_anything_is_allocated(folder):
    place = folder("gpt2")
    configure(place, vocab_size=1 << 21, n_embd=1 << 14, n_layer=256, n_head=1)  # about 3 TB
    with pytest.raises(BadInput, match=r"wte\.weight expected \(2097152, 16384\), found \(101, 32\)"):
        load_gpt2(place)


@pytest.mark.parametrize("config", ["[1]", "{", "\u00ff", '{"model_type": "clip", "text_config": 3}'])
def test_a_config_that_is_no_object_is_named(folder, config):
    place = folder("clip")
    (place / "config.json").write_text(config, encoding="latin-1")
    with pytest.raises(BadInput, match=r"config\.json"):
        load_aligner(place)
