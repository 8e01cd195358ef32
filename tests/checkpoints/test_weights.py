"""A finished model comes back as it was, and what does not fit is named."""

from pathlib import Path

import numpy as np
import pytest
from flax import nnx

from distinctad_jax.checkpoints.weights import assemble, flat, load_weights, save_weights
from distinctad_jax.errors import BadInput


class Scaled(nnx.Module):
    """A map and a scalar, as CLIP's temperature is."""

    def __init__(self, *, rngs):
        self.map = nnx.Linear(2, 3, rngs=rngs)
        self.layers = nnx.List([nnx.Linear(3, 3, rngs=rngs) for _ in range(11)])
        self.scale = nnx.Param(np.float32(2.5))

    def __call__(self, values):
        values = self.map(values)
        for layer in self.layers:
            values = layer(values)
        return self.scale[...] * values


def make():
    return Scaled(rngs=nnx.Rngs(0))


def test_a_model_comes_back_with_its_scalars_and_the_order_of_its_layers(tmp_path):
    model = make()
    save_weights(tmp_path / "model.safetensors", nnx.to_pure_dict(nnx.state(model)))
    again = assemble(make, load_weights(tmp_path / "model.safetensors"), tmp_path)
    values = np.ones((1, 2), np.float32)
    np.testing.assert_array_equal(again(values), model(values))
    assert again.scale[...].shape == ()


def test_a_prefix_selects_and_is_cut_off(tmp_path):
    save_weights(tmp_path / "model.safetensors", {"a": {"x": np.ones(1)}, "b": {"x": np.zeros(1)}})
    assert list(load_weights(tmp_path / "model.safetensors", "b/")) == ["x"]


def test_arrays_that_do_not_fit_are_named():
    weights = {name: np.asarray(leaf) for name, leaf in flat(nnx.to_pure_dict(nnx.state(make()))).items()}
    weights["map/kernel"] = np.zeros((3, 2), np.float32)
    weights["other"] = weights.pop("map/bias")
    with pytest.raises(BadInput) as caught:
        assemble(make, weights, Path("model.safetensors"))
    told = str(caught.value)
    assert "map/bias is missing" in told and "other is not of this model" in told
    assert "map/kernel has shape (3, 2), needed (2, 3)" in told


def test_a_file_that_is_no_safetensors_file_is_bad_input(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"no")
    with pytest.raises(BadInput, match="not a sound safetensors file"):
        load_weights(tmp_path / "model.safetensors")
    with pytest.raises(BadInput, match="no such weights"):
        load_weights(tmp_path / "missing.safetensors")
